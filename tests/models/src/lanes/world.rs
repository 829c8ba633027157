//! What lies in the log, and the bounds of a search.

use std::fmt;

/// The most records of `events` that a search can have.
pub(super) const RECORDS: usize = 6;

/// The most lanes: those of two endpoints, and one key of the first that is split off.
pub(super) const LANES: usize = 3;

/// A set of offsets in `events`.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(super) struct Offsets(u8);

impl Offsets {
    pub(super) fn contains(self, offset: u8) -> bool {
        self.0 & (1 << offset) != 0
    }

    pub(super) fn insert(&mut self, offset: u8) {
        self.0 |= 1 << offset;
    }

    pub(super) fn remove(&mut self, offset: u8) {
        self.0 &= !(1 << offset);
    }

    pub(super) fn iter(self) -> impl DoubleEndedIterator<Item = u8> {
        (0..RECORDS as u8).filter(move |offset| self.contains(*offset))
    }

    pub(super) fn retain(&mut self, keep: impl Fn(u8) -> bool) {
        *self = self.iter().filter(|offset| keep(*offset)).collect();
    }
}

impl FromIterator<u8> for Offsets {
    fn from_iter<I: IntoIterator<Item = u8>>(offsets: I) -> Self {
        let mut set = Self::default();
        offsets.into_iter().for_each(|offset| set.insert(offset));
        set
    }
}

impl fmt::Debug for Offsets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

/// A lane: an endpoint's own, or that of a blocked key of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum LaneId {
    /// The first endpoint's.
    A,
    /// The second endpoint's.
    B,
    /// Key `k` of the first endpoint, while it is split off.
    KeyOfA,
}

impl LaneId {
    pub(super) const ALL: [Self; LANES] = [Self::A, Self::B, Self::KeyOfA];
}

/// An accepted event, as `events` holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Record {
    /// For endpoint A, without an ordering key.
    A,
    /// For endpoint B, without an ordering key.
    B,
    /// For endpoint A, strict, with the key that fails.
    AKeyK,
    /// For endpoint A, strict, with a key that never fails.
    AKeyM,
}

impl Record {
    /// The lane of its endpoint.
    pub(super) fn lane(self) -> LaneId {
        match self {
            Self::A | Self::AKeyK | Self::AKeyM => LaneId::A,
            Self::B => LaneId::B,
        }
    }

    /// Whether its key holds back `later`, as long as it has not ended.
    pub(super) fn orders(self, later: Self) -> bool {
        match self {
            Self::A | Self::B => false,
            Self::AKeyK | Self::AKeyM => self == later,
        }
    }
}

/// What is searched: the log at the start, and how much may happen.
#[derive(Clone, Copy, Debug)]
pub(super) struct World {
    /// `events`, complete from the start: that the cursor has not come to a record is the same
    /// as that it is not there yet.
    pub(super) records: &'static [Record],
    /// The record that the one request in `requests` asks to cancel.
    pub(super) cancel: Option<u8>,
    /// How many of its records a lane may hold or know as done above its resume offset.
    pub(super) window: usize,
    /// How many notes the index has room for.
    pub(super) notes: usize,
    /// A lane whose oldest undone record is this far behind the cursor has a record of its own.
    pub(super) far_behind: u8,
    /// How often the head of key `k` may fail.
    pub(super) failures: u8,
    /// How often the owner may crash, or an append may fail or land unknown.
    pub(super) interruptions: u8,
    /// How many checkpoints may be begun.
    pub(super) checkpoints: u8,
}

impl World {
    pub(super) fn end(&self) -> u8 {
        self.records.len() as u8
    }

    pub(super) fn record(&self, offset: u8) -> Record {
        self.records[usize::from(offset)]
    }

    pub(super) fn offsets(&self) -> std::ops::Range<u8> {
        0..self.end()
    }
}
