//! What happens to appends on their way, and what an owner makes of those that land.

use super::Routers;
use super::inbox::{Decided, EVENTS_PARTITIONS, Route};
use super::lacking::Lacking;
use super::state::{State, Stray};

/// The partitions that a router writes: those of `events`, then the one of `routed`.
pub(super) const OUTPUTS: usize = EVENTS_PARTITIONS + 1;
pub(super) const ROUTED: usize = EVENTS_PARTITIONS;

impl Routers {
    /// How many appends router `who` has on the way to `output`.
    pub(super) fn on_the_way(state: &State, who: usize, output: usize) -> usize {
        let router = &state.routers[who];
        match output {
            ROUTED => router.deciding.len(),
            partition => router.routing[partition].len(),
        }
    }

    /// The oldest append of router `who` to `output` becomes durable, and the router knows.
    pub(super) fn land(&self, state: &mut State, who: usize, output: usize) {
        if output == ROUTED {
            let decided = state.routers[who].deciding.remove(0);
            self.land_decision(state, decided);
        } else {
            let route = state.routers[who].routing[output].remove(0);
            self.take_in(state, output, route);
        }
    }

    /// The oldest append of router `who` to `output` fails and is made again, behind the rest.
    pub(super) fn fail(state: &mut State, who: usize, output: usize) {
        let router = &mut state.routers[who];
        match output {
            ROUTED => router.deciding.rotate_left(1),
            partition => router.routing[partition].rotate_left(1),
        }
    }

    /// An append of a writer that is gone lands late: the oldest, or as a variant has it any.
    pub(super) fn land_stray(&self, state: &mut State, stray: usize, place: usize) {
        let landed = match &mut state.strays[stray] {
            Stray::Decided(queue) => Landed::Decided(queue.remove(place)),
            Stray::Route(partition, queue) => {
                Landed::Route(usize::from(*partition), queue.remove(place))
            }
        };
        match landed {
            Landed::Decided(decided) => self.land_decision(state, decided),
            Landed::Route(partition, route) => self.take_in(state, partition, route),
        }
    }

    /// The owner of `partition` reads `route`: it drops what isn't above the highest it has taken.
    fn take_in(&self, state: &mut State, partition: usize, route: Route) {
        let taken = &mut state.taken[partition];
        let above = match (self.lacking, taken.last()) {
            (Lacking::Dedup, _) | (_, None) => true,
            (Lacking::DedupByEndpoint, Some(highest)) => route.offset > highest.offset,
            (_, Some(highest)) => route > *highest,
        };
        if above {
            taken.push(route);
        }
    }

    fn land_decision(&self, state: &mut State, decided: Decided) {
        let known = state.decided(decided.offset, 0).is_some();
        if !known || !self.only_firsts_matter() {
            state.routed.push(decided);
        }
    }

    /// Whether a decision that isn't the first about its offset may as well not be there.
    pub(super) fn only_firsts_matter(&self) -> bool {
        !matches!(self.lacking, Lacking::FirstWins | Lacking::RoutedOfCommit)
    }
}

enum Landed {
    Decided(Decided),
    Route(usize, Route),
}
