//! Lists, a page at a time. A page's cursors name rows, not counts: they stay true while rows arrive.

use domain::time::Timestamp;
use schemas::ids::DeliveryId;
use schemas::origin::Acceptance;

/// In which order a list goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// Newest first.
    #[default]
    Descending,
    /// Oldest first.
    Ascending,
}

/// A place in a list: a row of it. Lists are in the order of acceptance time, then of acceptance,
/// then of delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cursor {
    /// The row's acceptance time.
    pub accepted_at: Timestamp,
    /// Its acceptance.
    pub acceptance: Acceptance,
    /// The delivery; `None` in a list of events.
    pub delivery: Option<DeliveryId>,
}

impl Cursor {
    /// The first place that a row accepted at `time` may have.
    #[must_use]
    pub const fn first_at(time: Timestamp) -> Self {
        Self {
            accepted_at: time,
            acceptance: Acceptance::inbox(0, 0),
            delivery: None,
        }
    }

    /// The place of the event that a delivery belongs to.
    #[must_use]
    pub const fn of_event(self) -> Self {
        Self {
            delivery: None,
            ..self
        }
    }
}

/// Which page is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageRequest {
    /// At most this many rows, 1 to 250.
    pub limit: usize,
    /// The order.
    pub order: Order,
    /// Rows behind this one, in that order; `None`: from the beginning.
    pub behind: Option<Cursor>,
    /// Rows in front of this one, the nearest of them, still in that order: the page before.
    pub before: Option<Cursor>,
}

/// A page of rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Page<R> {
    /// The rows, each with its place. May be fewer than asked for, even none, with more to come: a
    /// request reads a bounded number of rows.
    pub rows: Vec<(Cursor, R)>,
    /// Where the page ends, for the next one; `None`: there is nothing behind it now.
    pub next: Option<Cursor>,
    /// Where the page begins, for the one before; `None`: there is nothing in front of it now.
    pub previous: Option<Cursor>,
}
