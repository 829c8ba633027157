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
use crate::queue::Work;
use crate::shared::Shared;
use crate::topics::SEQUENCE_KEY;
use crate::writer::WriterState;

/// How long an engine that could not be opened again is left alone.
const REOPEN_PAUSE: Duration = Duration::from_millis(250);

/// Writes until the queue is closed and empty.
pub(crate) fn run(shared: &Shared, sequence: u64) {
    let mut committer = Committer {
        shared,
        sequence,
        state: State::Open,
    };
    let mut expected = 0;
    while let Some(work) = shared.queue.take(expected, committer.retry_at()) {
        expected = work.len();
        committer.commit(work);
    }
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
    fn retry_at(&self) -> Option<Instant> {
        match self.state {
            State::Broken(at) => Some(at),
            State::Open | State::DiskFailed => None,
        }
    }

    fn commit(&mut self, work: Vec<Work>) {
        self.open_again_when_due();
        let work = self.refuse_broken(work);
        if work.is_empty() {
            return;
        }
        let mut waits = Vec::with_capacity(work.len());
        let result = self.write(work, &mut waits);
        if result.is_err() {
            for wait in &waits {
                if let Waits::Append { writer, .. } = wait {
                    writer.failed();
                }
            }
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

    /// Everything in `work` becomes durable, or nothing does that anybody is told of.
    fn write(&mut self, work: Vec<Work>, waits: &mut Vec<Waits>) -> Result<(), CommitError> {
        let bytes = work.iter().map(Work::bytes).sum();
        let admitted = self.admit(bytes);
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
                self.shared.committed(self.sequence, &tails);
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

    fn admit(&self, bytes: usize) -> Result<(), CommitError> {
        match self.state {
            State::Open => {}
            State::Broken(_) => return Err(CommitError::unavailable(Stopped::Reopening)),
            State::DiskFailed => return Err(CommitError::unavailable(Stopped::DiskFailed)),
        }
        match self.shared.free_bytes() {
            Ok(free)
                if free
                    < self
                        .shared
                        .config
                        .reserve_bytes
                        .saturating_add(bytes as u64) =>
            {
                Err(CommitError::Full)
            }
            Ok(_) => Ok(()),
            Err(error) => Err(CommitError::Unavailable(Arc::new(error))),
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
                waits.extend(work.map(unwritten));
                return Err(engine_failed(error));
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
