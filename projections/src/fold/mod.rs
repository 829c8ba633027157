//! What records say, folded into rows: no clock, no log, no store.
//!
//! [`facts`] reads a record of an owner's partition, [`delivery`] says what it changes in a row,
//! [`deliveries`] and [`acceptances`] hold the rows that a turn touches.

pub(crate) mod acceptances;
pub(crate) mod attempts;
pub(crate) mod deliveries;
pub(crate) mod delivery;
pub(crate) mod facts;
pub(crate) mod names;
pub(crate) mod statistics;

use eventlog_port::Record;
use projections_port::{Advance, Progress};
use schemas::DecodeError;
use schemas::origin::Position;
use schemas::topics::Topic;

/// What a turn reads of one partition of one topic.
pub(crate) struct Taken {
    pub(crate) topic: Topic,
    pub(crate) records: Vec<Record>,
    /// Where the next turn reads on.
    pub(crate) position: u64,
}

/// A record of ours by a newer program: whoever went on would throw away a fact.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the record at {at} has version {version}, which this program doesn't read")]
pub struct TooNew {
    /// Where it lies.
    pub at: Position,
    /// Its version.
    pub version: u64,
}

/// What was decoded; `None` for what others wrote, which whoever owns the partition puts into
/// quarantine and the fold passes over.
pub(crate) fn known<T>(decoded: Result<T, DecodeError>, at: Position) -> Result<Option<T>, TooNew> {
    match decoded {
        Ok(record) => Ok(Some(record)),
        Err(DecodeError::UnknownVersion { found }) => Err(TooNew { at, version: found }),
        Err(DecodeError::Malformed(why)) => {
            tracing::warn!(%at, %why, "passed over a record that can't be read");
            Ok(None)
        }
    }
}

/// How far one partition of one topic is folded, as the turns move it.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) topic: Topic,
    pub(crate) from: u64,
    pub(crate) now: Progress,
}

impl Place {
    pub(crate) const fn new(topic: Topic, now: Progress) -> Self {
        Self {
            topic,
            from: now.offset,
            now,
        }
    }

    /// Whether a record of `epoch` counts, and raises the highest seen if so (O5).
    pub(crate) fn counts(&mut self, epoch: u64) -> bool {
        let counts = epoch >= self.now.epoch;
        self.now.epoch = self.now.epoch.max(epoch);
        counts
    }

    /// The step since the last one, if there was any.
    pub(crate) fn advance(&mut self, partition: u32) -> Option<Advance> {
        let from = std::mem::replace(&mut self.from, self.now.offset);
        (from < self.now.offset).then(|| Advance {
            topic: self.topic,
            partition,
            from,
            to: self.now.clone(),
        })
    }
}
