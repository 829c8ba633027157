//! What may happen next.

use super::Owner;
use super::log::{Body, Input, OUTPUTS, Source, Topic, What};
use super::rules::Rule;
use super::state::{Phase, Process, State, Work};

/// One step of somebody: of a process (by its index), of the log, of the group, of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Half a session passes; whoever holds the partition commits right after, or doesn't.
    Tick(bool),
    /// A request is appended to `events`: all of it, or without W1 one endpoint's record.
    Ingest,
    /// Ingest dies, or the append fails.
    IngestStops,
    /// The process's next append to the topic lands.
    Land(usize, Topic),
    /// The process learns that its oldest append to the topic is durable.
    Acknowledge(usize, Topic),
    /// What an ended writer had sent lands after all: this one of the topic's queues.
    LandLate(Topic, usize),
    /// An append of the process fails, or its acknowledgement is lost: it cannot tell.
    Fail(usize),
    /// The process dies.
    Crash(usize),
    /// The group has not heard from its holder for a session and takes the partition away.
    Expel,
    /// The group gives the partition to the process.
    Assign(usize),
    /// A group commit of the process succeeds, long after the last tick.
    Commit(usize),
    /// The process learns that its commit succeeded.
    Committed(usize),
    /// The process appends its first fence.
    Fence(usize),
    /// The process appends the other fences.
    FenceRest(usize),
    /// A request goes on the wire.
    Send(usize, Input),
    /// The receiver's answer reaches the process; the outcome is appended.
    Answer(usize, Input, bool),
    /// A retry that isn't due, or whose lane is full, goes to a further tier.
    PutOff(usize, Input),
    /// The process reads `progress` and finds a higher epoch than its own.
    Look(usize),
    /// A checkpoint is begun; with lanes that lag, or with none.
    Checkpoint(usize, bool),
    /// The API writes a cancellation itself: only without W3.
    Cancel(u8),
    /// What had landed and was not durable is lost: only without W4.
    Tear(usize, Topic),
}

impl Owner {
    pub(super) fn every_action(&self, state: &State, actions: &mut Vec<Action>) {
        self.of_the_world(state, actions);
        for index in 0..state.processes.len() {
            self.of_the_log(state, index, actions);
            self.of_the_group(state, index, actions);
            self.of_takeover(state, index, actions);
            if state.processes[index].phase == Phase::Running {
                self.of_work(state, index, actions);
            }
        }
    }

    fn of_the_world(&self, state: &State, actions: &mut Vec<Action>) {
        if state.now < self.bounds.last_tick && self.time_matters(state) {
            actions.push(Action::Tick(false));
            if state.group.holder.is_some() {
                actions.push(Action::Tick(true));
            }
        }
        if state.ingesting {
            actions.extend([Action::Ingest, Action::IngestStops]);
        }
        for topic in OUTPUTS {
            let queues = 0..state.late[topic as usize].len();
            actions.extend(queues.map(|queue| Action::LandLate(topic, queue)));
        }
        if !self.keeps(Rule::SoleWriter) {
            let may_cancel = state.left.interruptions > 0;
            actions.extend(
                (0..state.accepted)
                    .filter(|_| may_cancel)
                    .map(Action::Cancel),
            );
        }
        if state.left.interruptions > 0 && self.may_expel(state) {
            actions.push(Action::Expel);
        }
    }

    /// Whether anybody waits: for a tier, a due time, the end of a session.
    fn time_matters(&self, state: &State) -> bool {
        let mut open = state.processes.iter().flat_map(|process| &process.open);
        let may_wait = |input: Input| {
            let (released, due) = self.waits(state, input);
            !released || state.now < due
        };
        let unleased = |holder: usize| !state.processes[holder].leased(state.now);
        state.left.interruptions > 0
            || open.any(|(input, work)| *work == Work::Todo && may_wait(*input))
            || state.group.holder.is_some_and(unleased)
    }

    fn may_expel(&self, state: &State) -> bool {
        let heard = state.group.heard;
        if self.bounds.calm {
            return false;
        }
        let silent = state.now - heard >= 2
            || (state.now == self.bounds.last_tick && heard < self.bounds.last_tick);
        silent && state.group.holder.is_some()
    }

    fn of_the_log(&self, state: &State, index: usize, actions: &mut Vec<Action>) {
        let process = &state.processes[index];
        for topic in OUTPUTS {
            let mut of_topic = process.queue.iter().filter(|append| append.topic == topic);
            if of_topic.clone().any(|append| append.landed.is_none()) {
                actions.push(Action::Land(index, topic));
            }
            if of_topic
                .next()
                .is_some_and(|append| append.landed.is_some())
            {
                actions.push(Action::Acknowledge(index, topic));
            }
            if !self.keeps(Rule::DurableEnd) && may_tear(state, process, topic) {
                actions.push(Action::Tear(index, topic));
            }
        }
    }

    fn of_the_group(&self, state: &State, index: usize, actions: &mut Vec<Action>) {
        let process = &state.processes[index];
        if process.commit.is_some() {
            actions.push(Action::Committed(index));
        }
        let Some(holder) = state.group.holder else {
            let first_down = state
                .processes
                .iter()
                .position(|other| other.phase == Phase::Down);
            if process.phase != Phase::Down || first_down == Some(index) {
                actions.push(Action::Assign(index));
            }
            return;
        };
        let may_fail = holder == index || self.leased(state, index, Rule::FenceUnderLease);
        if state.left.interruptions > 0 {
            if may_fail && !process.queue.is_empty() && !self.bounds.calm {
                actions.push(Action::Fail(index));
            }
            if holder == index {
                actions.push(Action::Crash(index));
            }
        }
        let late = state.now == self.bounds.last_tick && process.commit.is_none();
        if holder == index && late && !process.leased(state.now) {
            actions.push(Action::Commit(index));
        }
    }

    fn of_takeover(&self, state: &State, index: usize, actions: &mut Vec<Action>) {
        let process = &state.processes[index];
        let may_fence = self.leased(state, index, Rule::FenceUnderLease);
        match process.phase {
            Phase::Assigned if may_fence => actions.push(Action::Fence(index)),
            Phase::Fenced if may_fence => actions.push(Action::FenceRest(index)),
            Phase::Down
            | Phase::Assigned
            | Phase::FencingFirst
            | Phase::Fenced
            | Phase::FencingRest
            | Phase::Running => {}
        }
    }

    fn of_work(&self, state: &State, index: usize, actions: &mut Vec<Action>) {
        let process = &state.processes[index];
        for &(input, work) in &process.open {
            match work {
                Work::Todo => self.of_todo(state, index, input, actions),
                Work::Wire(_) => {
                    actions.push(Action::Answer(index, input, true));
                    if !self.bounds.calm {
                        actions.push(Action::Answer(index, input, false));
                    }
                }
                Work::Answered(_) | Work::Appending(_) => {}
            }
        }
        if self.keeps(Rule::StopAtHigher) && deposed(state, index) {
            actions.push(Action::Look(index));
        }
        let under_way = |append: &super::state::Append| {
            matches!(append.record.body, Body::Partition(_) | Body::Lanes(_))
        };
        if state.left.checkpoints > 0 && !process.queue.iter().any(under_way) {
            actions.push(Action::Checkpoint(index, false));
            if process
                .open
                .iter()
                .any(|(input, _)| input.source == Source::Events)
            {
                actions.push(Action::Checkpoint(index, true));
            }
        }
    }

    fn of_todo(&self, state: &State, index: usize, input: Input, actions: &mut Vec<Action>) {
        let (released, due) = self.waits(state, input);
        let clock = state.now + u8::from(!self.keeps(Rule::LogTime));
        if !released {
            return;
        }
        let leased = self.leased(state, index, Rule::Lease);
        if clock >= due && leased {
            actions.push(Action::Send(index, input));
        }
        let may_put_off = clock < due || state.left.full > 0;
        if input.source != Source::Events && may_put_off {
            actions.push(Action::PutOff(index, input));
        }
    }

    /// Whether the tier has let the input go, and when it is due.
    fn waits(&self, state: &State, input: Input) -> (bool, u8) {
        let Some(topic) = input.topic() else {
            return (true, 0);
        };
        let record = state.log(topic)[usize::from(input.offset)];
        let released = state.now > record.at || state.now == self.bounds.last_tick;
        match record.body {
            Body::Outcome(outcome) => match outcome.what {
                What::Again(due) => (released, due),
                What::Succeeded | What::Dead | What::Cancelled | What::Failed => (released, 0),
            },
            Body::Fence | Body::Start(_) | Body::Lanes(_) | Body::Partition(_) => (released, 0),
        }
    }
}

/// Whether a higher epoch than the process's own has begun.
pub(super) fn deposed(state: &State, index: usize) -> bool {
    let mut progress = state.log(Topic::Progress).iter();
    progress.any(|record| record.epoch > state.processes[index].epoch)
}

/// Only the last record of a log, and only one that nobody was told is durable.
fn may_tear(state: &State, process: &Process, topic: Topic) -> bool {
    let last = state.log(topic).len() - 1;
    let unknown = |append: &super::state::Append| {
        append.topic == topic
            && append
                .landed
                .is_some_and(|offset| usize::from(offset) == last)
    };
    process.queue.iter().any(unknown) && state.left.interruptions > 0
}
