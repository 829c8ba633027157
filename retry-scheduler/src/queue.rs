//! One tier of one partition, as its owner reads it.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use domain::time::Timestamp;
use eventlog_port::{Offset, Record};
use schemas::retry::{Retry, RetryRecord};
use schemas::topics::Tier;
use schemas::{DecodeError, Malformed, Parts};

use crate::place::delay;

/// Records of a tier that are let go later than this are not kept in memory meanwhile.
const KEPT_FOR: Duration = Duration::from_secs(2);

/// How long before its head is let go a tier is read again.
const READ_AHEAD: Duration = Duration::from_millis(500);

/// A tier's queue: what was read and waits, what was let go and is not done, and the epochs that
/// count. Pure.
///
/// ```text
///   below        let go, not done       read         position       settled      the log's end
///     ▼ ·····x···x··x··········x······│ waiting ······ │ ············ │ ············· │
/// ```
#[derive(Debug)]
pub struct TierQueue {
    tier: Tier,
    /// The next offset to be read.
    position: Offset,
    /// Below it, what counts and what doesn't is settled: own records are confirmed (O14).
    settled: Offset,
    waiting: VecDeque<Waiting>,
    /// Let go and not done.
    open: BTreeSet<Offset>,
    /// Done, and to be read: found so by a takeover, or the answer of an earlier epoch became durable in this one.
    done: BTreeSet<Offset>,
    /// Where the highest epoch rose, ascending: the offset of the record and the epoch.
    raises: VecDeque<(Offset, u64)>,
    /// Not to be read before.
    asleep_until: Option<Timestamp>,
}

#[derive(Debug)]
struct Waiting {
    offset: Offset,
    release_at: Timestamp,
    retry: Box<Retry>,
}

/// A record whose tier has let it go.
#[derive(Debug)]
pub struct Released {
    /// Its offset in the tier.
    pub offset: Offset,
    /// The tier.
    pub tier: Tier,
    /// When the tier let it go at the earliest, in log time.
    pub release_at: Timestamp,
    /// The delivery that waited.
    pub retry: Box<Retry>,
}

/// A record that nobody of ours wrote. Open until [`TierQueue::done`] is called for it.
#[derive(Debug)]
pub struct Unreadable {
    /// Its offset in the tier.
    pub offset: Offset,
    /// When it was appended.
    pub appended_at: Timestamp,
    /// The record.
    pub parts: Parts,
    /// What is wrong with it.
    pub why: Malformed,
}

/// A record of a newer program: the partition stops.
#[derive(Debug, thiserror::Error)]
#[error(
    "the record at offset {offset} of retry.{tier} has version {version}, which this program does not read"
)]
pub struct ReadFailed {
    /// The tier.
    pub tier: Tier,
    /// The record.
    pub offset: Offset,
    /// The version that it names.
    pub version: u64,
}

impl TierQueue {
    /// A tier that is read from `from`, below which the highest epoch is `epoch`. Everything below
    /// `settled` may be taken; of that, `done` has its outcome already.
    #[must_use]
    pub fn new(
        tier: Tier,
        from: Offset,
        epoch: u64,
        settled: Offset,
        done: BTreeSet<Offset>,
    ) -> Self {
        Self {
            tier,
            position: from,
            settled,
            waiting: VecDeque::new(),
            open: BTreeSet::new(),
            done,
            raises: VecDeque::from([(0, epoch)]),
            asleep_until: None,
        }
    }

    /// Everything below `end` is settled: own records are acknowledged, and after that `progress`
    /// was read to its end without a higher epoch (O14).
    pub fn settle(&mut self, end: Offset) {
        self.settled = self.settled.max(end);
    }

    /// Below it, what counts is settled.
    #[must_use]
    pub const fn settled(&self) -> Offset {
        self.settled
    }

    /// From where to read now, if there is anything to read and room for it.
    #[must_use]
    pub fn wants(&self, now: Timestamp) -> Option<Offset> {
        let awake = self.asleep_until.is_none_or(|until| now >= until);
        let wants = self.waiting.is_empty() && self.position < self.settled && awake;
        wants.then_some(self.position)
    }

    /// Takes in what was read from where [`wants`](Self::wants) said; `position` is the reader's
    /// own after it.
    ///
    /// # Errors
    /// When a record is of a newer program.
    pub fn read(
        &mut self,
        records: Vec<Record>,
        position: Offset,
        now: Timestamp,
    ) -> Result<Vec<Unreadable>, ReadFailed> {
        let mut unreadable = Vec::new();
        self.asleep_until = None;
        let mut end = position.min(self.settled);
        for record in records {
            if record.offset >= self.settled {
                end = record.offset.min(end);
                break;
            }
            if record.offset >= self.position {
                self.take(record, &mut unreadable)?;
            }
        }
        self.position = self.position.max(end);
        self.sleep(now);
        self.done = self.done.split_off(&self.position);
        Ok(unreadable)
    }

    fn take(&mut self, record: Record, unreadable: &mut Vec<Unreadable>) -> Result<(), ReadFailed> {
        let Record {
            offset,
            appended_at,
            ..
        } = record;
        let parts = record.into_parts();
        let is_done = self.done.contains(&offset);
        match RetryRecord::decode(&parts) {
            Ok(RetryRecord::Fence(fence)) => self.raise(offset, fence.epoch.unwrap_or(0)),
            Ok(RetryRecord::Retry(retry)) => {
                let epoch = retry.wait.link.epoch;
                let counts = epoch >= self.epoch_below(offset);
                self.raise(offset, epoch);
                if counts && !is_done {
                    self.waiting.push_back(Waiting {
                        offset,
                        release_at: appended_at.saturating_add(delay(self.tier)),
                        retry: Box::new(retry),
                    });
                }
            }
            Err(DecodeError::UnknownVersion { found }) => {
                return Err(ReadFailed {
                    tier: self.tier,
                    offset,
                    version: found,
                });
            }
            Err(DecodeError::Malformed(why)) => {
                self.open.insert(offset);
                unreadable.push(Unreadable {
                    offset,
                    appended_at,
                    parts,
                    why,
                });
            }
        }
        Ok(())
    }

    fn raise(&mut self, offset: Offset, epoch: u64) {
        if self
            .raises
            .back()
            .is_none_or(|(_, highest)| epoch > *highest)
        {
            self.raises.push_back((offset, epoch));
        }
    }

    /// Forgets what it would hold for long; it is read again in time.
    fn sleep(&mut self, now: Timestamp) {
        let Some(head) = self.waiting.front() else {
            return;
        };
        if head.release_at > now.saturating_add(KEPT_FOR) {
            self.position = head.offset;
            self.asleep_until = Some(head.release_at.saturating_sub(READ_AHEAD));
            self.waiting.clear();
        }
    }

    /// The next record whose time in this tier is over at `now`. It is open until
    /// [`done`](Self::done).
    pub fn release(&mut self, now: Timestamp) -> Option<Released> {
        if self.waiting.front()?.release_at > now {
            return None;
        }
        let Waiting {
            offset,
            release_at,
            retry,
        } = self.waiting.pop_front()?;
        self.open.insert(offset);
        Some(Released {
            offset,
            tier: self.tier,
            release_at,
            retry,
        })
    }

    /// When there will be something to read or to let go, as far as is known: in log time.
    #[must_use]
    pub fn wakes_at(&self) -> Option<Timestamp> {
        let head = self.waiting.front().map(|waiting| waiting.release_at);
        head.or(self.asleep_until.filter(|_| self.position < self.settled))
    }

    /// Whether the record at `offset` was let go and is not done.
    #[must_use]
    pub fn is_open(&self, offset: Offset) -> bool {
        self.open.contains(&offset)
    }

    /// The outcome of the record at `offset` is durable, whether it was let go, waits or is still to be read.
    pub fn done(&mut self, offset: Offset) {
        let of = |waiting: &Waiting| waiting.offset;
        if let Ok(at) = self.waiting.binary_search_by_key(&offset, of) {
            self.waiting.remove(at);
        } else if !self.open.remove(&offset) && offset >= self.position {
            self.done.insert(offset);
        }
    }

    /// Below it everything that counts is done.
    #[must_use]
    pub fn below(&self) -> Offset {
        let open = self.open.first().copied();
        let waiting = self.waiting.front().map(|waiting| waiting.offset);
        let lowest = [open, waiting].into_iter().flatten().min();
        lowest.map_or(self.position, |lowest| lowest.min(self.position))
    }

    /// The highest epoch below `offset`, which must not be below what the last checkpoint said.
    #[must_use]
    pub fn epoch_below(&self, offset: Offset) -> u64 {
        let raised = self.raises.iter().rev();
        let mut below = raised.filter(|(at, _)| *at < offset || *at == 0);
        below.next().map_or(0, |(_, epoch)| *epoch)
    }

    /// Nobody asks for an epoch below `offset` any more.
    pub fn forget_epochs(&mut self, offset: Offset) {
        while self.raises.get(1).is_some_and(|(at, _)| *at < offset) {
            self.raises.pop_front();
        }
    }
}

#[cfg(test)]
mod tests;
