//! The index of what lagging lanes wait for, as one life of a process has it: it is lost now and then.

use std::sync::Arc;

use async_trait::async_trait;
use eventlog_port::memory::MemoryLaneIndexes;
use eventlog_port::{IndexError, LaneIndex, LaneIndexes, LaneNumber, Note, Offset};
use parking_lot::Mutex;

use super::links::Links;

/// Indexes that fail by chance. Local disk: no link is needed for them, but each call is a step.
pub struct NodeIndexes {
    indexes: MemoryLaneIndexes,
    links: Arc<Links>,
}

impl NodeIndexes {
    /// Empty ones, with room for that many notes of each lane.
    #[must_use]
    pub fn new(room: usize, links: Arc<Links>) -> Arc<Self> {
        let indexes = MemoryLaneIndexes::new(room);
        Arc::new(Self { indexes, links })
    }
}

fn lost() -> IndexError {
    IndexError::Failed("a fault of the world".into())
}

#[async_trait]
impl LaneIndexes for NodeIndexes {
    async fn open(&self, partition: u32) -> Result<Box<dyn LaneIndex>, IndexError> {
        self.links.tick().await;
        if self.links.fails(|failing| failing.index_one_in) {
            return Err(lost());
        }
        let index = self.indexes.open(partition).await?;
        Ok(Box::new(NodeIndex {
            index,
            links: Arc::clone(&self.links),
            is_lost: Mutex::new(false),
        }))
    }
}

struct NodeIndex {
    index: Box<dyn LaneIndex>,
    links: Arc<Links>,
    is_lost: Mutex<bool>,
}

impl NodeIndex {
    /// Once lost, lost for good.
    async fn step(&self) -> Result<(), IndexError> {
        self.links.tick().await;
        let mut is_lost = self.is_lost.lock();
        *is_lost = *is_lost || self.links.fails(|failing| failing.index_one_in);
        if *is_lost { Err(lost()) } else { Ok(()) }
    }
}

#[async_trait]
impl LaneIndex for NodeIndex {
    async fn add(&self, notes: Vec<(LaneNumber, Note)>) -> Result<(), IndexError> {
        self.step().await?;
        self.index.add(notes).await
    }

    async fn read(
        &self,
        lane: LaneNumber,
        from: Offset,
        limit: usize,
    ) -> Result<Vec<Note>, IndexError> {
        self.step().await?;
        self.index.read(lane, from, limit).await
    }

    async fn forget(&self, lane: LaneNumber, below: Offset) -> Result<(), IndexError> {
        self.step().await?;
        self.index.forget(lane, below).await
    }
}
