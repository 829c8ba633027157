//! Appending: laid out by the caller, committed with others.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use eventlog_port::{
    AppendError, Appending, NewRecord, TopicPartition, Writer, WriterKind, WriterSpec,
};
use tokio::sync::Semaphore;

use crate::encoding::Unstamped;
use crate::error::CommitError;
use crate::queue::Work;
use crate::shared::Shared;

/// What the committer has to know of a writer.
#[derive(Debug)]
pub(crate) struct WriterState {
    kind: WriterKind,
    broken: AtomicBool,
    closed: AtomicBool,
    in_flight: Semaphore,
    max_in_flight: u32,
}

impl WriterState {
    fn new(spec: &WriterSpec) -> Self {
        let max_in_flight = spec.max_in_flight.max(1);
        Self {
            kind: spec.kind,
            broken: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            in_flight: Semaphore::new(max_in_flight as usize),
            max_in_flight,
        }
    }

    /// One of its appends failed: from here on a prefix writer appends nothing.
    pub(crate) fn failed(&self) {
        if self.kind == WriterKind::Prefix {
            self.broken.store(true, Ordering::Release);
        }
    }

    pub(crate) fn is_broken(&self) -> bool {
        self.broken.load(Ordering::Acquire)
    }

    /// `count` of its appends have their answers.
    pub(crate) fn answered(&self, count: usize) {
        self.in_flight.add_permits(count);
    }

    fn check(&self) -> Result<(), AppendError> {
        if self.is_broken() {
            Err(AppendError::Broken)
        } else if self.closed.load(Ordering::Acquire) {
            Err(AppendError::Closed)
        } else {
            Ok(())
        }
    }
}

pub(crate) struct EmbeddedWriter {
    shared: Arc<Shared>,
    state: Arc<WriterState>,
}

impl EmbeddedWriter {
    pub(crate) fn new(shared: Arc<Shared>, spec: &WriterSpec) -> Self {
        Self {
            shared,
            state: Arc::new(WriterState::new(spec)),
        }
    }
}

#[async_trait]
impl Writer for EmbeddedWriter {
    async fn append(
        &self,
        to: &TopicPartition,
        record: NewRecord,
    ) -> Result<Appending, AppendError> {
        self.state.check()?;
        let to = self.shared.partition_for(to, record.size())?;
        let record = Unstamped::new(&record);
        let closed = |_| AppendError::Closed;
        let in_flight = self.state.in_flight.acquire().await.map_err(closed)?;
        let units = self.shared.queue.units_of(record.len());
        let room = self
            .shared
            .queue
            .room
            .acquire_many(units)
            .await
            .map_err(closed)?;
        self.state.check()?;
        let (waiter, place) = self.shared.appends.open();
        let writer = Arc::clone(&self.state);
        let work = Work::Append {
            to,
            record,
            writer,
            place,
        };
        if let Err(why) = self.shared.queue.push(work) {
            // Nobody has seen the place: its waiter is dropped here, and the answer frees it.
            drop(waiter);
            self.shared.appends.answer(place, Err(AppendError::Closed));
            return Err(CommitError::unavailable(why).into());
        }
        // Both are given back with the answer.
        in_flight.forget();
        room.forget();
        Ok(Appending::new(waiter))
    }

    async fn close(&self) {
        self.state.closed.store(true, Ordering::Release);
        // Every permit is back once every append has its answer.
        let _all_answered = self
            .state
            .in_flight
            .acquire_many(self.state.max_in_flight)
            .await;
    }
}
