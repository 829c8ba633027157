//! Writing `control`: append, then read back whether the fact holds.

use std::sync::Arc;

use eventlog_port::{
    AppendError, EventLog, TopicError, Writer as LogWriter, WriterKind, WriterSpec,
};
use schemas::control::Fact;

use crate::follow::{Behind, Control, partition};

/// Appends facts. Two writers may race: the log decides, and the loser is told.
pub struct Writer {
    control: Control,
    log: Arc<dyn EventLog>,
    writer: tokio::sync::Mutex<Option<Arc<dyn LogWriter>>>,
}

/// A fact that was not written, or does not hold.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The fact is in the log and counts for nothing: another came first, and the version that it
    /// replaces was not current any more. Look again, change again.
    #[error("the fact does not replace the current version")]
    Stale,
    /// The log could not be written.
    #[error(transparent)]
    Log(#[from] TopicError),
    /// The log did not take the fact; whether it is there all the same, the error says.
    #[error(transparent)]
    Append(#[from] AppendError),
    /// It is in the log, and whether it holds could not be read back.
    #[error(transparent)]
    Behind(#[from] Behind),
}

impl Writer {
    /// A writer that reads back through `control`.
    #[must_use]
    pub fn new(log: Arc<dyn EventLog>, control: Control) -> Self {
        Self {
            control,
            log,
            writer: tokio::sync::Mutex::default(),
        }
    }

    /// Appends `fact` and waits until this node knows whether it holds. Returns its offset, which is
    /// the new version.
    ///
    /// # Errors
    /// [`Stale`](WriteError::Stale) when another fact came first; else what went wrong with the log.
    /// After an error whose outcome is unknown, reading `control` to its end tells.
    pub async fn write(&self, fact: &Fact) -> Result<u64, WriteError> {
        let writer = self.writer().await?;
        let appended = writer.append(&partition(), fact.encode().into()).await?;
        let offset = appended.await?.offset;
        self.control.applied(offset + 1).await?;
        let holds = self.control.read(|state| state.held(offset));
        if holds {
            Ok(offset)
        } else {
            Err(WriteError::Stale)
        }
    }

    async fn writer(&self) -> Result<Arc<dyn LogWriter>, TopicError> {
        let mut writer = self.writer.lock().await;
        if let Some(writer) = &*writer {
            return Ok(Arc::clone(writer));
        }
        let spec = WriterSpec {
            kind: WriterKind::Ordered,
            name: "control".to_owned(),
            max_in_flight: 64,
        };
        let made: Arc<dyn LogWriter> = self.log.writer(spec).await?.into();
        *writer = Some(Arc::clone(&made));
        Ok(made)
    }
}
