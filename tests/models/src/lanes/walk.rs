//! The readers: the cursor that walks the partition, and catch-up of the lanes that lag.

use super::Lanes;
use super::journal::Breach;
use super::rule::Rule;
use super::state::{Known, State};
use super::world::{LaneId, Record};

impl Lanes {
    /// The lane that a record belongs to: its endpoint's, or that of its key while that is split.
    pub(super) fn lane_of(&self, state: &State, offset: u8) -> LaneId {
        let record = self.world.record(offset);
        let is_split = record == Record::AKeyK && state.lane(LaneId::KeyOfA).is_some();
        if is_split {
            LaneId::KeyOfA
        } else {
            record.lane()
        }
    }

    pub(super) fn own<'a>(&'a self, state: &'a State, id: LaneId) -> impl Iterator<Item = u8> + 'a {
        self.world
            .offsets()
            .filter(move |offset| self.lane_of(state, *offset) == id)
    }

    fn next(&self, state: &State, id: LaneId) -> u8 {
        state.lane(id).map_or(0, |lane| lane.next)
    }

    /// All of the lane's records below it are done.
    pub(super) fn resume(&self, state: &State, id: LaneId) -> u8 {
        let next = self.next(state, id);
        self.own(state, id)
            .find(|offset| *offset < next && !state.is_done(*offset))
            .unwrap_or(next)
    }

    /// How much of its window a lane takes.
    pub(super) fn taken(&self, state: &State, id: LaneId) -> usize {
        let window = self.resume(state, id)..self.next(state, id);
        let counts_done = self.keeps(Rule::WindowCountsTheDone);
        self.own(state, id)
            .filter(|offset| window.contains(offset))
            .filter(|offset| counts_done || !state.is_done(*offset))
            .count()
    }

    fn has_room(&self, state: &State, id: LaneId) -> bool {
        self.taken(state, id) < self.world.window
    }

    /// Whether the cursor can move: a full lane does not hold it.
    pub(super) fn can_move(&self, state: &State) -> bool {
        let at = state.cursor;
        at < self.world.end()
            && (self.keeps(Rule::CursorMovesOn) || self.has_room(state, self.lane_of(state, at)))
    }

    /// The cursor comes to a record, hands it to its lane or lets the lane lag, and moves on.
    pub(super) fn move_cursor(&self, state: &mut State) {
        let at = state.cursor;
        let id = self.lane_of(state, at);
        let room = self.has_room(state, id);
        let Some(lane) = state.lane_mut(id) else {
            return;
        };
        if at >= lane.next {
            if lane.live && !room {
                lane.lag(at);
            }
            if lane.live {
                self.hand(state, id, at);
            }
        }
        state.cursor += 1;
        self.note_passed(state, at);
        self.settle(state);
    }

    /// Gives a record to its lane.
    fn hand(&self, state: &mut State, id: LaneId, offset: u8) {
        let is_new = offset >= self.next(state, id);
        match state.known(offset) {
            Known::Undone => state.learn(offset, Known::Held),
            Known::Held => state.journal.object(Breach::HandedTwice),
            Known::Sending if is_new => {}
            Known::Sending => state.journal.object(Breach::HandedTwice),
            Known::Cancelling | Known::Done if self.keeps(Rule::DoneAheadIsPassed) => {}
            Known::Cancelling | Known::Done => state.learn(offset, Known::Held),
        }
        if let Some(lane) = state.lane_mut(id) {
            lane.next = lane.next.max(offset + 1);
        }
    }

    /// The next record that catch-up would hand to the lane.
    fn next_noted(&self, state: &State, id: LaneId) -> Option<u8> {
        let from = if self.keeps(Rule::NextGuardsEveryReader) {
            self.next(state, id)
        } else {
            self.resume(state, id)
        };
        let mut noted = state.notes.iter();
        noted.find(|offset| *offset >= from && self.lane_of(state, *offset) == id)
    }

    /// Whether the index is whole where the lane would read next.
    fn is_covered(&self, state: &State, id: LaneId) -> bool {
        !self.keeps(Rule::ServedInsideTheRange)
            || state.lane(id).is_some_and(|lane| lane.from <= lane.next)
    }

    /// Whether catch-up can hand the lane a record.
    pub(super) fn can_catch_up(&self, state: &State, id: LaneId) -> bool {
        state.lane(id).is_some_and(|lane| !lane.live)
            && self.is_covered(state, id)
            && self.next_noted(state, id).is_some()
            && self.has_room(state, id)
    }

    /// Catch-up hands a lagging lane the next of its records.
    pub(super) fn catch_up(&self, state: &mut State, id: LaneId) {
        if let Some(offset) = self.next_noted(state, id) {
            self.hand(state, id, offset);
        }
        self.settle(state);
    }

    /// What the owner's task does after each step of its: it moves `next` over what is none of the
    /// lane's, lets a lane go live whose `next` has reached the cursor, and forgets notes that
    /// nobody waits for.
    pub(super) fn settle(&self, state: &mut State) {
        for id in LaneId::ALL {
            self.move_next(state, id);
            let resume = self.resume(state, id);
            let passed = |offset| self.lane_of(state, offset) != id || offset >= resume;
            let mut ahead = state.ahead;
            ahead.retain(passed);
            state.ahead = ahead;
        }
        self.forget(state);
    }

    fn move_next(&self, state: &mut State, id: LaneId) {
        let cursor = state.cursor;
        let reaches = self.is_covered(state, id) && self.next_noted(state, id).is_none();
        let at_once = self.keeps(Rule::LiveDecidedWithTheCursor);
        let Some(lane) = state.lane_mut(id) else {
            return;
        };
        if !lane.live && reaches {
            lane.next = lane.next.max(lane.to);
            let caught_up = lane.next >= cursor;
            lane.decided |= caught_up && !at_once;
            lane.live = caught_up && at_once;
        }
        if lane.live {
            lane.next = lane.next.max(cursor);
        }
    }

    /// For the variant: catch-up found that it had reached the cursor, and says so now.
    pub(super) fn go_live(&self, state: &mut State, id: LaneId) {
        let cursor = state.cursor;
        if let Some(lane) = state.lane_mut(id) {
            lane.live = true;
            lane.decided = false;
            lane.next = lane.next.max(cursor);
        }
        self.settle(state);
    }
}
