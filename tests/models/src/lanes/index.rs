//! The index: notes of what lagging lanes wait for, on local disk, and a cache throughout. For each
//! lane it is whole over one range of `events`.

use super::Lanes;
use super::rule::Rule;
use super::state::{Known, Lane, State};
use super::world::{LaneId, Offsets};

impl Lanes {
    /// The cursor has passed `offset`: ranges that reached it go on.
    pub(super) fn note_passed(&self, state: &mut State, offset: u8) {
        for id in LaneId::ALL {
            if state
                .lane(id)
                .is_some_and(|lane| !lane.live && lane.to == offset)
            {
                self.extend(state, id);
            }
        }
    }

    /// Takes the record at the end of the lane's range into it, unless that wants a note for which
    /// there is no room.
    fn extend(&self, state: &mut State, id: LaneId) {
        let Some(to) = state.lane(id).map(|lane| lane.to) else {
            return;
        };
        let waited_for = self.is_waited_for(state, id, to) && self.keeps(Rule::PassedIsNoted);
        let full = !self.has_note_room(state, id);
        if waited_for && full && self.keeps(Rule::RangeEndsWhereFull) {
            return;
        }
        if waited_for && !full {
            state.notes.insert(to);
        }
        self.move_range(state, id, |lane| lane.to += 1);
    }

    fn move_range(&self, state: &mut State, id: LaneId, change: impl FnOnce(&mut Lane)) {
        if let Some(lane) = state.lane_mut(id) {
            change(lane);
        }
    }

    /// Whether the record is one that the lane lags behind and has yet to be handed.
    fn is_waited_for(&self, state: &State, id: LaneId, offset: u8) -> bool {
        let mut lagging = state.lagging();
        self.lane_of(state, offset) == id
            && lagging.any(|(other, lane)| other == id && offset >= lane.next)
    }

    fn has_note_room(&self, state: &State, id: LaneId) -> bool {
        let own_room = self.keeps(Rule::RoomIsTheLanes);
        let counted = |at: &u8| !own_room || self.lane_of(state, *at) == id;
        state.notes.iter().filter(counted).count() < self.world.notes
    }

    /// Whether the lane waits for what is below its range.
    pub(super) fn can_grow_backwards(&self, state: &State, id: LaneId) -> bool {
        let mut lagging = state.lagging();
        self.keeps(Rule::GrowsBackwards)
            && lagging.any(|(other, lane)| other == id && lane.next < lane.from)
    }

    /// Reads the log again just below the range; where there is no room, the range's end gives way.
    pub(super) fn grow_backwards(&self, state: &mut State, id: LaneId) {
        self.move_range(state, id, |lane| lane.from -= 1);
        let offset = state.lane(id).map_or(0, |lane| lane.from);
        if self.is_waited_for(state, id, offset) {
            self.make_note_room(state, id);
            state.notes.insert(offset);
        }
        self.settle(state);
    }

    fn make_note_room(&self, state: &mut State, id: LaneId) {
        let mut own = state.notes.iter();
        let last = own.rfind(|at| self.lane_of(state, *at) == id);
        let Some(last) = last.filter(|_| !self.has_note_room(state, id)) else {
            return;
        };
        state.notes.remove(last);
        self.move_range(state, id, |lane| lane.to = last);
    }

    /// Whether the lane's range ends below the cursor, could go on, and begins low enough.
    pub(super) fn can_grow_forwards(&self, state: &State, id: LaneId) -> bool {
        let Some(lane) = state.lane(id).filter(|lane| !lane.live) else {
            return false;
        };
        self.keeps(Rule::GrowsForwards)
            && lane.to < state.cursor
            && lane.from <= lane.next
            && (self.has_note_room(state, id) || !self.is_waited_for(state, id, lane.to))
    }

    /// Reads the log again at the end of the range.
    pub(super) fn grow_forwards(&self, state: &mut State, id: LaneId) {
        self.extend(state, id);
        self.settle(state);
    }

    /// Whether there is anything in the index.
    pub(super) fn has_index(&self, state: &State) -> bool {
        state.lagging().any(|(_, lane)| lane.from < state.cursor)
    }

    /// The index is lost.
    pub(super) fn lose_index(&self, state: &mut State) {
        let cursor = state.cursor;
        state.notes = Offsets::default();
        for lane in state.lanes.iter_mut().flatten().filter(|lane| !lane.live) {
            (lane.from, lane.to) = (cursor, cursor);
        }
    }

    /// Drops what nobody waits for. That it moves the start of a range up as well changes nothing
    /// within an owner's life, in which no `next` goes back, and keeps equal states equal; the
    /// variant that keeps the index for longer must not be given this.
    pub(super) fn forget(&self, state: &mut State) {
        if !self.keeps(Rule::NextGuardsEveryReader) {
            return;
        }
        let mut notes = state.notes;
        notes.retain(|at| self.is_waited_for(state, self.lane_of(state, at), at));
        state.notes = notes;
        if self.keeps(Rule::IndexEmptyAtTakeover) {
            state.lanes.iter_mut().flatten().for_each(Lane::forget);
        }
    }

    /// Each of a lane's records below its `next` has been handed to it.
    pub(super) fn has_no_gap(&self, state: &State) -> bool {
        LaneId::ALL.into_iter().all(|id| {
            let next = state.lane(id).map_or(0, |lane| lane.next);
            let mut own = self.own(state, id);
            own.all(|offset| offset >= next || state.known(offset) != Known::Undone)
        })
    }
}

impl Lane {
    fn forget(&mut self) {
        if self.live {
            (self.from, self.to) = (0, 0);
        } else if self.next >= self.from {
            self.from = self.next;
            self.to = self.to.max(self.next);
        }
    }
}
