//! An interruption, and the takeover that follows it.

use super::Lanes;
use super::checkpoint::Set;
use super::rule::Rule;
use super::send::Append;
use super::state::{Known, Lane, Outcome, Request, State};
use super::world::{LANES, LaneId, Offsets, RECORDS};

/// How an owner's life, or its epoch, ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Interruption {
    /// An append failed or is unknown: the owner begins a new epoch, and what is on the wire stays
    /// there. Else it crashed.
    pub(super) survives: bool,
    /// Appends to `attempts` that landed and of which it never heard.
    pub(super) landed: Vec<Append>,
    /// How many records of the checkpoint that it was writing landed.
    pub(super) checkpoint: usize,
}

impl Lanes {
    /// Each way in which the owner can be interrupted now.
    pub(super) fn interruptions(&self, state: &State) -> Vec<Interruption> {
        let mut ways = Vec::new();
        let wire_is_empty = !state.known.contains(&Known::Sending);
        for landed in self.landings(state) {
            for checkpoint in 0..=state.checkpoint.len() {
                for survives in if wire_is_empty {
                    &[false][..]
                } else {
                    &[false, true]
                } {
                    let landed = landed.clone();
                    ways.push(Interruption {
                        survives: *survives,
                        landed,
                        checkpoint,
                    });
                }
            }
        }
        ways
    }

    /// Each set of results that may have landed; of one record, one result.
    fn landings(&self, state: &State) -> Vec<Vec<Append>> {
        let mut landings = vec![Vec::new()];
        for result in self.results(state) {
            for at in 0..landings.len() {
                let with = &landings[at];
                let failures = with
                    .iter()
                    .filter(|other| matches!(other, Append::Failed(_)));
                let is_spent = failures.count() >= usize::from(state.failures_left);
                let clashes = with.iter().any(|other| other.offset() == result.offset());
                let exceeds = is_spent && matches!(result, Append::Failed(_));
                if !clashes && !exceeds {
                    let mut with = with.clone();
                    with.push(result);
                    landings.push(with);
                }
            }
        }
        landings
    }

    /// The owner is interrupted, and its successor, or itself in a new epoch, takes over.
    pub(super) fn interrupt(&self, state: &mut State, how: &Interruption) {
        for result in &how.landed {
            self.append(state, *result);
        }
        for record in std::mem::take(&mut state.checkpoint)
            .iter()
            .take(how.checkpoint)
        {
            self.land(state, record);
        }
        let on_the_wire: Vec<u8> = self
            .world
            .offsets()
            .filter(|at| how.survives && state.known(*at) == Known::Sending)
            .collect();
        if !how.survives {
            state.journal.hide();
        }
        self.take_over(state);
        for offset in on_the_wire {
            if !state.is_done(offset) && !how.landed.contains(&Append::Failed(offset)) {
                state.learn(offset, Known::Sending);
            }
        }
    }

    /// Reads the set and the outputs, marks what is done, and rebuilds the lanes.
    pub(super) fn take_over(&self, state: &mut State) {
        let set = self.read_set(state);
        let before = std::mem::take(&mut state.lanes);
        self.forget_everything(state, &set);
        self.mark_set(state, &set);
        self.mark_outputs(state);
        self.rebuild_lanes(state, &set, &before);
        self.split(state);
        let was_passed = |at| self.is_passed(state, at);
        let mut ahead = state.ahead;
        ahead.retain(|at| !was_passed(at));
        state.ahead = ahead;
        self.settle(state);
    }

    fn is_passed(&self, state: &State, offset: u8) -> bool {
        offset < self.resume(state, self.lane_of(state, offset))
    }

    fn forget_everything(&self, state: &mut State, set: &Set) {
        let cursor = set.partition.cursor;
        state.cursor = cursor;
        state.known = [Known::Undone; RECORDS];
        state.failed = [0; RECORDS];
        state.first_set = true;
        state.ahead = set.partition.ahead;
        state.request = if set.partition.request_done {
            Request::Done
        } else {
            Request::Waiting
        };
        if self.keeps(Rule::IndexEmptyAtTakeover) {
            state.notes = Offsets::default();
        }
        state.notes.retain(|at| at < cursor);
    }

    fn mark_set(&self, state: &mut State, set: &Set) {
        if set.lanes[LaneId::KeyOfA as usize].is_some() {
            state.lanes[LaneId::KeyOfA as usize] = Some(Lane::at(0, 0));
        }
        for offset in self.world.offsets() {
            let record = set.lanes[self.lane_of(state, offset) as usize];
            let below = record.map_or(set.partition.cursor, |record| record.resume);
            let in_bitmap = record.is_some_and(|record| record.done.contains(offset));
            if offset < below || in_bitmap || set.partition.ahead.contains(offset) {
                state.learn(offset, Known::Done);
            }
        }
        for (head, failed) in set.lanes.iter().flatten().filter_map(|record| record.head) {
            state.failed[usize::from(head)] = failed;
        }
    }

    fn mark_outputs(&self, state: &mut State) {
        let mut notes = [0; RECORDS];
        for outcome in state.attempts.clone() {
            match outcome {
                Outcome::Delivered(at) => state.learn(at, Known::Done),
                Outcome::Cancelled(at) => {
                    self.mark_cancelled(state, at);
                    state.request = Request::Done;
                }
                Outcome::CancelledWithoutRequest(at) => self.mark_cancelled(state, at),
                Outcome::CancelledWithoutRecord(_) | Outcome::Refused => {
                    state.request = Request::Done;
                }
                Outcome::Note(at, number) => notes[usize::from(at)] = number,
            }
        }
        self.mark_failed(state, &notes);
    }

    fn mark_cancelled(&self, state: &mut State, offset: u8) {
        state.learn(offset, Known::Done);
        state.ahead.insert(offset);
    }

    /// The higher number counts, of a note and of a lane's record; of what has ended, none.
    fn mark_failed(&self, state: &mut State, notes: &[u8; RECORDS]) {
        for offset in self.world.offsets() {
            let noted = notes[usize::from(offset)];
            let is_done = state.is_done(offset);
            let failed = &mut state.failed[usize::from(offset)];
            if self.keeps(Rule::NotesAreRead) {
                *failed = (*failed).max(noted);
            }
            if is_done {
                *failed = 0;
            }
        }
    }

    fn rebuild_lanes(&self, state: &mut State, set: &Set, before: &[Option<Lane>; LANES]) {
        let cursor = state.cursor;
        for id in LaneId::ALL {
            let record = set.lanes[id as usize];
            let is_present = id != LaneId::KeyOfA || record.is_some();
            let next = record.map_or(cursor, |record| record.resume);
            let mut lane = Lane::at(next, cursor);
            let kept = before[id as usize].filter(|_| !self.keeps(Rule::IndexEmptyAtTakeover));
            if let Some(kept) = kept.filter(|kept| !kept.live) {
                (lane.from, lane.to) = (kept.from.min(cursor), kept.to.min(cursor));
            }
            state.lanes[id as usize] = is_present.then_some(lane);
        }
    }
}

impl Lane {
    /// A lane that reads on at `next`, and of which the index has nothing.
    fn at(next: u8, cursor: u8) -> Self {
        Self {
            next,
            live: next >= cursor,
            from: cursor,
            to: cursor,
            decided: false,
        }
    }

    /// It begins to lag at the record that the cursor has come to.
    pub(super) fn lag(&mut self, offset: u8) {
        self.live = false;
        (self.from, self.to) = (offset, offset);
    }
}

impl Append {
    fn offset(self) -> Option<u8> {
        match self {
            Self::Delivered(offset) | Self::Failed(offset) => Some(offset),
            Self::Answered => None,
        }
    }
}
