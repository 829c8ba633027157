//! How an epoch ends and the next begins: fences, what is read between, what is kept.

use std::collections::BTreeSet;

use super::Owner;
use super::log::{
    Body, Checkpoint, Input, OUTCOMES, OUTPUTS, Position, Record, Source, TIERS, Topic, as_offset,
    counted, epoch_below,
};
use super::rules::Rule;
use super::state::{Append, Phase, Process, State, Work};
use super::steps::made_before;

impl Owner {
    pub(super) fn fail(&self, state: &mut State, index: usize) {
        state.left.interruptions -= 1;
        let running = state.processes[index].phase == Phase::Running;
        if running && !self.keeps(Rule::EndEpoch) {
            let queue = state.processes[index].queue.clone();
            self.end_writer(state, index);
            let again = queue.into_iter().map(|append| Append {
                landed: None,
                ..append
            });
            state.processes[index].queue = again.collect();
            return;
        }
        self.end_epoch(state, index);
        self.fence_if_leased(state, index);
    }

    /// Destroys the writer and keeps what the process alone knows: requests and answers.
    pub(super) fn end_epoch(&self, state: &mut State, index: usize) {
        self.end_writer(state, index);
        let keeps_wire = self.keeps(Rule::KeepWire);
        let rereads = self.keeps(Rule::ReadAgain);
        let process = &mut state.processes[index];
        process.phase = Phase::Assigned;
        process.open.retain_mut(|(_, work)| match *work {
            Work::Todo | Work::Appending(None) => {
                *work = Work::Todo;
                !rereads
            }
            Work::Wire(_) => keeps_wire,
            Work::Appending(Some(well)) | Work::Answered(well) => {
                *work = Work::Answered(well);
                true
            }
        });
    }

    /// What has not landed by now may land later, each topic's in its order.
    fn end_writer(&self, state: &mut State, index: usize) {
        let queue = std::mem::take(&mut state.processes[index].queue);
        for topic in OUTPUTS {
            let waiting = queue.iter().filter(|append| append.landed.is_none());
            let records = waiting
                .filter(|append| append.topic == topic)
                .map(|append| append.record);
            let queues = &mut state.late[topic as usize];
            if self.keeps(Rule::PrefixWriter) {
                queues.push(records.collect());
            } else {
                queues.extend(records.map(|record| vec![record]));
            }
            queues.retain(|queue| !queue.is_empty());
            queues.sort();
        }
    }

    pub(super) fn crash(&self, state: &mut State, index: usize) {
        state.left.interruptions -= 1;
        state.group.holder = None;
        self.stop(state, index);
    }

    /// The process forgets what it had of the partition.
    pub(super) fn stop(&self, state: &mut State, index: usize) {
        self.end_writer(state, index);
        state.processes[index] = Process::default();
    }

    pub(super) fn assign(&self, state: &mut State, index: usize) {
        self.end_epoch(state, index);
        state.group.holder = Some(index);
        state.group.heard = state.now;
        let process = &mut state.processes[index];
        process.lease = Some(state.now);
        process.commit = None;
        process.begun = [0; 2];
        self.fence_if_leased(state, index);
    }

    /// Appends the first fence at once if the lease holds, else waits for a commit.
    pub(super) fn fence_if_leased(&self, state: &mut State, index: usize) {
        if self.leased(state, index, Rule::FenceUnderLease) {
            self.fence(state, index);
        }
    }

    pub(super) fn fence(&self, state: &mut State, index: usize) {
        let progress = state.log(Topic::Progress);
        let chosen = 1 + epoch_below(progress, as_offset(progress.len()));
        let process = &mut state.processes[index];
        process.phase = Phase::FencingFirst;
        process.epoch = chosen;
        let first: &[Topic] = if self.keeps(Rule::ProgressFirst) {
            &[Topic::Progress]
        } else {
            &OUTCOMES
        };
        append_fences(process, first);
    }

    pub(super) fn fence_rest(&self, state: &mut State, index: usize) {
        let rest: &[Topic] = if self.keeps(Rule::ProgressFirst) {
            &OUTCOMES
        } else {
            &[Topic::Progress]
        };
        state.processes[index].phase = Phase::FencingRest;
        append_fences(&mut state.processes[index], rest);
        for topic in rest.iter().filter(|topic| **topic != Topic::Progress) {
            if quiet(state, index, *topic) {
                self.land(state, index, *topic);
            }
        }
    }

    /// Each fence that is acknowledged; after the last, the process reads and acts.
    pub(super) fn fence_acknowledged(
        &self,
        state: &mut State,
        index: usize,
        topic: Topic,
        offset: u8,
    ) {
        let landed = state.log(topic)[usize::from(offset)];
        let process = &mut state.processes[index];
        process.fences[topic as usize] = offset;
        process.epoch = landed.epoch;
        if !process.queue.is_empty() {
            return;
        }
        if process.phase == Phase::FencingFirst && self.keeps(Rule::FenceAll) {
            process.phase = Phase::Fenced;
            if self.leased(state, index, Rule::FenceUnderLease) {
                self.fence_rest(state, index);
            }
        } else {
            self.take_over(state, index);
        }
    }

    /// Reads the last checkpoint that counts, and the outputs from its positions up to the fences.
    fn take_over(&self, state: &mut State, index: usize) {
        if !self.keeps(Rule::FenceAll) {
            for topic in OUTCOMES {
                let end = as_offset(state.log(topic).len());
                state.processes[index].fences[topic as usize] = end;
                state.processes[index].acknowledged[topic as usize] = end;
            }
        }
        let kept = std::mem::take(&mut state.processes[index].open);
        state.processes[index].phase = Phase::Running;
        if self.keeps(Rule::ReadAgain) || kept.is_empty() {
            let (undone, started) = self.read(state, index);
            let process = &mut state.processes[index];
            for input in undone {
                let remembered = kept.iter().find(|(known, _)| *known == input);
                process.open(input, remembered.map_or(Work::Todo, |(_, work)| *work));
            }
            self.judge_starts(state, index, &started);
        } else {
            state.processes[index].open = kept;
        }
        self.append_answers(state, index);
    }

    fn append_answers(&self, state: &mut State, index: usize) {
        for (input, work) in state.processes[index].open.clone() {
            if let Work::Answered(well) = work {
                let made = made_before(state, input) + 1;
                self.append_answer(state, index, input, well, made);
            }
        }
    }

    /// What the variants without O10 make of a start that has no outcome.
    fn judge_starts(&self, state: &mut State, index: usize, started: &BTreeSet<Input>) {
        for input in started {
            if state.processes[index].work(*input) == Some(&mut Work::Todo) {
                if !self.keeps(Rule::StartSpendsNothing) {
                    let made = made_before(state, *input);
                    self.append_answer(state, index, *input, false, made);
                } else if !self.keeps(Rule::SentAgain) {
                    state.processes[index].done(*input);
                }
            }
        }
    }

    /// The inputs that are undone as of the fences, and those among all of which a start is noted.
    fn read(&self, state: &State, index: usize) -> (Vec<Input>, BTreeSet<Input>) {
        let fences = &state.processes[index].fences;
        let (checkpoint, lanes) = self.last_checkpoint(state, fences[Topic::Progress as usize]);
        let mut done = BTreeSet::new();
        let mut started = BTreeSet::new();
        for (topic, from) in OUTCOMES.into_iter().zip(checkpoint.outputs) {
            for (_, record) in self.reads(state, topic, from, fences[topic as usize]) {
                match record.body {
                    Body::Outcome(outcome) => _ = done.insert(outcome.origin),
                    Body::Start(input) => _ = started.insert(input),
                    Body::Fence | Body::Lanes(_) | Body::Partition(_) => {}
                }
            }
        }
        if !self.keeps(Rule::ReadOutputs) {
            done.clear();
        }
        let mut undone = events_from(state.accepted, checkpoint.cursor, lanes);
        for ((source, topic), from) in TIERS.into_iter().zip(checkpoint.below) {
            let retries = self.reads(state, topic, from, fences[topic as usize]);
            let retries = retries.filter(|(_, record)| matches!(record.body, Body::Outcome(_)));
            undone.extend(retries.map(|(offset, _)| Input { source, offset }));
        }
        undone.retain(|input| !done.contains(input));
        (undone, started)
    }

    /// The records of `topic` that count, from a position of a checkpoint up to a fence.
    fn reads<'a>(
        &self,
        state: &'a State,
        topic: Topic,
        mut from: Position,
        fence: u8,
    ) -> impl Iterator<Item = (u8, &'a Record)> + use<'a> {
        if !self.keeps(Rule::EpochAsOfPosition) {
            from.epoch = 0;
        }
        let lenient = !self.keeps(Rule::IgnoreLower);
        counted(
            state.log(topic),
            from,
            usize::from(fence).max(usize::from(from.offset)),
            lenient,
        )
    }

    /// Steps back from the fence in `progress` to the last partition record, whoever's it is: a
    /// set is true whenever it lands, because its writer looked before it wrote.
    fn last_checkpoint(&self, state: &State, fence: u8) -> (Checkpoint, u8) {
        let progress = &state.log(Topic::Progress)[..usize::from(fence)];
        for (offset, record) in progress.iter().enumerate().rev() {
            let Body::Partition(checkpoint) = record.body else {
                continue;
            };
            let end = if self.keeps(Rule::PartitionLast) {
                offset
            } else {
                progress.len()
            };
            let set = progress[usize::from(checkpoint.begins)..end].iter().rev();
            let mut own = set.filter(|other| other.epoch == record.epoch);
            let lanes = own.find_map(|other| match other.body {
                Body::Lanes(undone) => Some(undone),
                Body::Fence | Body::Outcome(_) | Body::Start(_) | Body::Partition(_) => None,
            });
            return (checkpoint, lanes.unwrap_or(0));
        }
        let start = Position::default();
        (
            Checkpoint {
                begins: 0,
                cursor: 0,
                below: [start; 2],
                outputs: [start; 4],
            },
            0,
        )
    }
}

/// Whether nobody else can append to `topic` what a fence would shut out. Then a fence may as well
/// land at once, which spares the search many orders that don't differ.
fn quiet(state: &State, index: usize, topic: Topic) -> bool {
    let mut others = state
        .processes
        .iter()
        .enumerate()
        .filter(|(other, _)| *other != index);
    let none_late = state.late[topic as usize].is_empty();
    none_late && others.all(|(_, process)| process.phase == Phase::Down)
}

fn append_fences(process: &mut Process, topics: &[Topic]) {
    let record = Record {
        epoch: process.epoch,
        at: 0,
        body: Body::Fence,
    };
    let fences = topics.iter().map(|topic| Append {
        topic: *topic,
        record,
        landed: None,
    });
    process.queue.extend(fences);
}

/// The events at or above the cursor, and those below it that the lanes say are undone.
fn events_from(accepted: u8, cursor: u8, lanes: u8) -> Vec<Input> {
    let undone = |offset: &u8| *offset >= cursor || lanes & (1 << offset) != 0;
    let offsets = (0..accepted).filter(undone);
    offsets
        .map(|offset| Input {
            source: Source::Events,
            offset,
        })
        .collect()
}
