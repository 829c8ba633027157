//! What waits to be committed.

use std::sync::Arc;
use std::time::Duration;

use eventlog_port::Appended;
use parking_lot::{Condvar, Mutex, MutexGuard};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::config::{BATCH_BYTES, BATCH_RECORDS, LULL};
use crate::encoding::Unstamped;
use crate::error::Stopped;
use crate::partition::Partition;
use crate::waits::Waits;
use crate::writer::WriterState;

/// One thing to commit.
#[derive(Debug)]
pub(crate) enum Work {
    /// A record.
    Append {
        to: Arc<Partition>,
        record: Unstamped,
        writer: Arc<WriterState>,
        /// Where its answer goes.
        place: usize,
    },
    /// Entries of the table of contents.
    Contents {
        entries: Vec<(Vec<u8>, Vec<u8>)>,
        place: usize,
    },
}

impl Work {
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::Append { record, .. } => record.len(),
            Self::Contents { entries, .. } => entries.iter().map(|(k, v)| k.len() + v.len()).sum(),
        }
    }

    /// What is to be written, and who waits for it.
    pub(crate) fn split(self) -> (Piece, Waits) {
        match self {
            Self::Append {
                to,
                record,
                writer,
                place,
            } => {
                let waits = Waits::Append {
                    writer,
                    place,
                    bytes: record.len(),
                    appended: Appended {
                        offset: 0,
                        appended_at: Default::default(),
                    },
                };
                (Piece::Append { to, record }, waits)
            }
            Self::Contents { entries, place } => {
                (Piece::Contents(entries), Waits::Contents { place })
            }
        }
    }
}

/// What one thing to commit writes.
pub(crate) enum Piece {
    /// A record.
    Append {
        to: Arc<Partition>,
        record: Unstamped,
    },
    /// Entries of the table of contents.
    Contents(Vec<(Vec<u8>, Vec<u8>)>),
}

#[derive(Debug, Default)]
struct Waiting {
    work: std::collections::VecDeque<Work>,
    /// Nothing more is taken in, and why.
    closed: Option<Stopped>,
}

/// The queue between writers and the committer. What it holds is bounded by the permits that writers
/// take first: so many appends each, so many bytes all together.
#[derive(Debug)]
pub(crate) struct Queue {
    waiting: Mutex<Waiting>,
    arrived: Condvar,
    /// Room for bytes, in [`UNIT`]s.
    pub(crate) room: Semaphore,
    pub(crate) units: u32,
}

/// Who was in the last batch, and how long to wait for them to come back.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Crowd {
    pub(crate) size: usize,
    pub(crate) patience: Duration,
}

/// The grain in which bytes are counted.
pub(crate) const UNIT: usize = 1_024;

impl Queue {
    pub(crate) fn new(bytes: u32) -> Self {
        let units = (bytes as usize / UNIT).max(1) as u32;
        let room = Semaphore::new(units as usize);
        Self {
            waiting: Mutex::default(),
            arrived: Condvar::new(),
            room,
            units,
        }
    }

    /// What `bytes` take of the room; a record over the whole of it takes all.
    pub(crate) fn units_of(&self, bytes: usize) -> u32 {
        u32::try_from(bytes.div_ceil(UNIT))
            .unwrap_or(u32::MAX)
            .clamp(1, self.units)
    }

    /// Frees what a record of `bytes` took.
    pub(crate) fn give_back(&self, bytes: usize) {
        self.room.add_permits(self.units_of(bytes) as usize);
    }

    /// Adds work, and says why it doesn't once the queue is closed.
    pub(crate) fn push(&self, work: Work) -> Result<(), Stopped> {
        let mut waiting = self.waiting.lock();
        if let Some(why) = waiting.closed {
            return Err(why);
        }
        waiting.work.push_back(work);
        let first = waiting.work.len() == 1;
        drop(waiting);
        if first {
            self.arrived.notify_one();
        }
        Ok(())
    }

    /// Refuses more; what is there is still taken.
    pub(crate) fn close(&self) {
        self.waiting.lock().closed.get_or_insert(Stopped::Closed);
        self.arrived.notify_one();
    }

    /// Refuses more, and gives back what nobody will take.
    pub(crate) fn abandon(&self, why: Stopped) -> Vec<Work> {
        let mut waiting = self.waiting.lock();
        waiting.closed = Some(why);
        waiting.work.drain(..).collect()
    }

    /// Waits for work and takes a batch of it, when the crowd of the last one has come back or has
    /// stopped coming: it comes a few at a time, and on a slow disk would be split into many batches.
    ///
    /// Comes back with nothing at `until`, and with `None` once it is closed and empty.
    pub(crate) fn take(&self, crowd: Crowd, until: Option<Instant>) -> Option<Vec<Work>> {
        let mut waiting = self.waiting.lock();
        while waiting.work.is_empty() {
            if waiting.closed.is_some() {
                return None;
            }
            match until {
                None => self.arrived.wait(&mut waiting),
                Some(until) => {
                    if self
                        .arrived
                        .wait_until(&mut waiting, until.into_std())
                        .timed_out()
                    {
                        return Some(Vec::new());
                    }
                }
            }
        }
        gather(&mut waiting, crowd);
        let mut bytes = 0;
        let mut fits = |work: &Work| {
            bytes += work.bytes();
            bytes <= BATCH_BYTES
        };
        let count = waiting
            .work
            .iter()
            .take(BATCH_RECORDS)
            .take_while(|work| fits(work))
            .count();
        let count = count.max(1);
        Some(waiting.work.drain(..count).collect())
    }
}

/// Waits until the crowd is back, has stopped coming, or patience is out.
fn gather(waiting: &mut MutexGuard<'_, Waiting>, crowd: Crowd) {
    let begun = Instant::now();
    let mut grew = begun;
    while waiting.work.len() < crowd.size && waiting.closed.is_none() {
        let before = waiting.work.len();
        MutexGuard::unlocked(waiting, std::thread::yield_now);
        let now = Instant::now();
        if waiting.work.len() > before {
            grew = now;
        }
        if now - grew >= LULL || now - begun >= crowd.patience {
            return;
        }
    }
}
