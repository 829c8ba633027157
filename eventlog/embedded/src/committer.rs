//! The one thread that writes.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use eventlog_port::{AppendError, Appended};
use tokio::time::Instant;

use crate::encoding::Stamp;
use crate::engine::{Batch, Engine};
use crate::error::{CommitError, DiskTrouble, Stopped};
use crate::partition::{Partition, Tail};
use crate::queue::{Crowd, Work};
use crate::shared::Shared;
use crate::topics::SEQUENCE_KEY;
use crate::writer::WriterState;

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

/// Writes until the queue is closed and empty.
pub(crate) fn run(shared: &Shared, sequence: u64) {
    let mut committer = Committer {
        shared,
        sequence,
        state: State::Open,
        note_due: None,
        unrotated: 0,
    };
    let mut crowd = Crowd::default();
    while let Some(work) = shared.queue.take(crowd, committer.wake_at()) {
        committer.open_again_when_due();
        if !work.is_empty() {
            let (size, begun) = (work.len(), Instant::now());
            committer.commit(work);
            crowd = Crowd {
                size,
                patience: begun.elapsed() / PATIENCE,
            };
        }
        committer.note_when_due();
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
}

/// Who is to be told what became of the batch.
enum Waits {
    Append {
        writer: Arc<WriterState>,
        place: usize,
        bytes: usize,
        appended: Appended,
    },
    Contents {
        place: usize,
    },
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
        let mut waits = Vec::with_capacity(work.len());
        let result = self.write(work, &mut waits);
        if result.is_err() {
            fail_writers(&waits);
        }
        answer(self.shared, waits, &result);
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
        let waits: Vec<Waits> = appends.into_iter().map(unwritten).collect();
        fail_writers(&waits);
        answer(self.shared, waits, &Err(refused));
        rest
    }

    /// Everything in `work` becomes durable, or nothing does that anybody is told of.
    fn write(&mut self, work: Vec<Work>, waits: &mut Vec<Waits>) -> Result<(), CommitError> {
        let admitted = self.admit();
        let engine = self.shared.engine.read();
        let engine = match (&admitted, &*engine) {
            (Ok(()), Ok(engine)) => engine,
            (Ok(()), Err(stopped)) => {
                waits.extend(work.into_iter().map(unwritten));
                return Err(CommitError::unavailable(*stopped));
            }
            (Err(_), _) => {
                waits.extend(work.into_iter().map(unwritten));
                return admitted;
            }
        };
        let (trouble, error) = match self.stage_and_commit(engine, work, waits) {
            Ok(tails) => {
                self.sequence += 1;
                self.note_due
                    .get_or_insert_with(|| Instant::now() + NOTE_PAUSE);
                for (partition, tail) in tails {
                    self.unrotated += tail.total - partition.tail().total;
                    partition.publish(tail);
                }
                if self.unrotated >= ROTATE_BYTES {
                    self.unrotated = 0;
                    engine.rotate();
                }
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

    fn admit(&self) -> Result<(), CommitError> {
        match self.state {
            State::Open => Ok(()),
            State::Broken(_) => Err(CommitError::unavailable(Stopped::Reopening)),
            State::DiskFailed => Err(CommitError::unavailable(Stopped::DiskFailed)),
        }
    }

    fn stage_and_commit(
        &self,
        engine: &Engine,
        work: Vec<Work>,
        waits: &mut Vec<Waits>,
    ) -> Result<Vec<(Arc<Partition>, Tail)>, Failure> {
        let engine_failed = |error: fjall::Error| (DiskTrouble::of(&error), Arc::new(error) as _);
        let hook_failed = |error: io::Error| (DiskTrouble::of_io(&error), Arc::new(error) as _);
        let mut staged = Staged {
            batch: engine.batch(work.len()),
            tails: Vec::new(),
        };
        let mut work = work.into_iter();
        for piece in work.by_ref() {
            if let Err(error) = self.stage(engine, piece, &mut staged, waits) {
                // Nothing was written: no descriptor for a new keyspace, say.
                waits.extend(work.map(unwritten));
                return Err((DiskTrouble::Background, Arc::new(error)));
            }
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

    fn stage(
        &self,
        engine: &Engine,
        work: Work,
        staged: &mut Staged,
        waits: &mut Vec<Waits>,
    ) -> Result<(), fjall::Error> {
        match work {
            Work::Append {
                to,
                record,
                writer,
                place,
            } => {
                let tail = staged.tail(&to);
                tail.newest = tail.newest.max(self.shared.config.clock.now());
                tail.total += record.len() as u64;
                let (offset, appended_at) = (tail.end, tail.newest);
                let stamp = Stamp {
                    offset,
                    appended_at,
                    total: tail.total,
                };
                tail.end += 1;
                let bytes = record.len();
                let appended = Appended {
                    offset,
                    appended_at,
                };
                waits.push(Waits::Append {
                    writer,
                    place,
                    bytes,
                    appended,
                });
                let stored = record.stamp(stamp);
                engine.put_record(&mut staged.batch, to.slot, &to.id, offset, stored)
            }
            Work::Contents { entries, place } => {
                waits.push(Waits::Contents { place });
                for (key, value) in entries {
                    engine.put_contents(&mut staged.batch, &key, &value);
                }
                Ok(())
            }
        }
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

/// From here on those of them that are prefix writers append nothing.
fn fail_writers(waits: &[Waits]) {
    for wait in waits {
        if let Waits::Append { writer, .. } = wait {
            writer.failed();
        }
    }
}

/// Who waits for a piece of work that was not tried.
fn unwritten(work: Work) -> Waits {
    match work {
        Work::Append {
            record,
            writer,
            place,
            ..
        } => {
            let appended = Appended {
                offset: 0,
                appended_at: Default::default(),
            };
            Waits::Append {
                writer,
                place,
                bytes: record.len(),
                appended,
            }
        }
        Work::Contents { place, .. } => Waits::Contents { place },
    }
}

fn answer(shared: &Shared, waits: Vec<Waits>, result: &Result<(), CommitError>) {
    let mut appends = Vec::with_capacity(waits.len());
    let mut writers: Vec<(Arc<WriterState>, usize)> = Vec::new();
    let mut room = 0;
    for wait in waits {
        match wait {
            Waits::Append {
                writer,
                place,
                bytes,
                appended,
            } => {
                let answer = result.clone().map(|()| appended).map_err(AppendError::from);
                appends.push((place, answer));
                room += shared.queue.units_of(bytes) as usize;
                match writers.last_mut() {
                    Some((last, count)) if Arc::ptr_eq(last, &writer) => *count += 1,
                    _ => writers.push((writer, 1)),
                }
            }
            Waits::Contents { place } => shared.contents.answer(place, result.clone()),
        }
    }
    shared.appends.answer_all(appends);
    shared.queue.room.add_permits(room);
    for (writer, count) in writers {
        writer.answered(count);
    }
    if result.is_ok() {
        shared.syncs.fetch_add(1, Ordering::Relaxed);
    }
}
