//! Attempts, their outcomes, and the request that cancels a record.

use super::Lanes;
use super::journal::Fate;
use super::rule::Rule;
use super::state::{Known, Outcome, Request, State};
use super::world::Record;

/// What may become durable next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Append {
    /// The record was delivered.
    Delivered(u8),
    /// The strict head failed.
    Failed(u8),
    /// The request is answered.
    Answered,
}

impl Lanes {
    /// Whether an attempt may begin.
    pub(super) fn can_send(&self, state: &State, offset: u8) -> bool {
        let is_due = state.failed(offset) == 0 || state.journal.due.contains(offset);
        state.known(offset) == Known::Held && is_due && self.is_head(state, offset)
    }

    /// Whether nothing that is ahead of it in its key holds it back.
    fn is_head(&self, state: &State, offset: u8) -> bool {
        let record = self.world.record(offset);
        let mut ahead = (0..offset).filter(|at| self.world.record(*at).orders(record));
        ahead.all(|at| self.lets_pass(state, at))
    }

    fn lets_pass(&self, state: &State, offset: u8) -> bool {
        let in_flight = state.known(offset) == Known::Sending;
        let has_failed = state.failed(offset) > 0;
        state.is_done(offset)
            || (in_flight && !self.keeps(Rule::NextAfterDurableEnd))
            || (has_failed && !self.keeps(Rule::HeadBlocksItsKey))
    }

    /// A request goes out.
    pub(super) fn send(&self, state: &mut State, offset: u8) {
        let failures = state.failed(offset);
        state.journal.send(&self.world, offset, failures);
        state.learn(offset, Known::Sending);
    }

    /// What may become durable now.
    pub(super) fn results(&self, state: &State) -> Vec<Append> {
        let mut results = Vec::new();
        for offset in self
            .world
            .offsets()
            .filter(|at| self.is_on_the_wire(state, *at))
        {
            results.push(Append::Delivered(offset));
            if self.can_fail(state, offset) {
                results.push(Append::Failed(offset));
            }
        }
        if matches!(state.request, Request::Cancelling | Request::Refusing) {
            results.push(Append::Answered);
        }
        results
    }

    fn is_on_the_wire(&self, state: &State, offset: u8) -> bool {
        let despite_cancel = !self.keeps(Rule::OnTheWireIsRefused)
            && state.known(offset) == Known::Cancelling
            && state.journal.fate(offset) == Fate::InFlight;
        state.known(offset) == Known::Sending || despite_cancel
    }

    fn can_fail(&self, state: &State, offset: u8) -> bool {
        state.failures_left > 0 && self.world.record(offset) == Record::AKeyK
    }

    /// An outcome or a note lands in `attempts`.
    pub(super) fn append(&self, state: &mut State, result: Append) {
        match result {
            Append::Delivered(offset) => {
                state.attempts.push(Outcome::Delivered(offset));
                state.journal.end(offset);
            }
            Append::Failed(offset) => {
                state.failures_left -= 1;
                state.journal.fail(offset);
                let number = state.journal.failures(offset);
                state.attempts.push(Outcome::Note(offset, number));
            }
            Append::Answered => self.append_answer(state),
        }
    }

    fn append_answer(&self, state: &mut State) {
        state.journal.answer();
        let Some(offset) = self
            .world
            .cancel
            .filter(|_| state.request == Request::Cancelling)
        else {
            state.attempts.push(Outcome::Refused);
            return;
        };
        state.journal.end(offset);
        state
            .attempts
            .push(if !self.keeps(Rule::CancelNamesTheRecord) {
                Outcome::CancelledWithoutRecord(offset)
            } else if !self.keeps(Rule::CancelNamesTheRequest) {
                Outcome::CancelledWithoutRequest(offset)
            } else {
                Outcome::Cancelled(offset)
            });
    }

    /// The owner hears that it is durable.
    pub(super) fn acknowledge(&self, state: &mut State, result: Append) {
        match result {
            Append::Delivered(offset) => self.is_over(state, offset),
            Append::Failed(offset) => self.has_failed(state, offset),
            Append::Answered => self.has_answered(state),
        }
        self.settle(state);
    }

    fn is_over(&self, state: &mut State, offset: u8) {
        state.learn(offset, Known::Done);
        state.failed[usize::from(offset)] = 0;
    }

    /// It waits in its window for its due time; one that was on the wire when the epoch changed,
    /// and that no reader has come to since, waits for its reader.
    fn has_failed(&self, state: &mut State, offset: u8) {
        state.failed[usize::from(offset)] += 1;
        let lane = state.lane(self.lane_of(state, offset));
        let is_handed = lane.is_some_and(|lane| offset < lane.next);
        state.learn(
            offset,
            if is_handed {
                Known::Held
            } else {
                Known::Undone
            },
        );
        self.split(state);
    }

    fn has_answered(&self, state: &mut State) {
        let cancelled = self
            .world
            .cancel
            .filter(|_| state.request == Request::Cancelling);
        if let Some(offset) = cancelled {
            self.is_over(state, offset);
            let lane = state.lane(self.lane_of(state, offset));
            if lane.is_some_and(|lane| offset >= lane.next) {
                state.ahead.insert(offset);
            }
        }
        state.request = Request::Done;
    }

    /// The owner comes to the request: it cancels what nothing is being done about, ahead of its
    /// turn, and refuses the rest.
    pub(super) fn act_on_request(&self, state: &mut State, offset: u8) {
        let may_cancel = match state.known(offset) {
            Known::Undone | Known::Held => true,
            Known::Sending => !self.keeps(Rule::OnTheWireIsRefused),
            Known::Cancelling | Known::Done => false,
        };
        state.request = Request::Refusing;
        if may_cancel {
            state.request = Request::Cancelling;
            state.learn(offset, Known::Cancelling);
        }
    }
}
