//! The inboxes that are explored.
//!
//! Every window and time is in ticks, and every keyed record of a scenario has the same key.

use super::inbox::{Endpoint, Keyed, Record, Scenario};

const fn said(routes: &'static [Endpoint]) -> Record {
    Record {
        routes: Some(routes),
        key: None,
    }
}

const ASKED: Record = Record {
    routes: None,
    key: None,
};

const fn keyed(routes: Option<&'static [Endpoint]>, payload: u8, at: u8, window: u8) -> Record {
    Record {
        routes,
        key: Some(Keyed {
            payload,
            appended_at: at,
            window,
        }),
    }
}

/// HTTP events, whose records say their routes: several to one partition of `events`, and across.
pub(super) const ROUTES: Scenario = Scenario {
    inbox: &[
        said(&[0, 1, 2]),
        said(&[1, 2]),
        said(&[0, 3]),
        said(&[0, 2]),
    ],
    restarts: 4,
    control: &[&[]],
    windows: [0, 0],
    ticks: 0,
};

/// The least of them, for a variant whose every append may fail for ever.
pub(super) const TWO_ROUTES: Scenario = Scenario {
    inbox: &[said(&[0, 1, 2]), said(&[1, 2])],
    restarts: 1,
    ..ROUTES
};

/// Kafka records around an HTTP event, while `control` changes from two endpoints in two partitions
/// to another one.
pub(super) const DECISIONS: Scenario = Scenario {
    inbox: &[ASKED, said(&[1, 2]), ASKED],
    restarts: 3,
    control: &[&[0, 2], &[1]],
    windows: [0, 0],
    ticks: 0,
};

/// HTTP events with a key: a first, the same again, one past its window, another payload.
pub(super) const KEYS: Scenario = Scenario {
    inbox: &[
        keyed(Some(&[0, 2]), 0, 0, 2),
        keyed(Some(&[0]), 0, 1, 2),
        keyed(Some(&[0]), 0, 2, 2),
        keyed(Some(&[1]), 1, 3, 2),
    ],
    restarts: 3,
    control: &[&[]],
    windows: [1, 3],
    ticks: 0,
};

/// The same under a wall clock: only a variant looks at it.
pub(super) const AGING_KEYS: Scenario = Scenario {
    ticks: 4,
    restarts: 1,
    ..KEYS
};

/// Kafka records with a key, before routers that are set to different windows.
pub(super) const ASKED_KEYS: Scenario = Scenario {
    inbox: &[
        keyed(None, 0, 0, 0),
        keyed(None, 0, 1, 0),
        keyed(None, 0, 1, 0),
    ],
    restarts: 2,
    control: &[&[0, 2], &[1]],
    windows: [1, 2],
    ticks: 0,
};

/// Both doors under one key, and a Kafka record without one between them.
pub(super) const MIXED: Scenario = Scenario {
    inbox: &[
        keyed(None, 0, 0, 0),
        ASKED,
        keyed(Some(&[1, 2]), 0, 1, 2),
        keyed(None, 0, 2, 0),
    ],
    restarts: 1,
    control: &[&[0, 2], &[1]],
    windows: [2, 3],
    ticks: 0,
};
