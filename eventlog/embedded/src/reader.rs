//! Reading one partition.

use std::sync::Arc;

use async_trait::async_trait;
use eventlog_port::{Bounds, Offset, ReadError, ReadLimit, Reader, Record};
use tokio::sync::watch;

use crate::encoding::{Damage, HEAD, Stamp, decode, peek};
use crate::engine::Engine;
use crate::error::{Stopped, read_error};
use crate::partition::Partition;
use crate::shared::Shared;

pub(crate) struct EmbeddedReader {
    shared: Arc<Shared>,
    partition: Arc<Partition>,
    position: Offset,
    bounds: watch::Receiver<Bounds>,
}

impl EmbeddedReader {
    pub(crate) fn new(shared: Arc<Shared>, partition: Arc<Partition>, position: Offset) -> Self {
        let bounds = partition.watch();
        Self {
            shared,
            partition,
            position,
            bounds,
        }
    }
}

#[async_trait]
impl Reader for EmbeddedReader {
    async fn next(&mut self, limit: ReadLimit) -> Result<Vec<Record>, ReadError> {
        let position = self.position;
        let arrived = |bounds: &Bounds| bounds.end > position || bounds.start > position;
        if !arrived(&self.partition.bounds()) {
            // What it returns holds a lock on the bounds.
            drop(tokio::time::timeout(limit.wait, self.bounds.wait_for(arrived)).await);
        }
        let records = self
            .shared
            .with_engine(|engine| read(engine, &self.partition, position, limit))?;
        self.position = records.last().map_or(position, |last| last.offset + 1);
        Ok(records)
    }

    fn position(&self) -> Offset {
        self.position
    }
}

/// What `partition` holds from `from` on, up to `limit`. Damage ends what is returned, and is the
/// error once it comes first.
fn read(
    engine: &Engine,
    partition: &Partition,
    from: Offset,
    limit: ReadLimit,
) -> Result<Vec<Record>, ReadError> {
    let bounds = partition.bounds();
    bounds.check(&partition.id, from)?;
    let mut records = Vec::new();
    let mut bytes = 0;
    let mut stored = engine.range(partition.slot, from, bounds.end);
    for offset in from..bounds.end {
        if records.len() >= limit.records.max(1) || bytes >= limit.bytes.max(1) {
            break;
        }
        let found = match stored.next() {
            Some(Ok((found, stored))) if found == offset => {
                bytes += stored.len() - HEAD.min(stored.len());
                decode(offset, stored).map_err(|damage| corrupt(partition, offset, damage))
            }
            Some(Err(error)) => Err(read_error(error, &partition.id, offset)),
            Some(Ok(_)) | None => Err(corrupt(partition, offset, Damage::Missing)),
        };
        match found {
            Ok(record) => records.push(record),
            Err(error) if records.is_empty() => {
                // What retention has taken meanwhile is gone, not damaged.
                partition.bounds().check(&partition.id, from)?;
                return Err(error);
            }
            Err(_told_next_time) => break,
        }
    }
    Ok(records)
}

/// The record at `offset`.
pub(crate) fn read_at(
    engine: &Engine,
    partition: &Partition,
    offset: Offset,
) -> Result<Option<Record>, ReadError> {
    let bounds = partition.bounds();
    if offset >= bounds.end {
        return Ok(None);
    }
    bounds.check(&partition.id, offset)?;
    let stored = engine.get(partition.slot, offset);
    let stored = stored.map_err(|error| read_error(error, &partition.id, offset))?;
    let Some(stored) = stored else {
        // What retention has taken meanwhile is gone, not damaged.
        partition.bounds().check(&partition.id, offset)?;
        return Err(corrupt(partition, offset, Damage::Missing));
    };
    decode(offset, stored)
        .map(Some)
        .map_err(|damage| corrupt(partition, offset, damage))
}

/// The first offset in `[start, end)` whose stamp says so, or `end`. Stamps ascend, so the answer is
/// found by halving: some twenty point reads.
pub(crate) fn first_where(
    engine: &Engine,
    partition: &Partition,
    says_so: impl Fn(Stamp) -> bool,
) -> Result<Offset, ReadError> {
    let Bounds {
        start: mut low,
        end: mut high,
    } = partition.bounds();
    while low < high {
        let middle = low + (high - low) / 2;
        let stored = engine.get(partition.slot, middle);
        let stored = stored.map_err(|error| read_error(error, &partition.id, middle))?;
        if stored.is_none() && partition.bounds().start > middle {
            // Retention has taken it meanwhile.
            low = partition.bounds().start;
            continue;
        }
        let stamp = stored
            .ok_or(Damage::Missing)
            .and_then(|stored| peek(middle, &stored));
        if says_so(stamp.map_err(|damage| corrupt(partition, middle, damage))?) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    Ok(low)
}

fn corrupt(partition: &Partition, offset: Offset, damage: Damage) -> ReadError {
    ReadError::Corrupt {
        partition: partition.id.clone(),
        offset,
        source: Box::new(damage),
    }
}

pub(crate) fn unavailable(stopped: Stopped) -> ReadError {
    ReadError::Unavailable(Box::new(stopped))
}
