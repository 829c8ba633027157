//! Reading the log in memory.

use std::sync::Arc;

use async_trait::async_trait;

use super::Shared;
use crate::error::ReadError;
use crate::reader::{Bounds, ReadLimit, Reader};
use crate::record::{Offset, Record, TopicPartition};
use crate::watched::Watched;

pub(super) struct MemoryReader {
    shared: Arc<Shared>,
    partition: TopicPartition,
    position: Offset,
    bounds: Arc<Watched<Bounds>>,
}

impl MemoryReader {
    pub(super) const fn new(
        shared: Arc<Shared>,
        partition: TopicPartition,
        position: Offset,
        bounds: Arc<Watched<Bounds>>,
    ) -> Self {
        Self {
            shared,
            partition,
            position,
            bounds,
        }
    }

    fn read(&self, limit: ReadLimit) -> Result<Vec<Record>, ReadError> {
        let mut state = self.shared.state.lock();
        let partition = state.partition(&self.partition)?;
        partition.bounds().check(&self.partition, self.position)?;
        Ok(partition.read(self.position, limit.records.max(1), limit.bytes.max(1)))
    }
}

#[async_trait]
impl Reader for MemoryReader {
    async fn next(&mut self, limit: ReadLimit) -> Result<Vec<Record>, ReadError> {
        let position = self.position;
        let arrived = self
            .bounds
            .wait_for(|bounds| bounds.end > position || bounds.start > position);
        let _late = tokio::time::timeout(limit.wait, arrived).await;
        let records = self.read(limit)?;
        self.position = records.last().map_or(position, |last| last.offset + 1);
        Ok(records)
    }

    fn position(&self) -> Offset {
        self.position
    }
}
