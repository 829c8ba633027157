//! The index of waiting records in memory, with bounded room: what simulation runs on.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use parking_lot::Mutex;

use crate::lane_index::{IndexError, LaneIndex, LaneIndexes, LaneNumber, Note};
use crate::record::Offset;

type Notes = BTreeMap<LaneNumber, BTreeMap<Offset, Note>>;

/// Indexes that live as long as their handle.
#[derive(Debug)]
pub struct MemoryLaneIndexes {
    shared: Arc<Mutex<Shared>>,
    room: usize,
}

#[derive(Debug, Default)]
struct Shared {
    partitions: BTreeMap<u32, Partition>,
    opened: u64,
    is_failing: bool,
}

#[derive(Debug)]
struct Partition {
    owner: u64,
    /// `None` once it has failed.
    notes: Option<Notes>,
}

impl MemoryLaneIndexes {
    /// Indexes that have room for `room` notes of each lane.
    #[must_use]
    pub fn new(room: usize) -> Self {
        Self {
            shared: Arc::default(),
            room,
        }
    }

    /// While `is_failing`, every call fails, as on a broken disk. An index that has failed stays
    /// so.
    pub fn set_failing(&self, is_failing: bool) {
        self.shared.lock().is_failing = is_failing;
    }
}

#[async_trait]
impl LaneIndexes for MemoryLaneIndexes {
    async fn open(&self, partition: u32) -> Result<Box<dyn LaneIndex>, IndexError> {
        let mut shared = self.shared.lock();
        shared.check()?;
        shared.opened += 1;
        let owner = shared.opened;
        let notes = Some(Notes::new());
        shared
            .partitions
            .insert(partition, Partition { owner, notes });
        Ok(Box::new(MemoryLaneIndex {
            shared: Arc::clone(&self.shared),
            room: self.room,
            partition,
            owner,
        }))
    }
}

impl Shared {
    fn check(&self) -> Result<(), IndexError> {
        if self.is_failing {
            return Err(IndexError::Failed("the disk is broken".into()));
        }
        Ok(())
    }
}

struct MemoryLaneIndex {
    shared: Arc<Mutex<Shared>>,
    room: usize,
    partition: u32,
    owner: u64,
}

impl MemoryLaneIndex {
    fn with<T>(
        &self,
        act: impl FnOnce(&mut Notes) -> Result<T, IndexError>,
    ) -> Result<T, IndexError> {
        let mut shared = self.shared.lock();
        let checked = shared.check();
        let partition = shared.partitions.get_mut(&self.partition);
        let Some(partition) = partition.filter(|partition| partition.owner == self.owner) else {
            return Err(IndexError::Superseded);
        };
        if checked.is_err() {
            partition.notes = None;
        }
        match &mut partition.notes {
            Some(notes) => act(notes),
            None => Err(IndexError::Failed("the disk is broken".into())),
        }
    }
}

#[async_trait]
impl LaneIndex for MemoryLaneIndex {
    async fn add(&self, notes: Vec<(LaneNumber, Note)>) -> Result<(), IndexError> {
        self.with(|held| {
            let mut after: BTreeMap<LaneNumber, usize> = BTreeMap::new();
            for (lane, note) in &notes {
                let lane_held = held.get(lane);
                let is_new = lane_held.is_none_or(|held| !held.contains_key(&note.offset));
                let count = after
                    .entry(*lane)
                    .or_insert_with(|| lane_held.map_or(0, BTreeMap::len));
                *count += usize::from(is_new);
                if *count > self.room {
                    return Err(IndexError::Full);
                }
            }
            for (lane, note) in notes {
                held.entry(lane).or_default().insert(note.offset, note);
            }
            Ok(())
        })
    }

    async fn read(
        &self,
        lane: LaneNumber,
        from: Offset,
        limit: usize,
    ) -> Result<Vec<Note>, IndexError> {
        self.with(|held| {
            let lane = held.get(&lane).into_iter();
            let notes = lane.flat_map(|notes| notes.range(from..).map(|(_, note)| note.clone()));
            Ok(notes.take(limit).collect())
        })
    }

    async fn forget(&self, lane: LaneNumber, below: Offset) -> Result<(), IndexError> {
        self.with(|held| {
            if below == Offset::MAX {
                held.remove(&lane);
            } else if let Some(notes) = held.get_mut(&lane) {
                *notes = notes.split_off(&below);
            }
            Ok(())
        })
    }
}
