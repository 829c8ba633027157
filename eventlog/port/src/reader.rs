//! Reading one partition, without a group.

use std::time::Duration;

use async_trait::async_trait;

use crate::error::ReadError;
use crate::record::{Offset, Record, TopicPartition};

/// What a partition holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// The first offset that can be read; equal to `end` when there is nothing.
    pub start: Offset,
    /// The durable end: the offset that the next durable record will have, or more.
    pub end: Offset,
}

impl Bounds {
    /// Whether a reader of `partition` may stand at `from`: a record that is there, or the end.
    ///
    /// # Errors
    /// [`OffsetGone`](ReadError::OffsetGone) below the start, [`BeyondEnd`](ReadError::BeyondEnd)
    /// above the end.
    pub fn check(&self, partition: &TopicPartition, from: Offset) -> Result<(), ReadError> {
        let Self { start, end } = *self;
        let (partition, wanted) = (partition.clone(), from);
        if from < start {
            Err(ReadError::OffsetGone {
                partition,
                wanted,
                start,
                end,
            })
        } else if from > end {
            Err(ReadError::BeyondEnd {
                partition,
                wanted,
                end,
            })
        } else {
            Ok(())
        }
    }
}

/// How much one read may return and how long it may wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadLimit {
    /// At most this many records; at least 1.
    pub records: usize,
    /// Stop after the record that reaches this many bytes; the first record always comes.
    pub bytes: usize,
    /// Wait at most this long for the first record.
    pub wait: Duration,
}

/// Reads one partition in ascending order. Holds a place in the log, not in a group: any number of
/// readers share a partition, and none of them moves another.
#[async_trait]
pub trait Reader: Send {
    /// The next records: as soon as there is one, or nothing once the wait is over.
    ///
    /// A record is returned only once it is durable. Cancelling the call loses nothing: the next
    /// one goes on where the last that returned left off.
    ///
    /// # Errors
    /// [`OffsetGone`](ReadError::OffsetGone) when retention has passed the position, every time it
    /// is called from then on. After [`Corrupt`](ReadError::Corrupt) the position stays before the
    /// damaged record; a new reader behind it goes on.
    async fn next(&mut self, limit: ReadLimit) -> Result<Vec<Record>, ReadError>;

    /// The offset from which the next call reads on: one past the last record returned. It may stay
    /// below the durable end where offsets have a gap up to it, as behind a transaction of somebody
    /// else's on Kafka: who reads to an end waits for an empty answer too.
    fn position(&self) -> Offset;
}
