//! The index of waiting records on local disk: a small database for each owner that has lagging lanes.
//!
//! Keyed by lane and offset, so that a range read serves a lane. Nothing in it is synced, it is made
//! when the first lane begins to lag, and its files go with its owner; what a kill leaves is removed
//! before the next is made.

mod notes;
mod store;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use eventlog_port::lane_index::{IndexError, LaneIndex, LaneIndexes, LaneNumber, Note};
use eventlog_port::{BoxError, Offset};
use parking_lot::Mutex;

use self::notes::Notes;
use self::store::Store;

/// What the folder of the databases is called, in the configured one: nothing else lies in there, so that
/// all of it can be removed.
const FOLDER: &str = "waiting";

/// An embedded index, as it is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexConfig {
    /// The folder for it, beside the log's and held with it: one process at a time. Made when it is
    /// needed; what is left in it from before is removed.
    pub directory: PathBuf,
    /// Bytes of notes that one lane has room for: 16 for each, and its record where it holds one.
    pub lane_bytes: u64,
    /// There is no room for more while the file system has less than this many bytes free: more than
    /// the log's own reserve, so that the log never waits for a cache.
    pub reserve_bytes: u64,
    /// Bytes of blocks kept in memory for reads, for each owner.
    pub cache_bytes: u64,
}

impl IndexConfig {
    /// One in `directory` that has room for four million notes a lane.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self {
            directory: directory.into(),
            lane_bytes: 64 << 20,
            reserve_bytes: 512 << 20,
            cache_bytes: 2 << 20,
        }
    }
}

/// Indexes in a folder.
#[derive(Debug)]
pub struct EmbeddedLaneIndexes(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    config: IndexConfig,
    opened: AtomicU64,
    /// Whose index each partition's is.
    owners: Mutex<BTreeMap<u32, u64>>,
    /// Whether what an earlier process left is removed.
    is_swept: Mutex<bool>,
}

impl EmbeddedLaneIndexes {
    /// Indexes as `config` says. Nothing is opened or made yet.
    #[must_use]
    pub fn new(config: IndexConfig) -> Self {
        Self(Arc::new(Shared {
            config,
            opened: AtomicU64::new(0),
            owners: Mutex::default(),
            is_swept: Mutex::default(),
        }))
    }
}

impl Shared {
    /// An empty database for the index that is `owner`'s.
    fn begin(&self, partition: u32, owner: u64) -> Result<Notes, BoxError> {
        let folder = self.config.directory.join(FOLDER);
        let mut is_swept = self.is_swept.lock();
        if !*is_swept {
            store::remove(&folder)?;
            *is_swept = true;
        }
        drop(is_swept);
        let path = folder.join(format!("{partition}.{owner}"));
        Ok(Notes::new(Store::begin(&path, self.config.cache_bytes)?))
    }
}

#[async_trait]
impl LaneIndexes for EmbeddedLaneIndexes {
    async fn open(&self, partition: u32) -> Result<Box<dyn LaneIndex>, IndexError> {
        let owner = self.0.opened.fetch_add(1, Ordering::Relaxed);
        self.0.owners.lock().insert(partition, owner);
        Ok(Box::new(EmbeddedLaneIndex {
            shared: Arc::clone(&self.0),
            partition,
            owner,
            state: Mutex::new(Contents::Empty),
        }))
    }
}

struct EmbeddedLaneIndex {
    shared: Arc<Shared>,
    partition: u32,
    owner: u64,
    state: Mutex<Contents>,
}

enum Contents {
    /// No note was ever added.
    Empty,
    Held(Notes),
    /// A call failed: what is held can't be told any more.
    Lost,
}

impl EmbeddedLaneIndex {
    /// Has `act` use what is held. An error of the disk is the last thing that this index says.
    fn with<T>(
        &self,
        act: impl FnOnce(&mut Contents) -> Result<T, IndexError>,
    ) -> Result<T, IndexError> {
        if self.shared.owners.lock().get(&self.partition) != Some(&self.owner) {
            return Err(IndexError::Superseded);
        }
        let mut state = self.state.lock();
        if let Contents::Lost = *state {
            return Err(IndexError::Failed("it failed before".into()));
        }
        let done = act(&mut state);
        if let Err(IndexError::Failed(error)) = &done {
            tracing::warn!(partition = self.partition, error = %error, "index of waiting records lost");
            *state = Contents::Lost;
        }
        done
    }
}

#[async_trait]
impl LaneIndex for EmbeddedLaneIndex {
    async fn add(&self, notes: Vec<(LaneNumber, Note)>) -> Result<(), IndexError> {
        self.with(|state| {
            if let Contents::Empty = state
                && !notes.is_empty()
            {
                let begun = self.shared.begin(self.partition, self.owner);
                *state = Contents::Held(begun.map_err(IndexError::Failed)?);
            }
            match state {
                Contents::Held(held) => held.add(notes, &self.shared.config),
                Contents::Empty | Contents::Lost => Ok(()),
            }
        })
    }

    async fn read(
        &self,
        lane: LaneNumber,
        from: Offset,
        limit: usize,
    ) -> Result<Vec<Note>, IndexError> {
        self.with(|state| match state {
            Contents::Held(held) => held.read(lane, from, limit),
            Contents::Empty | Contents::Lost => Ok(Vec::new()),
        })
    }

    async fn forget(&self, lane: LaneNumber, below: Offset) -> Result<(), IndexError> {
        self.with(|state| match state {
            Contents::Held(held) => held.forget(lane, below),
            Contents::Empty | Contents::Lost => Ok(()),
        })
    }
}
