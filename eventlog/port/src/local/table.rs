//! Who holds what, as a function of who asked, when.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::Instant;

use super::assignment::assign;

/// One life of a member; a name that joins again begins another.
pub(super) type Incarnation = u64;

/// What a member is told when it asks.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Told {
    Assigned(BTreeSet<u32>),
    Revoked(BTreeSet<u32>),
    Lost(BTreeSet<u32>),
    Fenced,
    Nothing,
}

#[derive(Debug)]
struct Seat {
    incarnation: Incarnation,
    session: Duration,
    seen: Instant,
    /// Taken away by the group until the member gives it up.
    held: BTreeSet<u32>,
    /// The part of `held` that the member was told to give up.
    revoked: BTreeSet<u32>,
    /// Taken away without asking; to be told.
    lost: BTreeSet<u32>,
    /// Held by the name's previous life, to be handed to this one.
    inherited: bool,
    expired: bool,
}

/// One group on one topic.
#[derive(Debug)]
pub(super) struct Group {
    partitions: u32,
    seats: BTreeMap<String, Seat>,
    incarnations: Incarnation,
}

impl Group {
    pub(super) const fn new(partitions: u32) -> Self {
        Self {
            partitions,
            seats: BTreeMap::new(),
            incarnations: 0,
        }
    }

    /// The topic has this many partitions by now; they are only ever added.
    pub(super) fn grow(&mut self, partitions: u32) {
        self.partitions = self.partitions.max(partitions);
    }

    /// Takes a seat. Whoever sat there under this name is fenced; what it held stays with the name.
    pub(super) fn join(&mut self, name: &str, session: Duration, now: Instant) -> Incarnation {
        self.expire(now);
        self.incarnations += 1;
        let held = self
            .seats
            .remove(name)
            .map(|seat| seat.held)
            .unwrap_or_default();
        let seat = Seat {
            incarnation: self.incarnations,
            session,
            seen: now,
            inherited: !held.is_empty(),
            held,
            revoked: BTreeSet::new(),
            lost: BTreeSet::new(),
            expired: false,
        };
        self.seats.insert(name.to_owned(), seat);
        self.incarnations
    }

    /// Gives everything up, unless another has the name by now.
    pub(super) fn leave(&mut self, name: &str, incarnation: Incarnation) {
        if self
            .seats
            .get(name)
            .is_some_and(|seat| seat.incarnation == incarnation)
        {
            self.seats.remove(name);
        }
    }

    /// A member asks what has changed; that it asks is its sign of life.
    pub(super) fn ask(&mut self, name: &str, incarnation: Incarnation, now: Instant) -> Told {
        self.expire(now);
        let Some(seat) = self
            .seats
            .get_mut(name)
            .filter(|s| s.incarnation == incarnation)
        else {
            return Told::Fenced;
        };
        seat.seen = now;
        seat.expired = false;
        let revoked = std::mem::take(&mut seat.revoked);
        seat.held.retain(|partition| !revoked.contains(partition));
        if !seat.lost.is_empty() {
            return Told::Lost(std::mem::take(&mut seat.lost));
        }
        if seat.inherited {
            seat.inherited = false;
            return Told::Assigned(seat.held.clone());
        }
        self.rebalance(name)
    }

    /// Takes back what a member was given and never learned of.
    pub(super) fn give_back(
        &mut self,
        name: &str,
        incarnation: Incarnation,
        given: &BTreeSet<u32>,
    ) {
        if let Some(seat) = self
            .seats
            .get_mut(name)
            .filter(|s| s.incarnation == incarnation)
        {
            seat.held.retain(|partition| !given.contains(partition));
        }
    }

    /// Ends a member's session.
    pub(super) fn expel(&mut self, name: &str) {
        if let Some(seat) = self.seats.get_mut(name) {
            seat.expire();
        }
    }

    /// Whether the member may still act for `partition` and store offsets for it.
    ///
    /// `None` when another has its name.
    pub(super) fn holds(
        &mut self,
        name: &str,
        incarnation: Incarnation,
        partition: u32,
        now: Instant,
    ) -> Option<bool> {
        self.expire(now);
        let seat = self
            .seats
            .get(name)
            .filter(|s| s.incarnation == incarnation)?;
        Some(
            !seat.inherited && seat.held.contains(&partition) && !seat.revoked.contains(&partition),
        )
    }

    fn rebalance(&mut self, name: &str) -> Told {
        let live = self.seats.iter().filter(|(_, seat)| !seat.expired);
        let held = live
            .map(|(name, seat)| (name.as_str(), &seat.held))
            .collect();
        let target = assign(self.partitions, &held)
            .remove(name)
            .unwrap_or_default();
        let taken: BTreeSet<u32> = self
            .seats
            .values()
            .flat_map(|seat| seat.held.iter().copied())
            .collect();
        let Some(seat) = self.seats.get_mut(name) else {
            return Told::Fenced;
        };
        let revoked: BTreeSet<u32> = seat.held.difference(&target).copied().collect();
        if !revoked.is_empty() {
            seat.revoked.clone_from(&revoked);
            return Told::Revoked(revoked);
        }
        let assigned: BTreeSet<u32> = target.difference(&taken).copied().collect();
        if assigned.is_empty() {
            return Told::Nothing;
        }
        seat.held.extend(assigned.iter().copied());
        Told::Assigned(assigned)
    }

    fn expire(&mut self, now: Instant) {
        for seat in self.seats.values_mut() {
            if !seat.expired && now.saturating_duration_since(seat.seen) > seat.session {
                seat.expire();
            }
        }
    }
}

impl Seat {
    fn expire(&mut self) {
        self.expired = true;
        let held = std::mem::take(&mut self.held);
        // A life that never asked was never told that it held anything.
        if !std::mem::take(&mut self.inherited) {
            self.lost.extend(held.difference(&self.revoked));
        }
        self.revoked.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SESSION: Duration = Duration::from_secs(10);

    fn set(partitions: &[u32]) -> BTreeSet<u32> {
        partitions.iter().copied().collect()
    }

    #[tokio::test(start_paused = true)]
    async fn a_partition_moves_only_when_it_was_given_up() {
        let now = Instant::now();
        let mut group = Group::new(2);
        let a = group.join("a", SESSION, now);
        assert_eq!(group.ask("a", a, now), Told::Assigned(set(&[0, 1])));
        let b = group.join("b", SESSION, now);
        assert_eq!(group.ask("b", b, now), Told::Nothing);
        assert_eq!(group.ask("a", a, now), Told::Revoked(set(&[1])));
        assert_eq!(group.ask("b", b, now), Told::Nothing);
        assert_eq!(group.holds("a", a, 1, now), Some(false));
        assert_eq!(group.ask("a", a, now), Told::Nothing);
        assert_eq!(group.ask("b", b, now), Told::Assigned(set(&[1])));
    }

    #[tokio::test(start_paused = true)]
    async fn silence_loses_and_is_told() {
        let now = Instant::now();
        let mut group = Group::new(1);
        let a = group.join("a", SESSION, now);
        group.ask("a", a, now);
        let b = group.join("b", SESSION, now);
        let late = now + SESSION + Duration::from_millis(1);
        assert_eq!(group.ask("b", b, late), Told::Assigned(set(&[0])));
        assert_eq!(group.holds("a", a, 0, late), Some(false));
        assert_eq!(group.ask("a", a, late), Told::Lost(set(&[0])));
        assert_eq!(group.ask("a", a, late), Told::Nothing);
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_revoked_is_not_lost_as_well() {
        let now = Instant::now();
        let mut group = Group::new(2);
        let a = group.join("a", SESSION, now);
        group.ask("a", a, now);
        let b = group.join("b", SESSION, now);
        assert_eq!(group.ask("a", a, now), Told::Revoked(set(&[1])));
        let late = now + SESSION + Duration::from_millis(1);
        group.ask("b", b, late);
        assert_eq!(group.ask("a", a, late), Told::Lost(set(&[0])));
    }

    #[tokio::test(start_paused = true)]
    async fn added_partitions_are_shared_out() {
        let now = Instant::now();
        let mut group = Group::new(1);
        let a = group.join("a", SESSION, now);
        assert_eq!(group.ask("a", a, now), Told::Assigned(set(&[0])));
        group.grow(3);
        assert_eq!(group.ask("a", a, now), Told::Assigned(set(&[1, 2])));
    }

    #[tokio::test(start_paused = true)]
    async fn a_name_that_comes_back_finds_what_it_had_and_fences_what_was() {
        let now = Instant::now();
        let mut group = Group::new(2);
        let old = group.join("a", SESSION, now);
        group.ask("a", old, now);
        let new = group.join("a", SESSION, now);
        assert_eq!(group.ask("a", old, now), Told::Fenced);
        assert_eq!(group.holds("a", old, 0, now), None);
        assert_eq!(group.ask("a", new, now), Told::Assigned(set(&[0, 1])));
    }
}
