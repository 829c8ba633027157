//! What must hold of an owner's answers.

use stateright::Property;

use super::scan::fold;
use super::state::{AsOf, State};
use super::{Intake, NOTE_INTERVAL};

/// Once the owner is through, every record that is to be taken has an outcome.
pub(crate) const NOTHING_LOST: &str = "nothing routed is lost";
/// No record has two outcomes, and no origin.
pub(crate) const NOTHING_DOUBLED: &str = "nothing routed is doubled";
/// Every owner takes exactly what the partition's fold from its first record takes.
pub(crate) const SAME_ANSWER: &str = "the same answer whoever owns";
/// A scan that isn't refused takes exactly that too.
pub(crate) const SCAN: &str = "a scan of the past gives the same answer";
/// Below the checkpoint a scan is refused within one interval of the start at most.
pub(crate) const NOTED: &str = "a scan is refused only next to the start";
const THROUGH: &str = "an owner is through";

pub(super) fn all() -> Vec<Property<Intake>> {
    vec![
        Property::always(NOTHING_LOST, |_, state| {
            !through(state) || lost(state).is_empty()
        }),
        Property::always(NOTHING_DOUBLED, |_, state: &State| {
            let mut origins: Vec<_> = state
                .ended
                .iter()
                .map(|offset| state.log[usize::from(*offset)])
                .collect();
            origins.sort_unstable_by_key(|origin| (origin.inbox, origin.rank));
            origins.windows(2).all(|pair| pair[0] != pair[1])
        }),
        Property::always(SAME_ANSWER, |_, state| same_answer(state)),
        Property::always(SCAN, |model, state| {
            let truth = fold(state, AsOf::default());
            (state.start..=state.owner.cursor).all(|from| {
                let due = truth.iter().copied().filter(|offset| *offset >= from);
                model.scan(state, from).is_none_or(|taken| due.eq(taken))
            })
        }),
        Property::always(NOTED, |model, state: &State| {
            let from = state.start + NOTE_INTERVAL - 1;
            (from..=state.checkpoint().offset).all(|from| model.scan_begins(state, from).is_some())
        }),
        Property::sometimes(THROUGH, |_, state| through(state) && state.log.len() > 2),
    ]
}

fn through(state: &State) -> bool {
    usize::from(state.owner.cursor) == state.log.len() && state.owner.open.is_empty()
}

fn lost(state: &State) -> Vec<u8> {
    let mut due = fold(state, AsOf::default());
    due.retain(|offset| !state.ended.contains(offset));
    due
}

fn same_answer(state: &State) -> bool {
    let truth = fold(state, AsOf::default());
    let owner = &state.owner;
    let mut taken = owner.open.iter().chain(&state.ended);
    let passed = truth.iter().filter(|offset| **offset < owner.cursor);
    taken.all(|offset| truth.contains(offset))
        && passed
            .into_iter()
            .all(|offset| owner.open.contains(offset) || state.ended.contains(offset))
}
