//! What an owner knows of one endpoint: how to send to it, how it fares, what waits for it.

use std::collections::VecDeque;
use std::sync::Arc;

use control::{Control, Current, Settings};
use domain::circuit::{Circuit, Phase};
use domain::time::Timestamp;
use eventlog_port::Offset;
use schemas::attempts::CircuitState;
use schemas::control::EndpointState;
use schemas::event::Priority;
use schemas::ids::EndpointId;
use schemas::lane::Health;
use schemas::scalar::At;
use schemas::text::TenantId;

use crate::input::{Job, LaneKey};
use crate::lane::Lane;

/// An endpoint's lanes in the order in which they are sent from.
pub(crate) const PRIORITIES: [Priority; 3] = [Priority::High, Priority::Normal, Priority::Low];

/// What control says of an endpoint, as far as sending goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Send.
    Active,
    /// Wait, and lose nothing. One that control doesn't know is waited for as well: the fact is on
    /// its way.
    Held,
    /// All that is queued ends.
    Disabled,
    /// All that is queued ends.
    Deleted,
}

/// One endpoint.
#[derive(Debug)]
pub(crate) struct Endpoint {
    pub(crate) id: EndpointId,
    pub(crate) tenant: TenantId,
    pub(crate) current: Option<Arc<Current>>,
    pub(crate) settings: Option<Settings>,
    pub(crate) url: Arc<str>,
    /// Up to where control was known when these were looked up.
    known_at: Option<u64>,
    pub(crate) circuit: Circuit,
    resets: Option<u32>,
    pub(crate) slow_until: Option<Timestamp>,
    pub(crate) failing_since: Option<Timestamp>,
    pub(crate) in_flight: u32,
    pub(crate) retries_in_flight: u32,
    /// By [`slot`].
    lanes: [Option<Lane>; 3],
    /// First attempts that may be sent, by [`slot`].
    pub(crate) ready: [VecDeque<Box<Job>>; 3],
    /// Retries that are due.
    pub(crate) retries: VecDeque<Box<Job>>,
    /// Retries in memory: due ones, those that wait for less than the smallest tier, those on the
    /// wire.
    pub(crate) retries_held: usize,
    /// The last turn given to a retry that found no room.
    pub(crate) last_turn: Option<Timestamp>,
    /// Whether the last that was sent was a retry.
    pub(crate) has_retried: bool,
    /// Whether it stands in the rotation.
    pub(crate) is_queued: bool,
    /// Whether a fact that disables it is being written.
    pub(crate) is_disabling: bool,
    /// Whether its requests can't be made, as it is now: a secret does not open.
    pub(crate) is_unusable: bool,
}

const fn slot(priority: Priority) -> usize {
    match priority {
        Priority::High => 0,
        Priority::Normal => 1,
        Priority::Low => 2,
    }
}

impl Endpoint {
    pub(crate) fn new(id: EndpointId, tenant: TenantId) -> Self {
        Self {
            id,
            tenant,
            current: None,
            settings: None,
            url: "".into(),
            known_at: None,
            circuit: Circuit::new(None),
            resets: None,
            slow_until: None,
            failing_since: None,
            in_flight: 0,
            retries_in_flight: 0,
            lanes: [None, None, None],
            ready: [VecDeque::new(), VecDeque::new(), VecDeque::new()],
            retries: VecDeque::new(),
            retries_held: 0,
            last_turn: None,
            has_retried: false,
            is_queued: false,
            is_disabling: false,
            is_unusable: false,
        }
    }

    pub(crate) const fn lane(&self, priority: Priority) -> Option<&Lane> {
        self.lanes[slot(priority)].as_ref()
    }

    pub(crate) const fn lane_mut(&mut self, priority: Priority) -> Option<&mut Lane> {
        self.lanes[slot(priority)].as_mut()
    }

    pub(crate) fn set_lane(&mut self, priority: Priority, lane: Lane) {
        self.lanes[slot(priority)] = Some(lane);
    }

    pub(crate) fn lanes(&self) -> impl Iterator<Item = (Priority, &Lane)> {
        let lanes = PRIORITIES.into_iter().zip(&self.lanes);
        lanes.filter_map(|(priority, lane)| lane.as_ref().map(|lane| (priority, lane)))
    }

    pub(crate) fn lane_keys(&self) -> impl Iterator<Item = LaneKey> + use<'_> {
        self.lanes().map(|(priority, _)| LaneKey {
            endpoint: self.id,
            priority,
        })
    }

    pub(crate) fn ready_mut(&mut self, priority: Priority) -> &mut VecDeque<Box<Job>> {
        &mut self.ready[slot(priority)]
    }

    pub(crate) fn ready_of(&self, priority: Priority) -> &VecDeque<Box<Job>> {
        &self.ready[slot(priority)]
    }

    pub(crate) fn has_ready(&self) -> bool {
        self.ready.iter().any(|ready| !ready.is_empty())
    }

    /// Looks the endpoint up again if control is known further than when it was last. Returns
    /// whether its circuit has closed by that.
    pub(crate) fn refresh(&mut self, control: &Control, known: u64) -> bool {
        if self.known_at == Some(known) {
            return false;
        }
        self.known_at = Some(known);
        let found = control.read(|state| state.endpoint(&self.id).cloned());
        let version = |current: &Option<Arc<Current>>| current.as_ref().map(|c| c.version);
        if version(&found) == version(&self.current) {
            return false;
        }
        self.current = found;
        self.is_unusable = false;
        let Some(current) = &self.current else {
            return false;
        };
        let settings = Settings::of(&current.endpoint);
        self.url = current.endpoint.url.as_str().into();
        let opts_out = self.circuit.set(settings.circuit).is_some();
        self.settings = Some(settings);
        let resets = current.endpoint.circuit_resets;
        let is_reset = self.resets.is_some_and(|known| resets > known);
        self.resets = Some(resets);
        let closes = is_reset && self.circuit.close().is_some();
        if is_reset {
            self.slow_until = None;
        }
        opts_out || closes
    }

    pub(crate) fn standing(&self) -> Standing {
        let Some(current) = &self.current else {
            return Standing::Held;
        };
        match current.endpoint.state {
            EndpointState::Deleted => Standing::Deleted,
            EndpointState::Disabled => Standing::Disabled,
            EndpointState::Active if current.endpoint.paused || self.is_unusable => Standing::Held,
            EndpointState::Active => Standing::Active,
        }
    }

    pub(crate) fn circuit_settings(&self) -> Option<domain::circuit::Settings> {
        self.settings.as_ref().and_then(|settings| settings.circuit)
    }

    pub(crate) fn max_in_flight(&self) -> u32 {
        self.settings.as_ref().map_or(1, |s| s.max_in_flight)
    }

    /// Whether something that is handed to it now will move: it may be sent to, or all ends.
    pub(crate) fn takes(&self, now: Timestamp) -> bool {
        match self.standing() {
            Standing::Deleted | Standing::Disabled => true,
            Standing::Held => false,
            Standing::Active => self.circuit.may_send(now) && !self.is_slow(now),
        }
    }

    /// Until when it has asked to be left alone, if that is all that keeps it from being sent to.
    pub(crate) fn asked_until(&self, now: Timestamp) -> Option<Timestamp> {
        let may_send = self.standing() == Standing::Active && self.circuit.may_send(now);
        self.slow_until.filter(|until| may_send && now < *until)
    }

    pub(crate) fn is_slow(&self, now: Timestamp) -> bool {
        self.slow_until.is_some_and(|until| now < until)
    }

    /// What is to be remembered of it beyond this owner's life, if anything is.
    pub(crate) fn health(&self, now: Timestamp) -> Option<Health> {
        let circuit = match self.circuit.phase() {
            Phase::Closed => CircuitState::Closed,
            Phase::Open => CircuitState::Open,
            Phase::HalfOpen => CircuitState::HalfOpen,
        };
        let is_open = circuit != CircuitState::Closed;
        let slow_until = self.slow_until.filter(|until| now < *until);
        if !is_open && slow_until.is_none() && self.failing_since.is_none() {
            return None;
        }
        Some(Health {
            circuit,
            probe_at: self.circuit.probe_at().filter(|_| is_open).map(At),
            slow_until: slow_until.map(At),
            failing_since: self.failing_since.map(At),
        })
    }

    /// Takes on what was remembered.
    pub(crate) fn recall(&mut self, health: Health) {
        self.slow_until = health.slow_until.map(|at| at.0);
        self.failing_since = health.failing_since.map(|at| at.0);
        self.recall_circuit(health.circuit, health.probe_at.map(|at| at.0));
    }

    pub(crate) fn recall_circuit(&mut self, state: CircuitState, probe_at: Option<Timestamp>) {
        let phase = match state {
            CircuitState::Closed => Phase::Closed,
            CircuitState::Open => Phase::Open,
            CircuitState::HalfOpen => Phase::HalfOpen,
        };
        // Whether it may be open at all is looked up before the first request.
        let any = Some(domain::circuit::Settings::default());
        self.circuit = Circuit::restored(any, phase, probe_at);
    }

    /// Gives the payloads of what waits back to the budget; where they lie is kept.
    pub(crate) fn park(&mut self) {
        for (lane, ready) in self.lanes.iter_mut().zip(&mut self.ready) {
            let Some(lane) = lane else { continue };
            for job in ready.drain(..) {
                lane.bytes = lane.bytes.saturating_sub(job.reserved.bytes());
                if let crate::input::Input::Event(offset) = job.input {
                    lane.parked.push(offset);
                }
            }
            lane.parked.sort_unstable();
            ready.shrink_to(0);
        }
    }

    /// The lowest offset that a lane of it has undone.
    pub(crate) fn oldest(&self, cursor: Offset) -> Option<Offset> {
        self.lanes().map(|(_, lane)| lane.resume(cursor)).min()
    }
}
