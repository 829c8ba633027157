//! What is decided in `routed`, as one router has read it (`docs/protocol.md`, R6, R10). Pure.

use std::collections::BTreeMap;

use schemas::routed::Routed;

/// The first decision about each offset at or above the router's commit, as far as it was read.
#[derive(Debug)]
pub(crate) struct Decisions {
    /// Decisions about offsets below are settled, or not the first.
    floor: u64,
    /// By the offset of `inbox`: where in `routed` the decision lies, and what it says.
    known: BTreeMap<u64, (u64, Routed)>,
    /// Everything below this place of `routed` was read.
    read_to: u64,
}

impl Decisions {
    /// Of a router that begins at `commit`, and reads `routed` from `place`.
    pub(crate) const fn new(commit: u64, place: u64) -> Self {
        Self {
            floor: commit,
            known: BTreeMap::new(),
            read_to: place,
        }
    }

    /// A decision that lies at `place`. Only one that is above all before it is the first of its
    /// offset.
    pub(crate) fn see(&mut self, place: u64, decision: Routed) {
        let offset = decision.origin().offset;
        if offset >= self.floor {
            self.floor = offset + 1;
            self.known.insert(offset, (place, decision));
        }
    }

    /// `routed` was read up to `place`.
    pub(crate) fn pass(&mut self, place: u64) {
        self.read_to = self.read_to.max(place);
    }

    pub(crate) const fn read_to(&self) -> u64 {
        self.read_to
    }

    /// What was decided about an offset.
    pub(crate) fn of(&self, offset: u64) -> Option<&Routed> {
        self.known.get(&offset).map(|(_, decision)| decision)
    }

    /// Forgets what lies below `commit`, and says the place that goes with it: of the first
    /// decision at or above it, or the place read to.
    pub(crate) fn commit(&mut self, commit: u64) -> u64 {
        while let Some(first) = self.known.first_entry() {
            if *first.key() >= commit {
                return first.get().0;
            }
            first.remove();
        }
        self.read_to
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use schemas::origin::Position;
    use schemas::routed::Unreadable;
    use schemas::topics::Topic;

    fn about(offset: u64, why: &str) -> Routed {
        Routed::Unreadable(Unreadable {
            origin: Position {
                topic: Topic::Inbox,
                partition: 0,
                offset,
            },
            why: why.to_owned(),
        })
    }

    #[test]
    fn the_first_about_an_offset_holds_and_what_is_not_above_counts_for_nothing() {
        let mut decisions = Decisions::new(5, 100);
        for (place, offset, why) in [
            (100, 4, "below the commit"),
            (101, 6, "first"),
            (102, 6, "second"),
            (103, 5, "too late"),
            (104, 9, "first"),
        ] {
            decisions.see(place, about(offset, why));
            decisions.pass(place + 1);
        }
        assert_eq!(decisions.of(4), None);
        assert_eq!(decisions.of(5), None);
        assert_eq!(decisions.of(6), Some(&about(6, "first")));
        assert_eq!(decisions.of(9), Some(&about(9, "first")));
        assert_eq!(decisions.read_to(), 105);
    }

    #[test]
    fn a_commit_names_the_place_of_the_first_decision_at_or_above_it() {
        let mut decisions = Decisions::new(0, 7);
        assert_eq!(decisions.commit(0), 7, "none: the place read to");
        for (place, offset) in [(8, 1), (9, 3), (20, 6)] {
            decisions.see(place, about(offset, ""));
        }
        decisions.pass(21);
        assert_eq!(decisions.commit(1), 8);
        assert_eq!(decisions.commit(2), 9);
        assert_eq!(decisions.commit(3), 9);
        assert_eq!(decisions.of(1), None, "forgotten");
        assert_eq!(decisions.commit(4), 20);
        assert_eq!(decisions.commit(7), 21);
    }
}
