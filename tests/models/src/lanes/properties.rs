//! What must hold in every state.

use stateright::Property;

use super::journal::{Breach, Fate};
use super::send::Append;
use super::state::{Outcome, Progress, State};
use super::world::{LaneId, Record};
use super::{Action, Lanes};

pub(super) const NOTHING_LOST: &str = "nothing accepted is lost";
pub(super) const ENDS_ONCE: &str = "nothing ends twice";
pub(super) const NOT_AFTER_END: &str = "nothing is sent after its end";
pub(super) const REPEATED_IF_IN_FLIGHT: &str = "only what was in flight is sent again";
pub(super) const KEY_IN_ORDER: &str = "a strict key keeps its order";
pub(super) const NOT_EARLY: &str = "no retry is early and no number is spent twice";
pub(super) const HANDED_ONCE: &str = "no lane is handed a record twice";
pub(super) const NO_GAP: &str = "no lane's next passes a record that it was not handed";
pub(super) const WINDOW_BOUNDED: &str = "a lane holds no more than its window";
pub(super) const LANE_HOLDS_NO_OTHER: &str = "a stuck lane holds no other";
pub(super) const KEY_HOLDS_NO_OTHER: &str = "a blocked key holds no other";

pub(super) fn all() -> Vec<Property<Lanes>> {
    let mut all = must_hold();
    all.extend(must_be_reached());
    all
}

fn must_hold() -> Vec<Property<Lanes>> {
    vec![
        Property::always(NOTHING_LOST, |model, state: &State| {
            state.journal.all_ended(&model.world) || model.goes_on(state, |_| true)
        }),
        Property::always(ENDS_ONCE, |_, state: &State| {
            !state.journal.is_broken(Breach::EndsTwice)
        }),
        Property::always(NOT_AFTER_END, |_, state: &State| {
            !state.journal.is_broken(Breach::SentAfterEnd)
        }),
        Property::always(REPEATED_IF_IN_FLIGHT, |_, state: &State| {
            !state.journal.is_broken(Breach::SentAgain)
        }),
        Property::always(KEY_IN_ORDER, |_, state: &State| {
            !state.journal.is_broken(Breach::OutOfOrder)
        }),
        Property::always(NOT_EARLY, |_, state: &State| {
            !state.journal.is_broken(Breach::Early)
        }),
        Property::always(HANDED_ONCE, |_, state: &State| {
            !state.journal.is_broken(Breach::HandedTwice)
        }),
        Property::always(NO_GAP, |model, state: &State| model.has_no_gap(state)),
        Property::always(WINDOW_BOUNDED, |model, state: &State| {
            model.windows_are_bounded(state)
        }),
        Property::always(LANE_HOLDS_NO_OTHER, |model, state: &State| {
            model.stuck_lane_is_alone(state)
        }),
        Property::always(KEY_HOLDS_NO_OTHER, |model, state: &State| {
            model.blocked_key_is_alone(state)
        }),
    ]
}

/// Without these a search would prove less than it says.
fn must_be_reached() -> Vec<Property<Lanes>> {
    vec![
        Property::sometimes(
            "everything ends after every interruption",
            |model, state: &State| {
                state.interruptions_left == 0 && state.journal.all_ended(&model.world)
            },
        ),
        Property::sometimes("a takeover finds half a set", |_, state: &State| {
            state.first_set && !matches!(state.progress.last(), Some(Progress::Partition(_)))
        }),
        Property::sometimes("a lane is caught up from the index", |_, state: &State| {
            state
                .lagging()
                .any(|(_, lane)| lane.from == lane.next && lane.to == state.cursor)
        }),
        Property::sometimes(
            "a key is split off, if one may fail",
            |model, state: &State| {
                model.world.failures == 0 || state.lane(LaneId::KeyOfA).is_some()
            },
        ),
        Property::sometimes(
            "a cancel succeeds, if one is asked for",
            |model, state: &State| {
                let is_cancel = |outcome: &Outcome| matches!(outcome, Outcome::Cancelled(_));
                model.world.cancel.is_none() || state.attempts.iter().any(is_cancel)
            },
        ),
    ]
}

impl Lanes {
    /// Whether work that `counts` is left to do; so also where a breach has ended the search.
    fn goes_on(&self, state: &State, counts: impl Fn(&Action) -> bool) -> bool {
        if !state.journal.is_clean() || !self.has_no_gap(state) {
            return true;
        }
        if self.can_move(state) {
            return true;
        }
        let mut actions = Vec::new();
        self.reading(state, &mut actions);
        self.delivering(state, &mut actions);
        actions
            .iter()
            .any(|action| action.is_work() && counts(action))
    }

    fn windows_are_bounded(&self, state: &State) -> bool {
        LaneId::ALL.into_iter().all(|id| {
            let next = state.lane(id).map_or(0, |lane| lane.next);
            let window = self.resume(state, id)..next;
            let own = self.own(state, id).filter(|at| window.contains(at));
            own.count() <= self.world.window
        })
    }

    /// If endpoint A never answers again, endpoint B's records end all the same.
    fn stuck_lane_is_alone(&self, state: &State) -> bool {
        let is_of_b = |at: u8| self.world.record(at) == Record::B;
        let answered_by_a = |action: &Action| {
            matches!(action, Action::Durable(Append::Delivered(at) | Append::Failed(at))
                if !is_of_b(*at))
        };
        let mut of_b = self.world.offsets().filter(|at| is_of_b(*at));
        of_b.all(|at| state.journal.fate(at) == Fate::Ended)
            || self.goes_on(state, |action| !answered_by_a(action))
    }

    /// If the due time of key k's head never comes, all others end all the same.
    fn blocked_key_is_alone(&self, state: &State) -> bool {
        let mut others = self
            .world
            .offsets()
            .filter(|at| self.world.record(*at) != Record::AKeyK);
        others.all(|at| state.journal.fate(at) == Fate::Ended)
            || self.goes_on(state, |action| !matches!(action, Action::Due(_)))
    }
}
