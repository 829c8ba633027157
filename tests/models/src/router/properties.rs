//! What must hold.

use std::collections::BTreeSet;

use stateright::Property;

use super::Routers;
use super::inbox::{Decision, Endpoint, Offset, Route, partition_of};
use super::state::State;

/// Once a router is through, each record has been routed to each endpoint of its decision, or is
/// recorded as what else became of it.
pub(super) const NOTHING_LOST: &str = "nothing accepted is lost";
/// Nothing below the commit is still to be done.
pub(super) const COMMIT_STANDS: &str = "what is below the commit is done";
/// An owner takes each origin once.
pub(super) const NOTHING_DOUBLED: &str = "nothing is doubled";
/// What was routed of a record are endpoints of its one decision.
pub(super) const AS_DECIDED: &str = "what is routed was decided";
/// Each endpoint gets its records in the order of the inbox partition.
pub(super) const ORDER: &str = "an endpoint's order is the inbox's";
/// What an owner takes is, at any time, the beginning of what it is owed.
pub(super) const NO_GAP: &str = "what an owner takes has no gap";
/// The first decisions in `routed` are in the order of the inbox.
pub(super) const FIRSTS_ASCEND: &str = "the first decisions ascend";
/// A duplicate names the first before it, within the window, and the comparison is right.
pub(super) const ONE_FIRST: &str = "of one key and window exactly one is first";
/// A router that isn't through has something to do.
pub(super) const NEVER_STUCK: &str = "a router is never stuck";
/// Somebody gets to the end.
pub(super) const THROUGH: &str = "a router is through";

pub(super) fn all() -> Vec<Property<Routers>> {
    vec![
        Property::always(NOTHING_LOST, |model, state: &State| {
            !model.somebody_through(state) || model.done_below(state, model.scenario.end())
        }),
        Property::always(COMMIT_STANDS, |model, state| {
            model.done_below(state, state.commit.offset)
        }),
        Property::always(NOTHING_DOUBLED, |_, state: &State| {
            state.taken.iter().all(|taken| distinct(taken))
        }),
        Property::always(AS_DECIDED, |model, state: &State| {
            let mut routes = state.taken.iter().flatten();
            routes.all(|route| model.decided_for(state, route))
        }),
        Property::always(ORDER, |_, state: &State| {
            state.taken.iter().all(|taken| in_order(taken))
        }),
        Property::always(NO_GAP, |model, state: &State| {
            let mut partitions = state.taken.iter().enumerate();
            partitions.all(|(partition, taken)| model.owed(state, partition).starts_with(taken))
        }),
        Property::always(FIRSTS_ASCEND, |_, state: &State| firsts_ascend(state)),
        Property::always(ONE_FIRST, |model, state: &State| {
            !model.somebody_through(state)
                || (0..model.scenario.end()).all(|offset| model.judged_rightly(state, offset))
        }),
        Property::always(NEVER_STUCK, |model, state: &State| {
            (0..state.routers.len())
                .all(|who| model.through(state, who) || model.can_go_on(state, who))
        }),
        Property::sometimes(THROUGH, Routers::somebody_through),
    ]
}

impl Routers {
    fn through(&self, state: &State, who: usize) -> bool {
        state.routers[who].durable() == self.scenario.end()
    }

    fn somebody_through(&self, state: &State) -> bool {
        (0..state.routers.len()).any(|who| self.through(state, who))
    }

    fn can_go_on(&self, state: &State, who: usize) -> bool {
        let mut steps = Vec::new();
        self.own_steps(state, who, &mut steps);
        !steps.is_empty()
    }

    /// What became of the record at `offset`: the first decision about it, or what it says itself.
    fn answer(&self, state: &State, offset: Offset) -> Option<Decision> {
        let said = || {
            self.scenario
                .record(offset)
                .routes
                .map(|routes| Decision::First(routes.to_vec()))
        };
        state.decided(offset, 0).cloned().or_else(said)
    }

    fn endpoints(&self, state: &State, offset: Offset) -> Vec<Endpoint> {
        match self.answer(state, offset) {
            Some(Decision::First(endpoints)) => endpoints,
            Some(Decision::Duplicate(_) | Decision::Conflict(_)) | None => Vec::new(),
        }
    }

    fn done_below(&self, state: &State, end: Offset) -> bool {
        (0..end).all(|offset| {
            let routed = |&endpoint: &Endpoint| {
                state.taken[partition_of(endpoint)].contains(&Route { offset, endpoint })
            };
            self.answer(state, offset).is_some() && self.endpoints(state, offset).iter().all(routed)
        })
    }

    fn decided_for(&self, state: &State, route: &Route) -> bool {
        self.endpoints(state, route.offset)
            .contains(&route.endpoint)
    }

    /// Everything that partition is to get, as far as it is decided, in order.
    fn owed(&self, state: &State, partition: usize) -> Vec<Route> {
        let offsets = 0..self.scenario.end();
        let known = offsets.take_while(|offset| self.answer(state, *offset).is_some());
        let routes = known.flat_map(|offset| {
            let endpoints = self.endpoints(state, offset);
            endpoints
                .into_iter()
                .map(move |endpoint| Route { offset, endpoint })
        });
        routes
            .filter(|route| partition_of(route.endpoint) == partition)
            .collect()
    }

    /// By the answers to what came before under the key, and by nothing a router knows.
    fn judged_rightly(&self, state: &State, offset: Offset) -> bool {
        let record = self.scenario.record(offset);
        let (Some(keyed), Some(answer)) = (record.key, self.answer(state, offset)) else {
            return true;
        };
        let first = (0..offset).rfind(|&below| self.is_keyed_first(state, below));
        let age = first.map(|first| keyed.appended_at - self.keyed(first).appended_at);
        let within = self.scenario.windows.map(|setting| {
            let window = if record.routes.is_some() {
                keyed.window
            } else {
                setting
            };
            age.is_some_and(|age| age < window)
        });
        let same = |first| self.keyed(first).payload == keyed.payload;
        match answer {
            Decision::First(_) => within.contains(&false),
            Decision::Duplicate(of) => within.contains(&true) && first == Some(of) && same(of),
            Decision::Conflict(of) => within.contains(&true) && first == Some(of) && !same(of),
        }
    }

    fn is_keyed_first(&self, state: &State, offset: Offset) -> bool {
        self.scenario.record(offset).key.is_some()
            && matches!(self.answer(state, offset), Some(Decision::First(_)))
    }
}

fn distinct(taken: &[Route]) -> bool {
    taken.iter().collect::<BTreeSet<_>>().len() == taken.len()
}

fn in_order(taken: &[Route]) -> bool {
    let overtaken = |(place, route): (usize, &Route)| {
        taken[..place]
            .iter()
            .any(|before| before.endpoint == route.endpoint && before.offset > route.offset)
    };
    !taken.iter().enumerate().any(overtaken)
}

fn firsts_ascend(state: &State) -> bool {
    let offsets: Vec<_> = state.routed.iter().map(|decided| decided.offset).collect();
    let is_first =
        |(place, offset): (usize, Offset)| (!offsets[..place].contains(&offset)).then_some(offset);
    offsets
        .iter()
        .copied()
        .enumerate()
        .filter_map(is_first)
        .is_sorted()
}
