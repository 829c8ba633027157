//! What an owner decides: state in memory, inputs and time in, effects out. Nothing here waits,
//! reads or writes; the shell around it (`owner`) does, and tells what came of it.

mod answers;
mod catch_up;
mod checkpoint;
mod cursor;
mod retries;
mod sending;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use control::{Control, Current};
use domain::chance::Chance;
use domain::circuit::Grant;
use domain::time::Timestamp;
use eventlog_port::{LaneNumber, Note, Offset};
use retry_scheduler::TierQueue;
use schemas::attempts::AttemptsRecord;
use schemas::control::DisabledReason;
use schemas::ids::EndpointId;
use schemas::progress::ProgressRecord;
use schemas::quarantine::Quarantined;
use schemas::text::TenantId;
use schemas::topics::{Tier, Topic};
use tokio::sync::OwnedSemaphorePermit;

use crate::budget::Budget;
use crate::config::Config;
use crate::endpoint::Endpoint;
use crate::input::{Input, Job, LaneKey};
use crate::lane::Lane;
use crate::metrics::Metrics;
use crate::origins::Origins;
use crate::outcome::{Out, Ticket};
use crate::output::Output;
use crate::rotation::Rotation;
use crate::transport::Answer;

use catch_up::Sweep;
pub(crate) use catch_up::{Fetch, Fetched};
pub(crate) use checkpoint::{LastSet, Plan, lane_id};
use cursor::Arrived;

/// The moment of a decision.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Now {
    /// In log time: what is due.
    pub(crate) log: Timestamp,
    /// The latest that log time can be: what waits from now on are counted from.
    pub(crate) latest: Timestamp,
    /// By the log's clock: what a tier lets go.
    pub(crate) stamped: Timestamp,
    /// By the wall clock: what is stamped and signed.
    pub(crate) wall: Timestamp,
    /// Whether a request may go out: the lease holds, control is fresh, nobody said stop.
    pub(crate) may_dial: bool,
}

/// What is to be done about a decision.
#[derive(Debug)]
pub(crate) enum Effect {
    Send(Box<Departure>),
    Append(Box<Out>, Ticket),
    /// Into `attempts`; ends nothing.
    Note(Box<AttemptsRecord>),
    /// Into `progress`, beside checkpoints.
    Progress(Box<ProgressRecord>),
    Index(Vec<(LaneNumber, Note)>),
    Forget(LaneNumber, Offset),
    Fetch(Fetch),
    /// Read the log again from here on, as long as more is wanted.
    Sweep(Offset),
    Quarantine(Input, Box<Quarantined>),
    Disable(Arc<Current>, DisabledReason),
}

/// A request that is to go out.
#[derive(Debug)]
pub(crate) struct Departure {
    pub(crate) job: Box<Job>,
    pub(crate) current: Arc<Current>,
    pub(crate) url: Arc<str>,
    pub(crate) timeout: Duration,
    pub(crate) connect_timeout: Duration,
    pub(crate) grant: Grant,
    pub(crate) number: u32,
}

/// A request that came back.
#[derive(Debug)]
pub(crate) struct Returned {
    pub(crate) job: Box<Job>,
    pub(crate) grant: Grant,
    pub(crate) number: u32,
    pub(crate) started_at: Timestamp,
    pub(crate) keys: Vec<String>,
    /// The endpoint as it was when the request went out.
    pub(crate) current: Arc<Current>,
    /// `None`: the lease had run out (O7), or the endpoint had changed, and it did not go out.
    pub(crate) answer: Option<Answer>,
}

/// Why the partition stops. Going on would throw away, or skip, what somebody was promised.
#[derive(Debug, thiserror::Error)]
pub enum Stop {
    /// A record of ours that a newer program wrote.
    #[error(
        "the record at offset {offset} of {topic} has version {version}, which this program does not read"
    )]
    Version {
        /// Where.
        topic: Topic,
        /// Where.
        offset: Offset,
        /// The version that it names.
        version: u64,
    },
    /// A record that only owners write, and none of ours did.
    #[error("the record at offset {offset} of {topic} can't be read: {why}")]
    Unreadable {
        /// Where.
        topic: Topic,
        /// Where.
        offset: Offset,
        /// What is wrong with it.
        why: schemas::Malformed,
    },
    /// Below this offset no note of the routers' origins is left, so copies could not be told from
    /// what is new (R11).
    #[error("a lane waits at offset {0} of events, and no note of origins at or below it is left")]
    NoOrigins(Offset),
}

/// What a takeover has found out.
pub(crate) struct Found {
    pub(crate) epoch: u64,
    pub(crate) cursor: Offset,
    pub(crate) endpoints: BTreeMap<EndpointId, Box<Endpoint>>,
    pub(crate) marks: BTreeMap<Offset, EndpointId>,
    pub(crate) tiers: BTreeMap<Tier, TierQueue>,
    pub(crate) outputs: BTreeMap<Topic, Output>,
    pub(crate) origins: Origins,
    pub(crate) last_set: LastSet,
    /// Inputs on the wire since an earlier epoch of this process, not done.
    pub(crate) wire: BTreeMap<Input, LaneKey>,
    /// Answers of that epoch whose outcomes have to be appended again.
    pub(crate) answers: Vec<(Box<Out>, Ticket)>,
    pub(crate) lane_numbers: LaneNumber,
    /// How far `requests` was known; nobody acts on them yet, so it stays where it was.
    pub(crate) requests: Offset,
}

/// What outlives an epoch and is the same for every owner.
pub(crate) struct Surroundings {
    pub(crate) partition: u32,
    pub(crate) config: Arc<Config>,
    pub(crate) control: Control,
    pub(crate) budget: Arc<Budget>,
    pub(crate) chance: Box<dyn Chance>,
    pub(crate) metrics: Metrics,
}

/// An owner's memory, for one epoch.
pub(crate) struct Core {
    pub(crate) around: Surroundings,
    pub(crate) epoch: u64,
    cursor: Offset,
    /// Read and not yet passed.
    arrived: VecDeque<Arrived>,
    /// Where the reader of what has arrived stood.
    read_to: Offset,
    /// How far control was known at the last step.
    control_end: u64,
    endpoints: BTreeMap<EndpointId, Box<Endpoint>>,
    tiers: BTreeMap<Tier, TierQueue>,
    /// Retries with less to wait than the smallest tier.
    timers: BTreeMap<(Timestamp, Input), Box<Job>>,
    /// Events found done that no reader has come to.
    marks: BTreeMap<Offset, EndpointId>,
    /// Requests that are out.
    wire: BTreeMap<Input, LaneKey>,
    /// Inputs whose answer has come and whose outcome is not durable; those of an earlier epoch too.
    reissued: BTreeSet<Input>,
    /// Records on their way to quarantine.
    quarantined: BTreeSet<Input>,
    outputs: BTreeMap<Topic, Output>,
    origins: Origins,
    last_set: LastSet,
    /// The highest offset below which a checkpoint, landed or not, has called every event done or in a
    /// lane's record. What was forgotten by that is not known any more: it never goes back (L6, R3).
    promised: Offset,
    requests: Offset,
    rotation: Rotation,
    /// Endpoints that are to be looked at again at a time.
    wakes: BTreeSet<(Timestamp, EndpointId)>,
    /// Endpoints that nothing can be sent to until control changes.
    held: BTreeSet<EndpointId>,
    hungry: BTreeSet<LaneKey>,
    sweep: Option<Sweep>,
    sweep_for: BTreeSet<LaneKey>,
    /// How many notes the index keeps of one lane: less than it may, once it had no room for them.
    lane_notes: usize,
    /// While the index takes nothing more there is no use in it.
    sweep_not_before: Option<Timestamp>,
    /// Whether endpoints wait for leave to send that only the process can give.
    is_starved: bool,
    /// Such leave, for the next step: given back at once, others who wait would hand it round for ever.
    leave: Option<OwnedSemaphorePermit>,
    /// Why the partition can't go on, found in a step.
    pub(crate) stop: Option<Stop>,
    lane_numbers: LaneNumber,
    /// Whether the cursor stands because the process is over its budgets.
    pub(crate) is_full: bool,
    effects: Vec<Effect>,
}

impl Core {
    /// An owner that acts on what a takeover found.
    pub(crate) fn new(around: Surroundings, found: Found) -> Self {
        let lane_notes = around.config.limits.lane_notes;
        let mut core = Self {
            around,
            epoch: found.epoch,
            cursor: found.cursor,
            arrived: VecDeque::new(),
            read_to: found.cursor,
            control_end: 0,
            endpoints: found.endpoints,
            tiers: found.tiers,
            timers: BTreeMap::new(),
            marks: found.marks,
            wire: found.wire,
            reissued: BTreeSet::new(),
            quarantined: BTreeSet::new(),
            outputs: found.outputs,
            origins: found.origins,
            last_set: found.last_set,
            promised: found.cursor,
            lane_notes,
            requests: found.requests,
            rotation: Rotation::default(),
            wakes: BTreeSet::new(),
            held: BTreeSet::new(),
            hungry: BTreeSet::new(),
            sweep: None,
            sweep_for: BTreeSet::new(),
            sweep_not_before: None,
            is_starved: false,
            leave: None,
            stop: None,
            lane_numbers: found.lane_numbers,
            is_full: false,
            effects: Vec::new(),
        };
        core.begin(found.answers);
        core
    }

    fn begin(&mut self, answers: Vec<(Box<Out>, Ticket)>) {
        for (out, ticket) in answers {
            self.reissued.insert(ticket.input);
            self.effects.push(Effect::Append(out, ticket));
        }
        for (input, key) in self.wire.clone() {
            if let Some(endpoint) = self.endpoints.get_mut(&key.endpoint) {
                endpoint.in_flight += 1;
                if input.is_retry() {
                    endpoint.retries_in_flight += 1;
                    endpoint.retries_held += 1;
                }
            }
        }
        let keys: Vec<LaneKey> = self.lane_keys().collect();
        self.hungry.extend(keys);
    }

    /// One step: everything that can be decided at `now`. Returns what is to be done, in order.
    pub(crate) fn step(&mut self, now: Now, control_end: u64) -> Vec<Effect> {
        if control_end != self.control_end {
            self.control_end = control_end;
            self.look_at_held();
        }
        self.wake(now);
        self.release(now);
        self.walk(now);
        self.pump(now);
        self.feed(now);
        // What was fetched for nobody yet, and what the pump has emptied, meet in the next step.
        self.undone()
    }

    fn look_at_held(&mut self) {
        for id in std::mem::take(&mut self.held) {
            self.look_again(id);
        }
    }

    fn look_again(&mut self, id: EndpointId) {
        self.queue(id);
        self.hunger_all(id);
    }

    fn wake(&mut self, now: Now) {
        while let Some((at, id)) = self.wakes.first().copied() {
            if at > now.log {
                return;
            }
            self.wakes.remove(&(at, id));
            self.look_again(id);
        }
    }

    /// How long until there is something to do that nobody will tell of; `None`: not that is known. The
    /// tiers in `reading` will tell: their time has come already.
    pub(crate) fn wakes_in(&self, reading: &BTreeSet<Tier>, now: Now) -> Option<Duration> {
        let idle = self
            .tiers
            .iter()
            .filter(|(tier, _)| !reading.contains(tier));
        let tier = idle.filter_map(|(_, queue)| queue.wakes_at()).min();
        let timer = self.timers.first_key_value().map(|((at, _), _)| *at);
        let endpoint = self.wakes.first().map(|(at, _)| *at);
        let in_log = [timer, endpoint].into_iter().flatten().min();
        let tier = tier.map(|at| at.saturating_since(now.stamped));
        let in_log = in_log.map(|at| at.saturating_since(now.log));
        [tier, in_log].into_iter().flatten().min()
    }

    /// Puts an endpoint into the rotation.
    fn queue(&mut self, id: EndpointId) {
        if let Some(endpoint) = self.endpoints.get_mut(&id)
            && !endpoint.is_queued
        {
            endpoint.is_queued = true;
            self.rotation.push(&endpoint.tenant, id);
        }
    }

    /// The endpoint, known from here on, looked up in control as it is now.
    fn endpoint(&mut self, id: EndpointId, tenant: &TenantId) -> &mut Endpoint {
        let endpoint = self
            .endpoints
            .entry(id)
            .or_insert_with(|| Box::new(Endpoint::new(id, tenant.clone())));
        if endpoint.refresh(&self.around.control, self.control_end) {
            self.effects.push(circuit_note(self.epoch, endpoint));
        }
        endpoint
    }

    fn lane_keys(&self) -> impl Iterator<Item = LaneKey> + '_ {
        let endpoints = self.endpoints.values();
        endpoints.flat_map(|endpoint| endpoint.lane_keys())
    }

    fn lane_mut(&mut self, key: LaneKey) -> Option<&mut Lane> {
        self.endpoints
            .get_mut(&key.endpoint)?
            .lane_mut(key.priority)
    }

    /// How many requests are out, and appends of outcomes are not durable for inputs on the way.
    pub(crate) fn on_the_wire(&self) -> usize {
        self.wire.len()
    }

    /// What was decided since the last step.
    pub(crate) fn undone(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.effects)
    }

    /// What an ended epoch leaves to the next.
    pub(crate) fn into_rest(self) -> (Surroundings, BTreeMap<Input, LaneKey>, LaneNumber) {
        (self.around, self.wire, self.lane_numbers)
    }
}

fn circuit_note(epoch: u64, endpoint: &Endpoint) -> Effect {
    use domain::circuit::Phase;
    use schemas::attempts::{Circuit, CircuitState};
    let state = match endpoint.circuit.phase() {
        Phase::Closed => CircuitState::Closed,
        Phase::Open => CircuitState::Open,
        Phase::HalfOpen => CircuitState::HalfOpen,
    };
    let probe_at = endpoint.circuit.probe_at();
    Effect::Note(Box::new(AttemptsRecord::Circuit(Circuit {
        epoch,
        tenant: endpoint.tenant.clone(),
        endpoint: endpoint.id,
        state,
        probe_at: probe_at
            .filter(|_| state == CircuitState::Open)
            .map(schemas::scalar::At),
    })))
}
