//! Appending to the log in memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::Shared;
use super::state::{Place, WriterId};
use crate::error::AppendError;
use crate::record::{NewRecord, TopicPartition};
use crate::writer::{Appending, Writer, WriterSpec};

pub(super) struct MemoryWriter {
    shared: Arc<Shared>,
    id: WriterId,
    closed: AtomicBool,
    in_flight: Arc<Semaphore>,
    max_in_flight: u32,
}

impl MemoryWriter {
    pub(super) fn new(shared: Arc<Shared>, spec: &WriterSpec) -> Self {
        let max_in_flight = spec.max_in_flight.max(1);
        let in_flight = Arc::new(Semaphore::new(max_in_flight as usize));
        let id = shared.state.lock().open_writer(spec.kind);
        Self {
            shared,
            id,
            closed: AtomicBool::new(false),
            in_flight,
            max_in_flight,
        }
    }
}

#[async_trait]
impl Writer for MemoryWriter {
    async fn append(
        &self,
        to: &TopicPartition,
        record: NewRecord,
    ) -> Result<Appending, AppendError> {
        self.shared.state.lock().check(self.id, to, &record)?;
        let permit = Arc::clone(&self.in_flight).acquire_owned().await;
        let permit = permit.map_err(|_closed| AppendError::Closed)?;
        if self.closed.load(Ordering::Acquire) {
            return Err(AppendError::Closed);
        }
        let waiter = {
            let mut state = self.shared.state.lock();
            state.check(self.id, to, &record)?;
            let (waiter, number) = self.shared.completions.open();
            let place = Place {
                number,
                _in_flight: permit,
            };
            state.accept(self.id, to, record, place, Instant::now());
            waiter
        };
        self.shared.land_due();
        self.shared.scheduled.notify_one();
        Ok(Appending::new(waiter))
    }

    async fn close(&self) {
        self.closed.store(true, Ordering::Release);
        // Every permit is back once every append has its answer.
        let _all_answered = self.in_flight.acquire_many(self.max_in_flight).await;
    }
}

impl Drop for MemoryWriter {
    fn drop(&mut self) {
        let mut answers = Vec::new();
        {
            let mut state = self.shared.state.lock();
            state.break_off(self.id, None, &mut answers);
            state.close_writer(self.id);
        }
        self.shared.completions.answer_all(answers);
    }
}
