//! One partition: where it begins and ends.

use domain::time::Timestamp;
use eventlog_port::{Bounds, TopicPartition};
use parking_lot::Mutex;
use tokio::sync::watch;

/// What the committer has to know of a partition's last record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tail {
    /// The next record's offset.
    pub(crate) end: u64,
    /// No record is stamped earlier than the one before it.
    pub(crate) newest: Timestamp,
    /// Bytes ever stored.
    pub(crate) total: u64,
}

/// A partition, shared by all who touch it.
#[derive(Debug)]
pub(crate) struct Partition {
    pub(crate) id: TopicPartition,
    /// Its place in the engine's table of keyspaces.
    pub(crate) slot: usize,
    bounds: watch::Sender<Bounds>,
    tail: Mutex<Tail>,
}

impl Partition {
    pub(crate) fn new(id: TopicPartition, slot: usize, start: u64, tail: Tail) -> Self {
        let (bounds, _) = watch::channel(Bounds {
            start,
            end: tail.end,
        });
        Self {
            id,
            slot,
            bounds,
            tail: Mutex::new(tail),
        }
    }

    pub(crate) fn bounds(&self) -> Bounds {
        *self.bounds.borrow()
    }

    pub(crate) fn watch(&self) -> watch::Receiver<Bounds> {
        self.bounds.subscribe()
    }

    pub(crate) fn tail(&self) -> Tail {
        *self.tail.lock()
    }

    /// Everything up to `tail` is durable: readers may have it.
    pub(crate) fn publish(&self, tail: Tail) {
        *self.tail.lock() = tail;
        self.bounds.send_if_modified(|bounds| {
            let moved = bounds.end != tail.end;
            bounds.end = tail.end;
            moved
        });
    }

    /// Retention has durably moved the start.
    pub(crate) fn move_start(&self, start: u64) {
        self.bounds
            .send_modify(|bounds| bounds.start = bounds.start.max(start));
    }
}
