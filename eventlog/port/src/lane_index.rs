//! The index of what lagging lanes wait for: where in the log the records of one lane lie, so that
//! catching up is a range read for each lane and not a pass over everybody's records.
//!
//! It is a cache (`docs/protocol.md`, L4, L13, L22): it begins empty with every epoch of every owner,
//! and what it has lost is read from the log again. So nothing in it has to be durable, and whoever
//! uses it keeps in memory over which range of offsets the notes of a lane are whole.

use async_trait::async_trait;

use crate::error::BoxError;
use crate::record::{Offset, Record};

/// A lane, by a number that its owner gives it for as long as the index lives.
pub type LaneNumber = u64;

/// Where a record of a lane lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// Its offset in the partition.
    pub offset: Offset,
    /// The record itself, where the log has no cheap point read; `None` where it has.
    pub record: Option<Record>,
}

/// Makes an empty index for each owner.
#[async_trait]
pub trait LaneIndexes: Send + Sync {
    /// An empty index for the owner of `partition`. What an earlier one of the same partition held
    /// is gone, and that one fails from here on.
    ///
    /// # Errors
    /// When the place where it is kept can't be used.
    async fn open(&self, partition: u32) -> Result<Box<dyn LaneIndex>, IndexError>;
}

/// The notes of one partition's lagging lanes, on local disk. One owner uses it, one call at a time.
#[async_trait]
pub trait LaneIndex: Send + Sync {
    /// Adds notes, of any number of lanes, each lane's in any order. All are added or none. A note
    /// that is there already is written again.
    ///
    /// # Errors
    /// [`Full`](IndexError::Full): the owner's ranges end where they did. Or whatever the disk says:
    /// the notes of all lanes are lost.
    async fn add(&self, notes: Vec<(LaneNumber, Note)>) -> Result<(), IndexError>;

    /// The first notes of `lane` at or above `from`, ascending, at most `limit` (at least 1).
    ///
    /// # Errors
    /// Whatever the disk says. The notes of all lanes are lost.
    async fn read(
        &self,
        lane: LaneNumber,
        from: Offset,
        limit: usize,
    ) -> Result<Vec<Note>, IndexError>;

    /// Forgets the notes of `lane` below `below`; `Offset::MAX` forgets the lane.
    ///
    /// # Errors
    /// Whatever the disk says. The notes of all lanes are lost.
    async fn forget(&self, lane: LaneNumber, below: Offset) -> Result<(), IndexError>;
}

/// An index that could not be used. Nothing is lost by it: the log has what it held.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// There is no room for more notes.
    #[error("the index of waiting records is full")]
    Full,
    /// A later owner has begun an index of the same partition.
    #[error("the index of waiting records belongs to a later owner")]
    Superseded,
    /// It could not be read or written. Whatever it held is lost, and it fails from here on: its
    /// owner opens a new one.
    #[error("the index of waiting records failed: {0}")]
    Failed(#[source] BoxError),
}
