//! What an owner writes down of what it knows.

use super::Owner;
use super::actions::deposed;
use super::log::{
    Body, Checkpoint, Input, OUTCOMES, Position, Record, Source, TIERS, Topic, as_offset, counted,
    epoch_below,
};
use super::rules::Rule;
use super::state::{Append, Process, State};

impl Owner {
    /// Reads `progress` to its end. Who finds a higher epoch there ends its own, and fences anew if
    /// the partition is still its.
    pub(super) fn finds_higher(&self, state: &mut State, index: usize) -> bool {
        if !deposed(state, index) || !self.keeps(Rule::StopAtHigher) {
            return false;
        }
        if state.group.holder == Some(index) {
            self.end_epoch(state, index);
            self.fence_if_leased(state, index);
        } else {
            self.stop(state, index);
        }
        true
    }

    /// Begins a set: where `progress` has been read to, and no higher epoch found.
    pub(super) fn checkpoint(&self, state: &mut State, index: usize, lagging: bool) {
        state.left.checkpoints -= 1;
        let progress = state.log(Topic::Progress);
        let begins = as_offset(progress.len());
        if self.keeps(Rule::LookFirst) && self.finds_higher(state, index) {
            return;
        }
        let process = &state.processes[index];
        let undone = if lagging { events_undone(process) } else { 0 };
        let cursor = if lagging {
            state.accepted
        } else {
            first_undone(state, process)
        };
        let below = TIERS.map(|(source, topic)| self.tier_below(state, process, source, topic));
        let outputs = OUTCOMES.map(|topic| self.output(state, process, topic, cursor, below));
        let partition = Body::Partition(Checkpoint {
            begins,
            cursor,
            below,
            outputs,
        });
        let mut set = Vec::from([partition]);
        if undone != 0 && self.keeps(Rule::UndoneBelow) {
            let place = if self.keeps(Rule::PartitionLast) {
                0
            } else {
                1
            };
            set.insert(place, Body::Lanes(undone));
        }
        let epoch = process.epoch;
        for body in set {
            let record = Record { epoch, at: 0, body };
            let append = Append {
                topic: Topic::Progress,
                record,
                landed: None,
            };
            state.processes[index].queue.push(append);
        }
    }

    /// Below it all inputs of the tier are done.
    fn tier_below(
        &self,
        state: &State,
        process: &Process,
        source: Source,
        topic: Topic,
    ) -> Position {
        let mut open = process
            .open
            .iter()
            .filter(|(input, _)| input.source == source);
        let end = self.end(state, process, topic);
        let offset = open.next().map_or(end, |(input, _)| input.offset.min(end));
        self.position(state, process, topic, offset)
    }

    /// Where a takeover must begin to read the output: at its oldest outcome whose input is not
    /// below, else at its end.
    fn output(
        &self,
        state: &State,
        process: &Process,
        topic: Topic,
        cursor: u8,
        below: [Position; 2],
    ) -> Position {
        let end = self.end(state, process, topic);
        let lenient = !self.keeps(Rule::IgnoreLower);
        let known = usize::from(process.acknowledged[topic as usize]);
        let mut records = counted(state.log(topic), Position::default(), known, lenient);
        let oldest = records.find_map(|(offset, record)| match record.body {
            Body::Outcome(outcome) if !is_below(outcome.origin, cursor, below) => Some(offset),
            Body::Outcome(_)
            | Body::Fence
            | Body::Start(_)
            | Body::Lanes(_)
            | Body::Partition(_) => None,
        });
        let oldest = oldest.filter(|_| self.keeps(Rule::OldestOutcome));
        self.position(state, process, topic, oldest.unwrap_or(end).min(end))
    }

    /// The end of what the owner knows to be durable.
    fn end(&self, state: &State, process: &Process, topic: Topic) -> u8 {
        if self.keeps(Rule::AcknowledgedEnd) {
            process.acknowledged[topic as usize]
        } else {
            as_offset(state.log(topic).len())
        }
    }

    /// An offset with the highest epoch below it: above its own fence, that is its own.
    fn position(&self, state: &State, process: &Process, topic: Topic, offset: u8) -> Position {
        let own = offset > process.fences[topic as usize] || !self.keeps(Rule::EpochBelowPosition);
        let epoch = if own {
            process.epoch
        } else {
            epoch_below(state.log(topic), offset)
        };
        Position { offset, epoch }
    }
}

fn events_undone(process: &Process) -> u8 {
    let events = process
        .open
        .iter()
        .filter(|(input, _)| input.source == Source::Events);
    events.map(|(input, _)| 1 << input.offset).sum()
}

fn first_undone(state: &State, process: &Process) -> u8 {
    let first = process
        .open
        .first()
        .filter(|(input, _)| input.source == Source::Events);
    first.map_or(state.accepted, |(input, _)| input.offset)
}

fn is_below(origin: Input, cursor: u8, below: [Position; 2]) -> bool {
    match origin.source {
        Source::Events => origin.offset < cursor,
        Source::Tier0 => origin.offset < below[0].offset,
        Source::Tier1 => origin.offset < below[1].offset,
    }
}
