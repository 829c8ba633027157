//! The worlds that are searched, each small enough to be searched whole.

use super::world::{Record, World};

const A: Record = Record::A;
const B: Record = Record::B;
const K: Record = Record::AKeyK;
const M: Record = Record::AKeyM;

/// Endpoint A has more than its window takes, endpoint B has not; A's last record is cancelled.
pub(super) const LAG: World = World {
    records: &[A, A, B, A],
    cancel: Some(3),
    window: 2,
    notes: 1,
    far_behind: 2,
    failures: 0,
    interruptions: 1,
    checkpoints: 2,
};

/// The same without the cancel, and with one interruption more.
pub(super) const LAG_TWICE: World = World {
    cancel: None,
    interruptions: 2,
    ..LAG
};

/// Both endpoints lag.
pub(super) const BOTH_LAG: World = World {
    records: &[A, A, B, A, B],
    cancel: None,
    window: 1,
    checkpoints: 1,
    ..LAG
};

/// A key of a strict endpoint fails, while the other goes on.
pub(super) const KEYS: World = World {
    records: &[K, M, K, M],
    cancel: None,
    failures: 1,
    checkpoints: 1,
    ..LAG
};

/// The same with one record less and one interruption more.
pub(super) const KEYS_TWICE: World = World {
    records: &[K, M, K],
    interruptions: 2,
    checkpoints: 2,
    ..KEYS
};

/// The same with the smallest window, so that both lag.
pub(super) const KEYS_LAG: World = World { window: 1, ..KEYS };

/// The head that fails is cancelled.
pub(super) const KEYS_CANCEL: World = World {
    records: &[K, M, K],
    cancel: Some(0),
    ..KEYS
};
