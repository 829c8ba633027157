//! What is given: the records of one inbox partition, and what a router may decide about them.

/// Where a record lies in its inbox partition.
pub(crate) type Offset = u8;

/// An endpoint, by the place of its id in the order of ids.
pub(crate) type Endpoint = u8;

/// How many partitions `events` has.
pub(crate) const EVENTS_PARTITIONS: usize = 2;

/// The partition of `events` that an endpoint lives in: two endpoints to each.
pub(crate) fn partition_of(endpoint: Endpoint) -> usize {
    usize::from(endpoint / 2)
}

/// A record of `inbox`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Record {
    /// Its endpoints, ascending, where the record says them (an HTTP event); `None` where the
    /// router has to ask `control` (a Kafka producer's).
    pub(crate) routes: Option<&'static [Endpoint]>,
    /// Its idempotency key, if it carries one.
    pub(crate) key: Option<Keyed>,
}

/// What a record with an idempotency key is judged by. All keyed records of a scenario share one
/// key: records with different keys have nothing to do with one another.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Keyed {
    /// Stands for the payload's hash.
    pub(crate) payload: u8,
    /// When the log appended the record, in ticks.
    pub(crate) appended_at: u8,
    /// The window that the record itself states, in ticks. Only read where the record also says
    /// its routes: a Kafka producer states none.
    pub(crate) window: u8,
}

/// What is decided about a record, once and for ever.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Decision {
    /// The first of its key, or without a key: it goes to these, ascending; to none is `no_route`.
    First(Vec<Endpoint>),
    /// The same payload under the same key as the first at this offset.
    Duplicate(Offset),
    /// Another payload under the same key as the first at this offset.
    Conflict(Offset),
}

/// A record of `routed`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Decided {
    /// The inbox offset that it is about.
    pub(crate) offset: Offset,
    /// What its writer decided; it holds if it is the first in `routed` about that offset.
    pub(crate) decision: Decision,
}

/// A record of `events` that a router wrote: nothing of it matters here but its origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Route {
    /// The inbox offset that it comes from.
    pub(crate) offset: Offset,
    /// The endpoint that it goes to.
    pub(crate) endpoint: Endpoint,
}

/// What is explored: an inbox, and how much may happen to its routers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scenario {
    /// The inbox partition, complete from the beginning; a router may rest anywhere in it.
    pub(crate) inbox: &'static [Record],
    /// How often a router, either of the two, crashes or loses its writer.
    pub(crate) restarts: u8,
    /// The subscribed endpoints, first to last as `control` changes.
    pub(crate) control: &'static [&'static [Endpoint]],
    /// Each router's setting of the window, in ticks.
    pub(crate) windows: [u8; 2],
    /// How far the wall clock may go, in ticks.
    pub(crate) ticks: u8,
}

impl Scenario {
    /// The record at `offset`.
    pub(crate) fn record(&self, offset: Offset) -> &'static Record {
        &self.inbox[usize::from(offset)]
    }

    /// The offset behind the last record.
    pub(crate) fn end(&self) -> Offset {
        Offset::try_from(self.inbox.len()).expect("an inbox of a few records")
    }
}
