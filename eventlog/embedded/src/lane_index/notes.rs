//! The notes of one owner.

use std::collections::BTreeMap;

use bytes::Bytes;
use eventlog_port::lane_index::{IndexError, LaneNumber, Note};
use eventlog_port::{NewRecord, Offset, Record};

use super::IndexConfig;
use super::store::{Key, Store};
use crate::encoding::{Stamp, Unstamped, decode};

/// How many notes are forgotten in one batch.
const FORGET: usize = 4_096;

/// What one owner has noted.
pub(super) struct Notes {
    store: Store,
    lanes: BTreeMap<LaneNumber, Lane>,
}

/// What is known of a lane's notes without looking.
#[derive(Clone, Copy, Debug, Default)]
struct Lane {
    /// The stored bytes of all.
    bytes: u64,
    /// None is below this.
    lowest: Offset,
    /// None is at this or above.
    end: Offset,
}

impl Notes {
    /// None yet, to be kept in `store`.
    pub(super) const fn new(store: Store) -> Self {
        Self {
            store,
            lanes: BTreeMap::new(),
        }
    }

    pub(super) fn add(
        &mut self,
        notes: Vec<(LaneNumber, Note)>,
        config: &IndexConfig,
    ) -> Result<(), IndexError> {
        let notes: BTreeMap<Key, Bytes> = notes
            .into_iter()
            .map(|(lane, note)| ((lane, note.offset), stored(note)))
            .collect();
        if notes.is_empty() {
            return Ok(());
        }
        let after = self.after(&notes)?;
        let is_full = after.values().any(|lane| lane.bytes > config.lane_bytes);
        if is_full || self.store.free_bytes()? < config.reserve_bytes {
            return Err(IndexError::Full);
        }
        self.store.write(notes)?;
        self.lanes.extend(after);
        Ok(())
    }

    /// The lanes of `notes` as they are with them. Only a note below the end of its lane can be there
    /// already; the cursor's never are.
    fn after(
        &self,
        notes: &BTreeMap<Key, Bytes>,
    ) -> Result<BTreeMap<LaneNumber, Lane>, IndexError> {
        let mut after = BTreeMap::new();
        for (&key, value) in notes {
            let (number, offset) = key;
            let held = self.lanes.get(&number);
            let lane = after.entry(number).or_insert_with(|| {
                held.copied().unwrap_or(Lane {
                    lowest: offset,
                    end: offset,
                    ..Lane::default()
                })
            });
            if held.is_some_and(|held| (held.lowest..held.end).contains(&offset)) {
                lane.bytes -= self
                    .store
                    .size(key)?
                    .map_or(0, |length| size(length as usize));
            }
            lane.bytes += size(value.len());
            lane.lowest = lane.lowest.min(offset);
            lane.end = lane.end.max(offset.saturating_add(1));
        }
        Ok(after)
    }

    pub(super) fn read(
        &self,
        number: LaneNumber,
        from: Offset,
        limit: usize,
    ) -> Result<Vec<Note>, IndexError> {
        let Some(lane) = self.lanes.get(&number) else {
            return Ok(Vec::new());
        };
        let range = (number, from.max(lane.lowest))..(number, lane.end.max(from));
        self.store
            .range(range)
            .take(limit)
            .map(|entry| {
                let ((_, offset), value) = entry?;
                note(offset, value)
            })
            .collect()
    }

    pub(super) fn forget(&mut self, number: LaneNumber, below: Offset) -> Result<(), IndexError> {
        let Some(mut lane) = self.lanes.get(&number).copied() else {
            return Ok(());
        };
        let end = below.min(lane.end);
        while lane.lowest < end {
            // What is deleted lies in the way of who looks from the front, so each batch begins where
            // the one before ended.
            let entries = self.store.range((number, lane.lowest)..(number, end));
            let batch: Vec<(Key, u64)> = entries
                .take(FORGET)
                .map(|entry| entry.map(|(key, value)| (key, size(value.len()))))
                .collect::<Result<_, _>>()?;
            let reached = match batch.last() {
                Some(&((_, last), _)) if batch.len() == FORGET => last + 1,
                Some(_) | None => end,
            };
            lane.bytes -= batch.iter().map(|(_, size)| size).sum::<u64>();
            self.store.remove(batch.iter().map(|&(key, _)| key))?;
            lane.lowest = reached;
        }
        if lane.lowest >= lane.end {
            self.lanes.remove(&number);
        } else {
            self.lanes.insert(number, lane);
        }
        Ok(())
    }
}

/// What a note takes: its key, and the stored `length` of its record.
const fn size(length: usize) -> u64 {
    (size_of::<Key>() + length) as u64
}

/// A note's record as the log stores it, nothing where it holds none.
fn stored(note: Note) -> Bytes {
    let Some(record) = note.record else {
        return Bytes::new();
    };
    let Record {
        offset: _,
        appended_at,
        key,
        headers,
        value,
    } = record;
    let stamp = Stamp {
        offset: note.offset,
        appended_at,
        total: 0,
    };
    let record = NewRecord {
        key,
        headers,
        value,
    };
    Unstamped::new(&record).stamp(stamp)
}

fn note(offset: Offset, value: Bytes) -> Result<Note, IndexError> {
    let record = if value.is_empty() {
        None
    } else {
        let record = decode(offset, value);
        Some(record.map_err(|damage| IndexError::Failed(damage.into()))?)
    };
    Ok(Note { offset, record })
}
