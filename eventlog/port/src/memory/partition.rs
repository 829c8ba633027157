//! The records of one partition.

use std::collections::VecDeque;
use std::sync::Arc;

use domain::time::Timestamp;

use crate::reader::Bounds;
use crate::record::{NewRecord, Offset, Record};
use crate::topic::TopicSpec;
use crate::watched::Watched;
use crate::writer::Appended;

pub(super) struct Partition {
    records: VecDeque<Record>,
    bytes: u64,
    newest: Timestamp,
    bounds: Arc<Watched<Bounds>>,
}

impl Partition {
    pub(super) fn new() -> Self {
        Self {
            records: VecDeque::new(),
            bytes: 0,
            newest: Timestamp::default(),
            bounds: Arc::new(Watched::new(Bounds { start: 0, end: 0 })),
        }
    }

    pub(super) fn bounds(&self) -> Bounds {
        self.bounds.get()
    }

    pub(super) fn watch(&self) -> Arc<Watched<Bounds>> {
        Arc::clone(&self.bounds)
    }

    pub(super) fn append(&mut self, record: NewRecord, now: Timestamp) -> Appended {
        let bounds = self.bounds();
        let offset = bounds.end;
        self.newest = self.newest.max(now);
        self.bytes += record.size() as u64;
        let NewRecord {
            key,
            headers,
            value,
        } = record;
        self.records.push_back(Record {
            offset,
            appended_at: self.newest,
            key,
            headers,
            value,
        });
        self.bounds.set(Bounds {
            end: offset + 1,
            ..bounds
        });
        Appended {
            offset,
            appended_at: self.newest,
        }
    }

    pub(super) fn read(&self, from: Offset, records: usize, bytes: usize) -> Vec<Record> {
        let skip = usize::try_from(from.saturating_sub(self.bounds().start)).unwrap_or(usize::MAX);
        let mut taken = 0;
        let fits = |record: &&Record| {
            let before = taken;
            taken += record.size();
            before < bytes
        };
        self.records
            .iter()
            .skip(skip)
            .take(records)
            .take_while(fits)
            .cloned()
            .collect()
    }

    pub(super) fn offset_at(&self, time: Timestamp) -> Offset {
        let older = self
            .records
            .partition_point(|record| record.appended_at < time);
        self.records
            .get(older)
            .map_or(self.bounds().end, |record| record.offset)
    }

    /// Drops what `spec` no longer asks to keep.
    pub(super) fn retain(&mut self, spec: &TopicSpec, now: Timestamp) {
        let horizon = spec
            .retention
            .map(|retention| now.saturating_sub(retention));
        let too_old = |record: &Record| horizon.is_some_and(|horizon| record.appended_at < horizon);
        let bounds = self.bounds();
        let mut start = bounds.start;
        while let Some(oldest) = self.records.front() {
            let too_many = spec.retention_bytes.is_some_and(|most| self.bytes > most);
            if !too_old(oldest) && !too_many {
                break;
            }
            self.bytes -= oldest.size() as u64;
            start = oldest.offset + 1;
            self.records.pop_front();
        }
        if start != bounds.start {
            self.bounds.set(Bounds { start, ..bounds });
        }
    }
}
