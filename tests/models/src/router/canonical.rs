//! States that differ in nothing that matters, brought together.

use super::Routers;
use super::inbox::{Decided, Decision, EVENTS_PARTITIONS, Offset, Route};
use super::lacking::Lacking;
use super::state::{State, Stray};

impl Routers {
    /// Goes on with every step that nobody but its router can see, and forgets what can't matter.
    ///
    /// A crash before such a step is one after it of which nothing lands, and a router that rests
    /// before it is one that rests after it: every behaviour that is skipped has its like.
    pub(super) fn canonical(&self, state: &mut State) {
        for who in 0..state.routers.len() {
            while self.step_unseen(state, who) {}
        }
        self.forget_late(state);
        read_from_the_start(state);
        if self.scenario.windows[0] == self.scenario.windows[1] {
            state.routers.sort_unstable();
        }
    }

    fn step_unseen(&self, state: &mut State, who: usize) -> bool {
        let offset = state.routers[who].next;
        let settled = self.settled(state, who);
        if let Some(decision) = settled.filter(|found| !self.writes_a_row(state, offset, found)) {
            self.route(state, who, &decision);
            return true;
        }
        let known = self.may_decide(state, who) && self.is_known(state, who);
        if known {
            self.decide(state, who);
        }
        known
    }

    fn writes_a_row(&self, state: &State, offset: Offset, decision: &Decision) -> bool {
        let keyed = self.scenario.record(offset).key.is_some();
        keyed && matches!(decision, Decision::First(_)) && !state.rows.contains(&offset)
    }

    /// Whether nothing is left to decide about the record at the router's `asked`.
    fn is_known(&self, state: &State, who: usize) -> bool {
        let router = &state.routers[who];
        let record = self.scenario.record(router.asked);
        match record.routes {
            Some(_) => record.key.is_none(),
            None => state.decided(router.asked, router.read_from).is_some(),
        }
    }

    /// What an owner would drop, or would not be the first decision, may as well never land.
    fn forget_late(&self, state: &mut State) {
        let State {
            strays,
            taken,
            routed,
            ..
        } = state;
        if self.lacking != Lacking::Dedup {
            strays
                .iter_mut()
                .for_each(|stray| forget_dropped(stray, taken));
        }
        if self.only_firsts_matter() {
            strays
                .iter_mut()
                .for_each(|stray| forget_decided(stray, routed));
        }
        strays.retain(|stray| stray.len() > 0);
        strays.sort_unstable();
        strays.dedup();
    }
}

fn forget_dropped(stray: &mut Stray, taken: &[Vec<Route>; EVENTS_PARTITIONS]) {
    if let Stray::Route(partition, queue) = stray {
        let highest = taken[usize::from(*partition)].last();
        queue.retain(|route| highest.is_none_or(|highest| route > highest));
    }
}

fn forget_decided(stray: &mut Stray, routed: &[Decided]) {
    if let Stray::Decided(queue) = stray {
        queue.retain(|late| routed.iter().all(|first| first.offset != late.offset));
    }
}

/// To read `routed` from a place or from its start is the same, where nothing that is still asked
/// for lies before the place.
fn read_from_the_start(state: &mut State) {
    let State {
        routed,
        commit,
        routers,
        ..
    } = state;
    let asked_before = |place: u8, asked: Offset| {
        routed[..usize::from(place)]
            .iter()
            .any(|decided| decided.offset >= asked)
    };
    if !asked_before(commit.routed, commit.offset) {
        commit.routed = 0;
    }
    for router in routers {
        if !asked_before(router.read_from, router.next) {
            router.read_from = 0;
        }
    }
}
