//! What a step does: the log's, the group's, and the owner's work on its inputs.

use super::Owner;
use super::actions::Action;
use super::log::{Body, Input, Outcome, Record, Source, Topic, What, as_offset, epoch_below};
use super::rules::Rule;
use super::state::{Append, Phase, Process, State, Work};

impl Owner {
    pub(super) fn step(&self, state: &mut State, action: Action) {
        match action {
            Action::Tick(commits) => {
                state.now += 1;
                if let (Some(holder), true) = (state.group.holder, commits) {
                    self.commit(state, holder);
                }
            }
            Action::Ingest => self.ingest(state),
            Action::IngestStops => state.ingesting = false,
            Action::Land(index, topic) => self.land(state, index, topic),
            Action::Acknowledge(index, topic) => self.acknowledge(state, index, topic),
            Action::LandLate(topic, queue) => self.land_late(state, topic, queue),
            Action::Fail(index) => self.fail(state, index),
            Action::Crash(index) => self.crash(state, index),
            Action::Expel => {
                state.left.interruptions -= 1;
                state.group.holder = None;
            }
            Action::Assign(index) => self.assign(state, index),
            Action::Commit(index) => self.commit(state, index),
            Action::Committed(index) => self.committed(state, index),
            Action::Fence(index) => self.fence(state, index),
            Action::FenceRest(index) => self.fence_rest(state, index),
            Action::Send(index, input) => self.send(state, index, input),
            Action::Answer(index, input, well) => self.answer(state, index, input, well),
            Action::PutOff(index, input) => self.put_off(state, index, input),
            Action::Look(index) => _ = self.finds_higher(state, index),
            Action::Checkpoint(index, lagging) => self.checkpoint(state, index, lagging),
            Action::Cancel(delivery) => cancel(state, delivery),
            Action::Tear(index, topic) => self.tear(state, index, topic),
        }
    }

    fn ingest(&self, state: &mut State) {
        let left = self.bounds.deliveries - state.accepted;
        let records = if self.keeps(Rule::OneAppend) { left } else { 1 };
        (0..records).for_each(|_| state.accept());
        state.ingesting = state.accepted < self.bounds.deliveries;
    }

    pub(super) fn land(&self, state: &mut State, index: usize, topic: Topic) {
        let waiting = |append: &&mut Append| append.topic == topic && append.landed.is_none();
        let append = state.processes[index].queue.iter_mut().find(waiting);
        let append = append.expect("enabled only with a waiting append");
        append.landed = Some(as_offset(state.logs[topic as usize].len()));
        let record = append.record;
        let offset = self.store(state, topic, record);
        let reads_at_once = !self.keeps(Rule::DurableEnd);
        if reads_at_once && state.processes[index].phase == Phase::Running {
            open_retry(&mut state.processes[index], topic, record, offset);
        }
        let waits_for_more = matches!(record.body, Body::Outcome(_)) && self.bounds.slow_acks;
        if !waits_for_more {
            self.acknowledge(state, index, topic);
        }
    }

    /// Writes `record` at the end of `topic`, as the log does it.
    fn store(&self, state: &mut State, topic: Topic, mut record: Record) -> u8 {
        let offset = as_offset(state.log(topic).len());
        let by_offset = self.keeps(Rule::EpochIsOffset) && self.keeps(Rule::ProgressFirst);
        match topic {
            Topic::Tier0 | Topic::Tier1 => record.at = state.now,
            Topic::Progress if record.body == Body::Fence && by_offset => {
                record.epoch = 1 + epoch_below(state.log(topic), offset);
            }
            Topic::Attempts | Topic::DeadLetters | Topic::Progress => {}
        }
        state.log_mut(topic).push(record);
        offset
    }

    fn acknowledge(&self, state: &mut State, index: usize, topic: Topic) {
        let process = &mut state.processes[index];
        let place = process
            .queue
            .iter()
            .position(|append| append.topic == topic);
        let append = process
            .queue
            .remove(place.expect("enabled only with an append"));
        let offset = append.landed.expect("enabled only once it has landed");
        process.acknowledged[topic as usize] = offset + 1;
        match append.record.body {
            Body::Fence => self.fence_acknowledged(state, index, topic, offset),
            Body::Outcome(outcome) => {
                process.done(outcome.origin);
                let confirms = matches!(outcome.what, What::Again(_)) && self.keeps(Rule::Confirm);
                if confirms && self.finds_higher(state, index) {
                    return;
                }
                let process = &mut state.processes[index];
                open_retry(process, topic, append.record, offset);
                if outcome.what == What::Failed {
                    let due = (state.now + 2).min(self.bounds.last_tick);
                    let again = Outcome {
                        what: What::Again(due),
                        ..outcome
                    };
                    self.append_outcome(state, index, Topic::Tier0, again);
                }
            }
            Body::Start(_) | Body::Lanes(_) | Body::Partition(_) => {}
        }
    }

    fn land_late(&self, state: &mut State, topic: Topic, queue: usize) {
        let queues = &mut state.late[topic as usize];
        let record = queues[queue].remove(0);
        queues.retain(|queue| !queue.is_empty());
        queues.sort();
        let offset = self.store(state, topic, record);
        if !self.keeps(Rule::IgnoreLower) {
            for process in &mut state.processes {
                if process.phase == Phase::Running && process.fences[topic as usize] < offset {
                    open_retry(process, topic, record, offset);
                }
            }
        }
    }

    fn commit(&self, state: &mut State, index: usize) {
        state.group.heard = state.now;
        let process = &mut state.processes[index];
        if self.bounds.slow_commits {
            process.commit.get_or_insert(state.now);
        } else {
            process.lease = Some(state.now);
        }
    }

    fn committed(&self, state: &mut State, index: usize) {
        let process = &mut state.processes[index];
        let sent = process.commit.take();
        let from = if self.keeps(Rule::LeaseFromSending) {
            sent
        } else {
            Some(state.now)
        };
        process.lease = process.lease.max(from);
    }

    fn send(&self, state: &mut State, index: usize, input: Input) {
        let (delivery, spent, due) = self.wanted(state, input);
        state.seen.early |= state.now < due;
        let by_lease_alone = !self.bounds.stopped_clock;
        state.seen.needless |= by_lease_alone && self.has_outcome(state, input);
        let epoch = state.processes[index].epoch;
        let mut attempts = state.log(Topic::Attempts).iter();
        state.seen.useless |= by_lease_alone && attempts.any(|record| record.epoch > epoch);
        let process = &mut state.processes[index];
        let begun = &mut process.begun[usize::from(delivery)];
        state.seen.repeated |= by_lease_alone && *begun & (1 << spent) != 0;
        *begun |= 1 << spent;
        let epoch = process.epoch;
        *process.work(input).expect("only what is open is sent") = Work::Wire(epoch);
        if self.bounds.starts {
            let record = Record {
                epoch,
                at: 0,
                body: Body::Start(input),
            };
            process.queue.push(Append {
                topic: Topic::Attempts,
                record,
                landed: None,
            });
        }
    }

    fn answer(&self, state: &mut State, index: usize, input: Input, well: bool) {
        let made = made_before(state, input) + 1;
        self.append_answer(state, index, input, well, made);
    }

    /// Appends the outcome of an attempt at `input`.
    pub(super) fn append_answer(
        &self,
        state: &mut State,
        index: usize,
        input: Input,
        well: bool,
        made: u8,
    ) {
        let (delivery, spent, _) = self.wanted(state, input);
        let (spent, due) = (spent + 1, (state.now + 2).min(self.bounds.last_tick));
        let (topic, what) = if well {
            (Topic::Attempts, What::Succeeded)
        } else if spent >= self.bounds.attempts {
            (Topic::DeadLetters, What::Dead)
        } else if self.keeps(Rule::OneOutcome) {
            (Topic::Tier0, What::Again(due))
        } else {
            (Topic::Attempts, What::Failed)
        };
        let step = self.step_of(state, input) + 1;
        let outcome = Outcome {
            delivery,
            origin: input,
            step,
            spent,
            made,
            what,
        };
        let epoch = self.append_outcome(state, index, topic, outcome);
        let work = state.processes[index]
            .work(input)
            .expect("only what is open is answered");
        let before = std::mem::replace(work, Work::Appending(Some(well)));
        if let (Work::Wire(begun), false) = (before, self.keeps(Rule::NewEpochOnWire)) {
            let last = state.processes[index]
                .queue
                .last_mut()
                .expect("it was just appended");
            last.record.epoch = begun.min(epoch);
        }
        if !self.keeps(Rule::DurableThenDone) {
            state.processes[index].done(input);
        }
    }

    fn append_outcome(&self, state: &mut State, index: usize, topic: Topic, said: Outcome) -> u8 {
        let process = &mut state.processes[index];
        let record = Record {
            epoch: process.epoch,
            at: 0,
            body: Body::Outcome(said),
        };
        process.queue.push(Append {
            topic,
            record,
            landed: None,
        });
        process.epoch
    }

    fn put_off(&self, state: &mut State, index: usize, input: Input) {
        let (delivery, spent, due) = self.wanted(state, input);
        if state.now >= due {
            state.left.full -= 1;
        }
        let spent = spent + u8::from(!self.keeps(Rule::PutOffSpendsNothing));
        let (topic, what) = if spent >= self.bounds.attempts {
            (Topic::DeadLetters, What::Dead)
        } else {
            (Topic::Tier1, What::Again(due))
        };
        let step = self.step_of(state, input) + 1;
        let made = made_before(state, input);
        let outcome = Outcome {
            delivery,
            origin: input,
            step,
            spent,
            made,
            what,
        };
        self.append_outcome(state, index, topic, outcome);
        let work = state.processes[index].work(input);
        *work.expect("only what is open is put off") = Work::Appending(None);
    }

    fn tear(&self, state: &mut State, index: usize, topic: Topic) {
        state.log_mut(topic).pop();
        self.fail(state, index);
    }

    /// The delivery of `input`, the attempts spent before it, and when it is due.
    fn wanted(&self, state: &State, input: Input) -> (u8, u8, u8) {
        match outcome_at(state, input) {
            Some(Outcome {
                delivery,
                spent,
                what: What::Again(due),
                ..
            }) => (delivery, spent, due),
            Some(Outcome {
                delivery, spent, ..
            }) => (delivery, spent, 0),
            None => (input.offset, 0, 0),
        }
    }

    fn step_of(&self, state: &State, input: Input) -> u8 {
        outcome_at(state, input).map_or(0, |outcome| outcome.step)
    }
}

/// What the retry record `input` says; `None` for an event.
fn outcome_at(state: &State, input: Input) -> Option<Outcome> {
    let record = state.log(input.topic()?).get(usize::from(input.offset))?;
    match record.body {
        Body::Outcome(outcome) => Some(outcome),
        Body::Fence | Body::Start(_) | Body::Lanes(_) | Body::Partition(_) => None,
    }
}

/// How many attempts were really made before `input`.
pub(super) fn made_before(state: &State, input: Input) -> u8 {
    outcome_at(state, input).map_or(0, |outcome| outcome.made)
}

/// A retry that `process` knows to be in the log is an input of its.
fn open_retry(process: &mut Process, topic: Topic, record: Record, offset: u8) {
    let source = match topic {
        Topic::Tier0 => Source::Tier0,
        Topic::Tier1 => Source::Tier1,
        Topic::Attempts | Topic::DeadLetters | Topic::Progress => return,
    };
    if matches!(record.body, Body::Outcome(_)) {
        process.open(Input { source, offset }, Work::Todo);
    }
}

/// Somebody who doesn't own the partition ends a delivery there.
fn cancel(state: &mut State, delivery: u8) {
    state.left.interruptions -= 1;
    let origin = Input {
        source: Source::Events,
        offset: delivery,
    };
    let what = What::Cancelled;
    let body = Body::Outcome(Outcome {
        delivery,
        origin,
        step: 1,
        spent: 0,
        made: 0,
        what,
    });
    let epoch = epoch_below(
        state.log(Topic::Attempts),
        as_offset(state.log(Topic::Attempts).len()),
    );
    state
        .log_mut(Topic::Attempts)
        .push(Record { epoch, at: 0, body });
}
