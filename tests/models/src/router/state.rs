//! Everything that survives a crash, and everything that doesn't.

use super::inbox::{Decided, Decision, EVENTS_PARTITIONS, Offset, Route};

/// What a router's group has stored for the inbox partition.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Commit {
    /// The inbox offset to go on from.
    pub(crate) offset: Offset,
    /// The place in `routed` to read from.
    pub(crate) routed: u8,
}

/// The whole of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct State {
    /// `routed`, complete.
    pub(crate) routed: Vec<Decided>,
    /// What the owner of each partition of `events` has taken. A record that it drops changes
    /// nothing, so the fold stands for the partition itself.
    pub(crate) taken: [Vec<Route>; EVENTS_PARTITIONS],
    /// The keyed store's rows, by the offset of the first that each stands for, ascending.
    pub(crate) rows: Vec<Offset>,
    /// The group's commit.
    pub(crate) commit: Commit,
    /// The two routers. Both are awake; whichever does not move for a while is the zombie.
    pub(crate) routers: [Router; 2],
    /// What writers that are gone had accepted, one entry a partition: a prefix of each may land
    /// yet, or none.
    pub(crate) strays: Vec<Stray>,
    /// Which of the scenario's sets of subscribed endpoints `control` holds.
    pub(crate) control: u8,
    /// The wall clock, in ticks.
    pub(crate) now: u8,
    /// How many restarts are left.
    pub(crate) restarts: u8,
}

/// A router's memory: gone with a crash.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Router {
    /// Everything below it has been decided, and its routes accepted.
    pub(crate) next: Offset,
    /// Everything below it has been decided, or its decision is on the way to `routed`.
    pub(crate) asked: Offset,
    /// A decision that it may act on without `routed`, and hasn't yet.
    pub(crate) held: Option<Decided>,
    /// Where it began to read `routed`.
    pub(crate) read_from: u8,
    /// Accepted for `routed`, not durable yet.
    pub(crate) deciding: Vec<Decided>,
    /// Accepted for each partition of `events`, not durable yet.
    pub(crate) routing: [Vec<Route>; EVENTS_PARTITIONS],
    /// Rows still to be written. Empty but where a variant leaves R7 out.
    pub(crate) unkept: Vec<Offset>,
}

/// Accepted by a writer that is gone, for one partition.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Stray {
    /// Of `routed`.
    Decided(Vec<Decided>),
    /// Of this partition of `events`.
    Route(u8, Vec<Route>),
}

impl Stray {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Decided(queue) => queue.len(),
            Self::Route(_, queue) => queue.len(),
        }
    }
}

impl Router {
    /// As it starts: from a commit, with a new writer.
    pub(super) fn at(commit: Commit) -> Self {
        Self {
            next: commit.offset,
            asked: commit.offset,
            read_from: commit.routed,
            ..Self::default()
        }
    }

    /// The offset below which all of its routes are durable.
    pub(super) fn durable(&self) -> Offset {
        let heads = self.routing.iter().filter_map(|queue| queue.first());
        heads.map(|route| route.offset).fold(self.next, Offset::min)
    }

    /// What it had accepted and not seen durable, partition by partition.
    pub(super) fn into_strays(self) -> Vec<Stray> {
        let routes = (0..).zip(self.routing);
        let mut strays: Vec<_> = routes.map(|(p, queue)| Stray::Route(p, queue)).collect();
        strays.push(Stray::Decided(self.deciding));
        strays.retain(|stray| stray.len() > 0);
        strays
    }
}

impl State {
    /// The first decision about `offset` in `routed`, from place `from` on.
    pub(super) fn decided(&self, offset: Offset, from: u8) -> Option<&Decision> {
        self.read_back(from)
            .find(|found| found.offset == offset)
            .map(|found| &found.decision)
    }

    /// `routed` from place `from` on.
    pub(super) fn read_back(&self, from: u8) -> impl DoubleEndedIterator<Item = &Decided> {
        self.routed.iter().skip(usize::from(from))
    }
}
