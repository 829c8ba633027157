//! What routers have routed: which records of `events` are copies of ones that were taken (R2, R3,
//! R9).

use std::collections::{BTreeMap, VecDeque};

use eventlog_port::Offset;
use schemas::accepted::RoutedFrom;
use schemas::ids::EndpointId;
use schemas::progress::RouterOrigin;

/// The highest (offset, endpoint) per partition of `inbox`.
pub(crate) type Highest = BTreeMap<u32, (Offset, EndpointId)>;

/// How often what is seen is kept for readers that go over the log again.
const SNAPSHOT_EVERY: Offset = 10_000;

/// The origins as of the cursor, as of the checkpoint's offset below it, and at places further back.
#[derive(Debug, Default)]
pub(crate) struct Origins {
    at_cursor: Highest,
    at_below: Highest,
    /// What the cursor has folded in above the checkpoint's offset.
    since: VecDeque<(Offset, RouterOrigin)>,
    snapshots: BTreeMap<Offset, Highest>,
}

/// Takes a record's origin into `highest`. False when it is not above: the record is a copy.
pub(crate) fn fold(highest: &mut Highest, from: RoutedFrom, endpoint: EndpointId) -> bool {
    let origin = (from.offset, endpoint);
    let known = highest.get(&from.partition);
    let is_new = known.is_none_or(|known| origin > *known);
    if is_new {
        highest.insert(from.partition, origin);
    }
    is_new
}

impl Origins {
    /// As of `below` of `events`, with what notes say of places before it.
    pub(crate) fn new(below: Offset, at_below: Highest, notes: BTreeMap<Offset, Highest>) -> Self {
        let mut snapshots = notes;
        snapshots.insert(below, at_below.clone());
        Self {
            at_cursor: at_below.clone(),
            at_below,
            since: VecDeque::new(),
            snapshots,
        }
    }

    /// The cursor passes the record at `offset`. False: it is a copy, and is dropped.
    pub(crate) fn pass(&mut self, offset: Offset, from: RoutedFrom, endpoint: EndpointId) -> bool {
        if !fold(&mut self.at_cursor, from, endpoint) {
            return false;
        }
        let origin = RouterOrigin {
            partition: from.partition,
            offset: from.offset,
            endpoint,
        };
        self.since.push_back((offset, origin));
        true
    }

    /// The cursor is at `cursor`: whether that is a place to keep.
    pub(crate) fn keep(&mut self, cursor: Offset) {
        if cursor.is_multiple_of(SNAPSHOT_EVERY) {
            self.snapshots.insert(cursor, self.at_cursor.clone());
        }
    }

    /// Who went over the log again knows what was seen below `offset`.
    pub(crate) fn keep_at(&mut self, offset: Offset, seen: &Highest) {
        self.snapshots.insert(offset, seen.clone());
    }

    /// Nobody goes back below `needed` any more.
    pub(crate) fn forget(&mut self, needed: Offset) {
        let last = self.snapshots.range(..=needed).next_back();
        if let Some(last) = last.map(|(offset, _)| *offset) {
            self.snapshots = self.snapshots.split_off(&last);
        }
    }

    /// The last kept place at or below `from`, and what was seen below it.
    pub(crate) fn before(&self, from: Offset) -> Option<(Offset, Highest)> {
        let found = self.snapshots.range(..=from).next_back();
        found.map(|(offset, highest)| (*offset, highest.clone()))
    }

    /// As of `below`, which never goes back.
    pub(crate) fn as_of(&mut self, below: Offset) -> Vec<RouterOrigin> {
        while self
            .since
            .front()
            .is_some_and(|(offset, _)| *offset < below)
        {
            if let Some((_, origin)) = self.since.pop_front() {
                self.at_below
                    .insert(origin.partition, (origin.offset, origin.endpoint));
            }
        }
        listed(&self.at_below)
    }

    pub(crate) fn at_cursor(&self) -> Vec<RouterOrigin> {
        listed(&self.at_cursor)
    }
}

fn listed(highest: &Highest) -> Vec<RouterOrigin> {
    let origin = |(partition, (offset, endpoint)): (&u32, &(Offset, EndpointId))| RouterOrigin {
        partition: *partition,
        offset: *offset,
        endpoint: *endpoint,
    };
    highest.iter().map(origin).collect()
}

/// What a note or a checkpoint lists.
pub(crate) fn highest(listed: &[RouterOrigin]) -> Highest {
    let entry = |origin: &RouterOrigin| (origin.partition, (origin.offset, origin.endpoint));
    listed.iter().map(entry).collect()
}

#[cfg(test)]
mod tests {
    use domain::time::Timestamp;

    use super::*;

    fn from(partition: u32, offset: Offset) -> RoutedFrom {
        RoutedFrom {
            partition,
            offset,
            accepted_at: Timestamp::default(),
        }
    }

    fn endpoint(n: u128) -> EndpointId {
        EndpointId::new(Timestamp::default(), n)
    }

    #[test]
    fn a_copy_is_what_is_not_above() {
        let mut origins = Origins::default();
        assert!(origins.pass(0, from(0, 5), endpoint(1)));
        assert!(origins.pass(1, from(0, 5), endpoint(2)));
        assert!(!origins.pass(2, from(0, 5), endpoint(1)));
        assert!(!origins.pass(3, from(0, 4), endpoint(9)));
        assert!(origins.pass(4, from(1, 0), endpoint(1)));
    }

    #[test]
    fn a_checkpoint_has_them_as_of_its_offset_and_a_scan_as_of_its_start() {
        let mut origins = Origins::default();
        origins.pass(9_998, from(0, 1), endpoint(1));
        origins.pass(9_999, from(0, 2), endpoint(1));
        origins.keep(10_000);
        origins.pass(10_000, from(0, 3), endpoint(1));
        assert_eq!(origins.as_of(9_999)[0].offset, 1);
        assert_eq!(origins.as_of(10_000)[0].offset, 2);
        assert_eq!(origins.at_cursor()[0].offset, 3);
        let (at, seen) = origins.before(10_500).unwrap();
        assert_eq!((at, seen[&0].0), (10_000, 2));
        assert!(origins.before(9_999).is_none());
        origins.forget(20_000);
        assert!(origins.before(10_000).is_some());
    }
}
