//! The one thread that writes.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use eventlog_port::{AppendError, Appended};
use tokio::time::Instant;

use crate::encoding::Stamp;
use crate::engine::{Batch, Engine};
use crate::error::{CommitError, DiskTrouble, Stopped};
use crate::partition::{Partition, Tail};
use crate::queue::{Crowd, Piece, Work};
use crate::shared::Shared;
use crate::topics::SEQUENCE_KEY;
use crate::waits::{Waits, answer, fail_writers};

/// How long an engine that could not be opened again is left alone.
const REOPEN_PAUSE: Duration = Duration::from_millis(250);

/// A batch waits for those who were just answered no longer than this part of what the last commit
/// took: on a slow disk they share the next sync, on a fast one they get ready beside it.
const PATIENCE: u32 = 3;

/// How far the note of what was acknowledged may lag. Written after every sync, it would be in the
/// way of the next one: both touch the file system's own journal.
const NOTE_PAUSE: Duration = Duration::from_millis(50);

/// The engine seals journals, and writes out the partitions that hold old ones back, only when it
/// writes something out: without this, many small partitions would keep all of it in memory.
const ROTATE_BYTES: u64 = 64 << 20;

/// How often, in bytes written, the committer looks at what the engine holds in memory.
const LOOK_BYTES: u64 = 256 << 10;

/// Writes until the queue is closed and empty.
pub(crate) fn run(shared: &Shared, sequence: u64) {
    let mut committer = Committer {
        shared,
        sequence,
        state: State::Open,
        note_due: None,
        unrotated: 0,
        unlooked: 0,
        waits: Vec::new(),
    };
    // Nothing of it is used after a panic but the number, which is set last, and who waits.
    let ended = catch_unwind(AssertUnwindSafe(|| committer.work()));
    if ended.is_err() {
        committer.give_up();
    }
    committer.note();
}

#[derive(Clone, Copy)]
enum State {
    Open,
    /// To be opened again, not before.
    Broken(Instant),
    /// The disk is not to be believed any more.
    DiskFailed,
}

struct Committer<'a> {
    shared: &'a Shared,
    /// The number of the last batch known to be durable.
    sequence: u64,
    state: State,
    /// What was acknowledged is not yet noted, and is to be by then.
    note_due: Option<Instant>,
    /// Bytes written since the engine was last told to look after its journals.
    unrotated: u64,
    /// Bytes written since it was last looked what the engine holds in memory.
    unlooked: u64,
    /// Who waits for the batch in hand.
    waits: Vec<Waits>,
}

/// What a failed write means, and the error itself.
type Failure = (DiskTrouble, Arc<dyn std::error::Error + Send + Sync>);

/// A batch as it is put together.
struct Staged {
    batch: Batch,
    /// Where each partition that it touches will end.
    tails: Vec<(Arc<Partition>, Tail)>,
}

impl Committer<'_> {
    fn work(&mut self) {
        let mut crowd = Crowd::default();
        while let Some(work) = self.shared.queue.take(crowd, self.wake_at()) {
            self.open_again_when_due();
            if !work.is_empty() {
                let (size, begun) = (work.len(), Instant::now());
                self.commit(work);
                crowd = Crowd {
                    size,
                    patience: begun.elapsed() / PATIENCE,
                };
                self.bound_memory();
            }
            self.note_when_due();
        }
    }

    /// Tells everyone that nobody writes any more. What became of the batch in hand is not known; what
    /// was still waiting for its turn was not tried.
    fn give_up(&mut self) {
        tracing::error!("the thread that commits panicked, nothing more is written");
        let unknown = CommitError::Unconfirmed(Arc::new(Stopped::Panicked));
        let waits = std::mem::take(&mut self.waits);
        fail_writers(&waits);
        answer(self.shared, waits, &Err(unknown));
        let rest = self.shared.queue.abandon(Stopped::Panicked);
        let waits: Vec<Waits> = rest.into_iter().map(|work| work.split().1).collect();
        fail_writers(&waits);
        let untried = CommitError::unavailable(Stopped::Panicked);
        answer(self.shared, waits, &Err(untried));
    }

    /// When there is something to do even if no work comes.
    fn wake_at(&self) -> Option<Instant> {
        let reopen = match self.state {
            State::Broken(at) => Some(at),
            State::Open | State::DiskFailed => None,
        };
        reopen.into_iter().chain(self.note_due).min()
    }

    fn note_when_due(&mut self) {
        if self.note_due.is_some_and(|due| due <= Instant::now()) {
            self.note();
        }
    }

    fn note(&mut self) {
        if self.note_due.take().is_some() {
            self.shared.note_acknowledged(self.sequence);
        }
    }

    fn commit(&mut self, work: Vec<Work>) {
        let work = self.refuse_broken(work);
        let work = self.refuse_when_full(work);
        if work.is_empty() {
            return;
        }
        let (pieces, waits) = work.into_iter().map(Work::split).unzip();
        self.waits = waits;
        let result = self.write(pieces);
        let waits = std::mem::take(&mut self.waits);
        if result.is_err() {
            fail_writers(&waits);
        }
        answer(self.shared, waits, &result);
    }

    /// Goes on once the engine holds little enough in memory, or has been waited for long enough.
    fn bound_memory(&mut self) {
        if self.unlooked >= LOOK_BYTES
            && let Ok(engine) = &*self.shared.engine.read()
        {
            engine.bound_memory(std::mem::take(&mut self.unlooked));
        }
    }

    /// Answers the appends of prefix writers that have failed before.
    fn refuse_broken(&self, work: Vec<Work>) -> Vec<Work> {
        let broken =
            |work: &Work| matches!(work, Work::Append { writer, .. } if writer.is_broken());
        if !work.iter().any(broken) {
            return work;
        }
        let (broken, good): (Vec<_>, Vec<_>) = work.into_iter().partition(broken);
        for work in broken {
            if let Work::Append {
                writer,
                record,
                place,
                ..
            } = work
            {
                self.shared.appends.answer(place, Err(AppendError::Broken));
                self.shared.queue.give_back(record.len());
                writer.answered(1);
            }
        }
        good
    }

    /// With no more than the reserve left, answers the appends as full. What retention and groups
    /// write goes on: it is small, and what gives the disk room again.
    fn refuse_when_full(&mut self, work: Vec<Work>) -> Vec<Work> {
        let bytes = work.iter().map(Work::bytes).sum::<usize>() as u64;
        let refused = match self.shared.free_bytes() {
            Ok(free) if free >= self.shared.config.reserve_bytes.saturating_add(bytes) => {
                return work;
            }
            Ok(_too_little) => {
                if self.shared.dropped.swap(false, Ordering::Relaxed) {
                    // What was dropped goes from the disk at once when the engine is opened again.
                    self.state = State::Broken(Instant::now());
                }
                CommitError::Full
            }
            Err(error) => CommitError::Unavailable(Arc::new(error)),
        };
        let is_append = |work: &Work| matches!(work, Work::Append { .. });
        let (appends, rest): (Vec<_>, Vec<_>) = work.into_iter().partition(is_append);
        let waits: Vec<Waits> = appends.into_iter().map(|work| work.split().1).collect();
        fail_writers(&waits);
        answer(self.shared, waits, &Err(refused));
        rest
    }

    /// Every piece becomes durable, or none does that anybody is told of.
    fn write(&mut self, pieces: Vec<Piece>) -> Result<(), CommitError> {
        self.admit()?;
        let shared = self.shared;
        let engine = shared.engine.read();
        let engine = engine
            .as_ref()
            .map_err(|stopped| CommitError::unavailable(*stopped))?;
        let (trouble, error) = match self.stage_and_commit(engine, pieces) {
            Ok(tails) => {
                self.written(engine, tails);
                return Ok(());
            }
            Err(failed) => failed,
        };
        self.state = match trouble {
            DiskTrouble::Full | DiskTrouble::Background => State::Broken(Instant::now()),
            DiskTrouble::Failed => State::DiskFailed,
        };
        tracing::error!(error = %error, trouble = ?trouble, "commit failed");
        Err(CommitError::Unconfirmed(error))
    }

    /// A batch is durable: it may be read now.
    fn written(&mut self, engine: &Engine, tails: Vec<(Arc<Partition>, Tail)>) {
        self.sequence += 1;
        self.note_due
            .get_or_insert_with(|| Instant::now() + NOTE_PAUSE);
        for (partition, tail) in tails {
            let bytes = tail.total - partition.tail().total;
            self.unrotated += bytes;
            self.unlooked += bytes;
            partition.publish(tail);
        }
        if self.unrotated >= ROTATE_BYTES {
            self.unrotated = 0;
            engine.rotate();
        }
    }

    fn admit(&self) -> Result<(), CommitError> {
        match self.state {
            State::Open => Ok(()),
            State::Broken(_) => Err(CommitError::unavailable(Stopped::Reopening)),
            State::DiskFailed => Err(CommitError::unavailable(Stopped::DiskFailed)),
        }
    }

    fn stage_and_commit(
        &mut self,
        engine: &Engine,
        pieces: Vec<Piece>,
    ) -> Result<Vec<(Arc<Partition>, Tail)>, Failure> {
        let engine_failed = |error: fjall::Error| (DiskTrouble::of(&error), Arc::new(error) as _);
        let hook_failed = |error: io::Error| (DiskTrouble::of_io(&error), Arc::new(error) as _);
        let mut staged = Staged {
            batch: engine.batch(pieces.len()),
            tails: Vec::new(),
        };
        for (piece, wait) in pieces.into_iter().zip(&mut self.waits) {
            let done = staged.add(self.shared, engine, piece, wait);
            // Nothing was written: no descriptor for a new keyspace, say.
            done.map_err(|error| (DiskTrouble::Background, Arc::new(error) as _))?;
        }
        let sequence = (self.sequence + 1).to_be_bytes();
        engine.put_contents(&mut staged.batch, SEQUENCE_KEY, &sequence);
        let hook = self.shared.config.hook.as_deref();
        hook.map_or(Ok(()), |hook| hook.before_commit())
            .map_err(hook_failed)?;
        staged.batch.commit().map_err(engine_failed)?;
        hook.map_or(Ok(()), |hook| hook.after_commit())
            .map_err(hook_failed)?;
        Ok(staged.tails)
    }

    fn open_again_when_due(&mut self) {
        let State::Broken(at) = self.state else {
            return;
        };
        if Instant::now() < at {
            return;
        }
        match self.shared.open_again(self.sequence) {
            Ok(sequence) => {
                tracing::info!("log opened again");
                self.sequence = sequence;
                self.state = State::Open;
            }
            Err(error) => {
                tracing::warn!(error = %error, "log could not be opened again");
                self.state = State::Broken(Instant::now() + REOPEN_PAUSE);
            }
        }
    }
}

impl Staged {
    fn add(
        &mut self,
        shared: &Shared,
        engine: &Engine,
        piece: Piece,
        wait: &mut Waits,
    ) -> Result<(), fjall::Error> {
        let (to, record) = match piece {
            Piece::Append { to, record } => (to, record),
            Piece::Contents(entries) => {
                for (key, value) in entries {
                    engine.put_contents(&mut self.batch, &key, &value);
                }
                return Ok(());
            }
        };
        let tail = self.tail(&to);
        tail.newest = tail.newest.max(shared.config.clock.now());
        tail.total += record.len() as u64;
        let (offset, appended_at) = (tail.end, tail.newest);
        let stamp = Stamp {
            offset,
            appended_at,
            total: tail.total,
        };
        tail.end += 1;
        if let Waits::Append { appended, .. } = wait {
            *appended = Appended {
                offset,
                appended_at,
            };
        }
        let stored = record.stamp(stamp);
        engine.put_record(&mut self.batch, to.slot, &to.id, offset, stored)
    }

    /// The end of `partition` as far as this batch has come.
    fn tail(&mut self, partition: &Arc<Partition>) -> &mut Tail {
        // The last one first: a batch holds runs of records for one partition.
        let found = self
            .tails
            .iter()
            .rposition(|(known, _)| Arc::ptr_eq(known, partition));
        let index = found.unwrap_or_else(|| {
            self.tails.push((Arc::clone(partition), partition.tail()));
            self.tails.len() - 1
        });
        &mut self.tails[index].1
    }
}
