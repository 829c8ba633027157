//! Who waits for a batch, and how they are told what became of it.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use eventlog_port::{AppendError, Appended};

use crate::error::CommitError;
use crate::shared::Shared;
use crate::writer::WriterState;

/// Who is to be told what became of a piece of work.
pub(crate) enum Waits {
    Append {
        writer: Arc<WriterState>,
        place: usize,
        bytes: usize,
        /// What to say when it is durable; known once it has its place in a batch.
        appended: Appended,
    },
    Contents {
        place: usize,
    },
}

/// From here on those of them that are prefix writers append nothing.
pub(crate) fn fail_writers(waits: &[Waits]) {
    for wait in waits {
        if let Waits::Append { writer, .. } = wait {
            writer.failed();
        }
    }
}

/// Tells all of them, and gives back what they took of the queue's room.
pub(crate) fn answer(shared: &Shared, waits: Vec<Waits>, result: &Result<(), CommitError>) {
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
    // Woken before there is room again, they would only fall asleep once more, waiting for that.
    let settled = shared.appends.settle(appends);
    shared.queue.room.add_permits(room);
    for (writer, count) in writers {
        writer.answered(count);
    }
    settled.wake();
    if result.is_ok() {
        shared.syncs.fetch_add(1, Ordering::Relaxed);
    }
}
