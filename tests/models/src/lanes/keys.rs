//! A blocked key: split off as a lane of its own, and merged again.

use super::Lanes;
use super::rule::Rule;
use super::state::{Known, Lane, State};
use super::world::{LaneId, Offsets, Record};

impl Lanes {
    fn of_key(&self) -> impl Iterator<Item = u8> + '_ {
        let records = self.world.offsets();
        records.filter(|offset| self.world.record(*offset) == Record::AKeyK)
    }

    /// Whether a failed head holds the key back.
    fn is_blocked(&self, state: &State) -> bool {
        self.of_key()
            .any(|offset| !state.is_done(offset) && state.failed(offset) > 0)
    }

    /// Splits the key off, if a failed head holds it back. What its endpoint's lane holds of it
    /// goes with it; where that lane reads next, this one does.
    pub(super) fn split(&self, state: &mut State) {
        let is_split = state.lane(LaneId::KeyOfA).is_some();
        if is_split || !self.is_blocked(state) || !self.keeps(Rule::BlockedKeyIsSplit) {
            return;
        }
        state.lanes[LaneId::KeyOfA as usize] = state.lane(LaneId::A).copied();
        if !self.keeps(Rule::NotesAreTheEndpoints) {
            let noted_before: Offsets = self.of_key().collect();
            let mut notes = state.notes;
            notes.retain(|offset| !noted_before.contains(offset));
            state.notes = notes;
        }
    }

    /// Whether the key can go back to its endpoint's lane.
    pub(super) fn can_merge(&self, state: &State) -> bool {
        let (Some(key), Some(parent)) = (state.lane(LaneId::KeyOfA), state.lane(LaneId::A)) else {
            return false;
        };
        let parent_live = parent.live || !self.keeps(Rule::MergedWhenBothLive);
        key.live && parent_live && !self.is_blocked(state) && self.fits(state)
    }

    fn fits(&self, state: &State) -> bool {
        let mut merged = state.clone();
        merged.lanes[LaneId::KeyOfA as usize] = None;
        !self.keeps(Rule::MergedWhenItFits) || self.taken(&merged, LaneId::A) <= self.world.window
    }

    /// Merges the key. A lane knows of what it was handed; so what the key's lane did above the
    /// `next` of the endpoint's would be forgotten.
    pub(super) fn merge(&self, state: &mut State) {
        state.lanes[LaneId::KeyOfA as usize] = None;
        let next = state.lane(LaneId::A).map_or(0, |lane: &Lane| lane.next);
        for offset in self.of_key().filter(|offset| *offset >= next) {
            if state.is_done(offset) && offset < state.cursor {
                state.learn(offset, Known::Undone);
            }
        }
        self.settle(state);
    }
}
