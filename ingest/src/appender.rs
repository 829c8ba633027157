//! The log as ingest writes it: one ordered writer for all requests, made anew when it is of no more use.

use std::sync::Arc;
use std::time::Duration;

use eventlog_port::{
    AppendError, Appended, EventLog, NewRecord, Outcome, TopicPartition, Writer, WriterKind,
    WriterSpec,
};
use parking_lot::RwLock;
use tokio::time::timeout;

use crate::event::Refused;

/// Appends for many requests at once.
pub(crate) struct Appender {
    log: Arc<dyn EventLog>,
    writer: RwLock<Option<Arc<dyn Writer>>>,
    /// One request makes the writer that all wait for.
    making: tokio::sync::Mutex<()>,
    bounds: Bounds,
}

/// How much may be under way, and for how long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) max_in_flight: u32,
    pub(crate) append_wait: Duration,
    pub(crate) confirm_within: Duration,
}

impl Appender {
    pub(crate) fn new(log: Arc<dyn EventLog>, bounds: Bounds) -> Self {
        Self {
            log,
            writer: RwLock::default(),
            making: tokio::sync::Mutex::default(),
            bounds,
        }
    }

    /// Appends, and waits until the record is durable. What can't be confirmed is refused.
    pub(crate) async fn append(
        &self,
        to: &TopicPartition,
        record: NewRecord,
    ) -> Result<Appended, Refused> {
        let accepted = timeout(self.bounds.append_wait, self.accept(to, record)).await;
        let (writer, appending) = accepted.map_err(|_late| Refused::Overloaded)??;
        match timeout(self.bounds.confirm_within, appending).await {
            Ok(Ok(appended)) => Ok(appended),
            Ok(Err(error)) => Err(self.refuse(&writer, &error)),
            Err(_late) => Err(Refused::Unconfirmed),
        }
    }

    async fn accept(
        &self,
        to: &TopicPartition,
        record: NewRecord,
    ) -> Result<(Arc<dyn Writer>, eventlog_port::Appending), Refused> {
        let writer = self.writer().await?;
        match writer.append(to, record).await {
            Ok(appending) => Ok((writer, appending)),
            Err(error) => Err(self.refuse(&writer, &error)),
        }
    }

    async fn writer(&self) -> Result<Arc<dyn Writer>, Refused> {
        if let Some(writer) = &*self.writer.read() {
            return Ok(Arc::clone(writer));
        }
        let _one_at_a_time = self.making.lock().await;
        if let Some(writer) = &*self.writer.read() {
            return Ok(Arc::clone(writer));
        }
        let spec = WriterSpec {
            kind: WriterKind::Ordered,
            name: "ingest".to_owned(),
            max_in_flight: self.bounds.max_in_flight,
        };
        let made = self.log.writer(spec).await.map_err(|error| {
            tracing::warn!(%error, "ingest can't write the log");
            Refused::Unavailable
        })?;
        let made: Arc<dyn Writer> = made.into();
        *self.writer.write() = Some(Arc::clone(&made));
        Ok(made)
    }

    /// What a failed append means for the request, and for the writer.
    fn refuse(&self, writer: &Arc<dyn Writer>, error: &AppendError) -> Refused {
        if matches!(error, AppendError::Broken | AppendError::Closed) {
            let mut current = self.writer.write();
            if current.as_ref().is_some_and(|it| Arc::ptr_eq(it, writer)) {
                *current = None;
            }
        }
        refused(error)
    }

    /// Takes no more, and waits until everything that was accepted has its answer.
    pub(crate) async fn close(&self) {
        let writer = self.writer.read().clone();
        if let Some(writer) = writer {
            writer.close().await;
        }
    }
}

fn refused(error: &AppendError) -> Refused {
    match error {
        AppendError::TooLarge { .. } => Refused::TooLarge,
        AppendError::Full => Refused::Full,
        AppendError::NoSuchPartition(partition) => {
            tracing::error!(%partition, "an endpoint lives where the log has no partition");
            Refused::Unavailable
        }
        AppendError::Unavailable(_)
        | AppendError::Unconfirmed(_)
        | AppendError::Broken
        | AppendError::Closed => match error.outcome() {
            Outcome::NotAppended => Refused::Unavailable,
            Outcome::Unknown => Refused::Unconfirmed,
        },
    }
}
