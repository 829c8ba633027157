//! Errors, one type an operation. Each says whether the same call may succeed later, and an append's
//! says whether the record may be in the log all the same.

use crate::record::{Offset, TopicPartition};
use crate::topic::{BadTopic, Mismatch};

/// An engine's own error, kept as the source of ours.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// What is known of an append that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The record is not in the log and never will be.
    NotAppended,
    /// The record may be in the log, or may still get there.
    Unknown,
}

/// An append that failed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum AppendError {
    /// The record is over its topic's limit.
    #[error("a record of {size} bytes is over the limit of {limit} bytes of {partition}")]
    TooLarge {
        /// Where it was to go.
        partition: TopicPartition,
        /// Its size in bytes.
        size: usize,
        /// The topic's limit in bytes.
        limit: usize,
    },
    /// There is no such topic or partition. Of one that was there, a cluster may say [`Unavailable`](Self::Unavailable)
    /// for a while first: some of its nodes hear later than others of what is new.
    #[error("there is no {0}")]
    NoSuchPartition(TopicPartition),
    /// The log is out of space. It takes appends again by itself once there is room.
    #[error("the log is out of space")]
    Full,
    /// The log could not take the record now; nothing was appended.
    #[error("the log is unavailable: {0}")]
    Unavailable(#[source] std::sync::Arc<dyn std::error::Error + Send + Sync>),
    /// The log did not confirm the record, and it may be there.
    #[error("the log did not confirm the append: {0}")]
    Unconfirmed(#[source] std::sync::Arc<dyn std::error::Error + Send + Sync>),
    /// An append before this one failed on a prefix writer; this one never lands.
    #[error("an earlier append of this writer failed")]
    Broken,
    /// The writer was closed before the record was accepted.
    #[error("the writer is closed")]
    Closed,
}

impl AppendError {
    /// Whether the same append may succeed later: on this writer, or for a prefix writer on a new
    /// one. Whoever repeats an append whose outcome is unknown may append it twice.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        match self {
            Self::Full | Self::Unavailable(_) | Self::Unconfirmed(_) | Self::Broken => true,
            Self::TooLarge { .. } | Self::NoSuchPartition(_) | Self::Closed => false,
        }
    }

    /// What is known of the record.
    #[must_use]
    pub const fn outcome(&self) -> Outcome {
        match self {
            Self::Unconfirmed(_) => Outcome::Unknown,
            Self::Full
            | Self::Unavailable(_)
            | Self::Broken
            | Self::TooLarge { .. }
            | Self::NoSuchPartition(_)
            | Self::Closed => Outcome::NotAppended,
        }
    }
}

/// A read that failed.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// Retention has passed the offset. The reader stops here: it never skips by itself.
    #[error("offset {wanted} of {partition} is gone: the log holds {start} to {end}")]
    OffsetGone {
        /// The partition.
        partition: TopicPartition,
        /// The offset that was to be read.
        wanted: Offset,
        /// The first offset still there.
        start: Offset,
        /// The durable end.
        end: Offset,
    },
    /// The offset lies above the durable end, where no reader may wait: it was never given out, or
    /// the log has lost records.
    #[error("offset {wanted} of {partition} is above the end {end}")]
    BeyondEnd {
        /// The partition.
        partition: TopicPartition,
        /// The offset that was to be read.
        wanted: Offset,
        /// The durable end.
        end: Offset,
    },
    /// A stored record is damaged. It is never served; what is before and after it can be read.
    #[error("the record at offset {offset} of {partition} is damaged: {source}")]
    Corrupt {
        /// The partition.
        partition: TopicPartition,
        /// The damaged record, or the first offset of the damaged stretch.
        offset: Offset,
        /// What the engine found.
        source: BoxError,
    },
    /// There is no such topic or partition. Of one that was there, a cluster may say [`Unavailable`](Self::Unavailable)
    /// for a while first: some of its nodes hear later than others of what is new.
    #[error("there is no {0}")]
    NoSuchPartition(TopicPartition),
    /// The log could not be read now.
    #[error("the log is unavailable: {0}")]
    Unavailable(#[source] BoxError),
}

impl ReadError {
    /// Whether the same read may succeed later.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        match self {
            Self::Unavailable(_) => true,
            Self::OffsetGone { .. }
            | Self::BeyondEnd { .. }
            | Self::Corrupt { .. }
            | Self::NoSuchPartition(_) => false,
        }
    }
}

/// A group call that failed.
#[derive(Debug, thiserror::Error)]
pub enum GroupError {
    /// Another member has joined under the same instance name. This one is out for good.
    #[error("another member has taken the instance name {0:?}")]
    Fenced(String),
    /// The member does not hold the partition, or is being asked to give it up.
    #[error("the member does not hold {0}")]
    NotHeld(TopicPartition),
    /// There is no such topic.
    #[error("there is no topic {0:?}")]
    NoSuchTopic(String),
    /// The group could not be reached now. For a commit, whether it happened is not known: it is
    /// one offset, so committing again is safe.
    #[error("the group is unavailable: {0}")]
    Unavailable(#[source] BoxError),
}

impl GroupError {
    /// Whether the same call may succeed later.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        match self {
            Self::Unavailable(_) => true,
            Self::Fenced(_) | Self::NotHeld(_) | Self::NoSuchTopic(_) => false,
        }
    }
}

/// Making sure of topics failed. What had been made before stays.
#[derive(Debug, thiserror::Error)]
pub enum TopicError {
    /// A topic that cannot be asked for.
    #[error(transparent)]
    Bad(#[from] BadTopic),
    /// A topic is there with a setting that would break a promise.
    #[error("topic {topic:?} does not fit: {}", listed(.mismatches))]
    Mismatch {
        /// The topic.
        topic: String,
        /// Every setting that is off.
        mismatches: Vec<Mismatch>,
    },
    /// The log could not say or make what was asked.
    #[error("the log is unavailable: {0}")]
    Unavailable(#[source] BoxError),
}

impl TopicError {
    /// Whether the same call may succeed later.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        match self {
            Self::Unavailable(_) => true,
            Self::Bad(_) | Self::Mismatch { .. } => false,
        }
    }
}

fn listed(mismatches: &[Mismatch]) -> String {
    mismatches
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join("; ")
}
