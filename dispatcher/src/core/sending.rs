//! Whose turn it is, and what is sent.

use std::sync::Arc;

use domain::circuit::{Asked, Grant};
use domain::time::Timestamp;
use eventlog_port::Offset;
use schemas::dead_letter::DeadLetterReason;
use schemas::ids::EndpointId;
use tokio::sync::OwnedSemaphorePermit;

use super::{Core, Departure, Effect, Now};
use crate::endpoint::{Endpoint, PRIORITIES, Standing};
use crate::input::{Input, Job, LaneKey};

/// What an endpoint's turn came to.
enum Turn {
    /// It has had it.
    Over,
    /// It could send more.
    Again,
    /// The process has no request to spare.
    Starved,
}

impl Core {
    /// Whether endpoints wait for leave to send that only the process can give.
    pub(crate) fn wants_permit(&self) -> bool {
        self.is_starved
    }

    /// Leave to send, that was waited for.
    pub(crate) fn give_leave(&mut self, leave: Option<OwnedSemaphorePermit>) {
        self.leave = leave;
    }

    /// Whether somebody stands in line.
    pub(crate) fn has_line(&self) -> bool {
        !self.rotation.is_empty()
    }

    /// Sends what may be sent, one from each endpoint in turn.
    pub(super) fn pump(&mut self, now: Now) {
        self.is_starved = false;
        // With more answers on their way to the log than its share, it waits for them.
        let is_owing = self.reissued.len() >= self.around.budget.fair_requests();
        if now.may_dial && !is_owing {
            self.pump_all(now);
        }
        self.leave = None;
    }

    fn pump_all(&mut self, now: Now) {
        while let Some(id) = self.rotation.pop() {
            let Some(tenant) = self.endpoints.get_mut(&id).map(|endpoint| {
                endpoint.is_queued = false;
                endpoint.tenant.clone()
            }) else {
                continue;
            };
            match self.turn(id, now) {
                Turn::Over => {}
                Turn::Again => self.queue(id),
                Turn::Starved => {
                    if let Some(endpoint) = self.endpoints.get_mut(&id) {
                        endpoint.is_queued = true;
                    }
                    self.rotation.unpop(&tenant, id);
                    self.is_starved = true;
                    return;
                }
            }
        }
    }

    fn turn(&mut self, id: EndpointId, now: Now) -> Turn {
        let Some(tenant) = self.endpoints.get(&id).map(|e| e.tenant.clone()) else {
            return Turn::Over;
        };
        let endpoint = self.endpoint(id, &tenant);
        match endpoint.standing() {
            Standing::Deleted => self.end_all(id, DeadLetterReason::EndpointDeleted),
            Standing::Disabled => self.end_all(id, DeadLetterReason::EndpointDisabled),
            Standing::Held => self.hold(id, None, now),
            Standing::Active => return self.active_turn(id, now),
        }
        Turn::Over
    }

    fn active_turn(&mut self, id: EndpointId, now: Now) -> Turn {
        let Some(endpoint) = self.endpoints.get_mut(&id) else {
            return Turn::Over;
        };
        if let Some(until) = endpoint.slow_until.filter(|until| now.log < *until) {
            self.hold(id, Some(until), now);
            return Turn::Over;
        }
        if !endpoint.circuit.may_send(now.log) {
            let probe_at = endpoint.circuit.probe_at().filter(|at| now.log < *at);
            self.hold(id, probe_at, now);
            return Turn::Over;
        }
        if endpoint.in_flight >= endpoint.max_in_flight() || !has_work(endpoint) {
            return Turn::Over;
        }
        let leave = self.leave.take();
        let Some(permit) = leave.or_else(|| self.around.budget.try_request()) else {
            return Turn::Starved;
        };
        match endpoint.circuit.ask(now.log) {
            Asked::Granted(grant) => self.depart(id, grant, permit, now),
            Asked::NotBefore(_) | Asked::Probing => Turn::Over,
        }
    }

    fn depart(
        &mut self,
        id: EndpointId,
        grant: Grant,
        permit: OwnedSemaphorePermit,
        now: Now,
    ) -> Turn {
        let Some(endpoint) = self.endpoints.get_mut(&id) else {
            return Turn::Over;
        };
        let (Some(current), Some(settings)) = (&endpoint.current, &endpoint.settings) else {
            endpoint.circuit.withdraw(grant);
            return Turn::Over;
        };
        let (current, url) = (Arc::clone(current), Arc::clone(&endpoint.url));
        let (timeout, connect_timeout) = (settings.timeout, settings.connect_timeout);
        let Some(mut job) = pick(endpoint) else {
            endpoint.circuit.withdraw(grant);
            return Turn::Over;
        };
        job.reserved.set_request(Some(permit));
        endpoint.in_flight += 1;
        if job.input.is_retry() {
            endpoint.retries_in_flight += 1;
            let late = now.log.saturating_since(job.due_at);
            self.around.metrics.lateness.observe(late.as_secs_f64());
        }
        let goes_on = has_work(endpoint);
        let key = job.lane();
        self.wire.insert(job.input, key);
        self.hunger(key);
        self.around.metrics.in_flight.inc();
        self.effects.push(Effect::Send(Box::new(Departure {
            number: job.attempts.saturating_add(1),
            job,
            current,
            url,
            timeout,
            connect_timeout,
            grant,
        })));
        if goes_on { Turn::Again } else { Turn::Over }
    }

    /// A request that could not be made: its endpoint's secrets do not open. It waits as for an
    /// endpoint that is paused, until control changes.
    pub(crate) fn not_sent(&mut self, departure: Departure, now: Now) {
        let Departure { job, grant, .. } = departure;
        self.back(&job);
        if let Some(endpoint) = self.endpoints.get_mut(&job.addressed.endpoint) {
            endpoint.circuit.withdraw(grant);
            endpoint.is_unusable = true;
        }
        self.postpone(job, now);
    }

    /// Puts a job that was taken out of its lane off the memory of the process: a retry through a
    /// tier, a first attempt back to where it lies.
    fn postpone(&mut self, job: Box<Job>, now: Now) {
        let id = job.addressed.endpoint;
        match job.input {
            Input::Event(offset) => {
                self.release_bytes(&job);
                if let Some(lane) = self.lane_mut(job.lane()) {
                    lane.parked.push(offset);
                    lane.parked.sort_unstable();
                }
            }
            Input::Retry(..) => {
                self.unhold_retry(id);
                self.put_off(*job, now);
            }
        }
        self.held.insert(id);
    }

    /// A request that did not go out, for the lease had run out: it is the next again. One of an
    /// earlier epoch that no reader has come to in this one is dropped: its reader will bring it.
    pub(super) fn unsent(&mut self, mut job: Box<Job>, grant: Grant) {
        job.reserved.set_request(None);
        let id = job.addressed.endpoint;
        let is_read = self.is_read(&job);
        if let Some(endpoint) = self.endpoints.get_mut(&id) {
            endpoint.circuit.withdraw(grant);
            if !is_read {
                if job.input.is_retry() {
                    endpoint.retries_held = endpoint.retries_held.saturating_sub(1);
                }
            } else if job.input.is_retry() {
                endpoint.retries.push_front(job);
            } else {
                endpoint.ready_mut(job.addressed.priority).push_front(job);
            }
        }
        self.queue(id);
    }

    /// Whether this epoch's reader of it has come to it, which hands it to nobody again.
    fn is_read(&self, job: &Job) -> bool {
        match job.input {
            Input::Event(offset) => {
                let endpoint = self.endpoints.get(&job.addressed.endpoint);
                let lane = endpoint.and_then(|e| e.lane(job.addressed.priority));
                lane.is_some_and(|lane| lane.window().is_undone(offset))
            }
            Input::Retry(tier, offset) => {
                let queue = self.tiers.get(&tier);
                queue.is_some_and(|queue| queue.is_open(offset))
            }
        }
    }

    /// It is not on the wire any more.
    pub(super) fn back(&mut self, job: &Job) {
        self.wire.remove(&job.input);
        self.around.metrics.in_flight.dec();
        if let Some(endpoint) = self.endpoints.get_mut(&job.addressed.endpoint) {
            endpoint.in_flight = endpoint.in_flight.saturating_sub(1);
            if job.input.is_retry() {
                endpoint.retries_in_flight = endpoint.retries_in_flight.saturating_sub(1);
            }
        }
    }

    /// A request that was decided on and never went out: its epoch had ended.
    pub(crate) fn never_sent(&mut self, job: &Job) {
        if self.wire.remove(&job.input).is_some() {
            self.around.metrics.in_flight.dec();
        }
    }

    pub(super) fn unhold_retry(&mut self, id: EndpointId) {
        if let Some(endpoint) = self.endpoints.get_mut(&id) {
            endpoint.retries_held = endpoint.retries_held.saturating_sub(1);
        }
    }

    /// Nothing may be sent to it until `until`, or until something is said: what it holds is given
    /// back.
    fn hold(&mut self, id: EndpointId, until: Option<Timestamp>, now: Now) {
        let Some(endpoint) = self.endpoints.get_mut(&id) else {
            return;
        };
        endpoint.park();
        let retries: Vec<Box<Job>> = endpoint.retries.drain(..).collect();
        for job in retries {
            self.unhold_retry(id);
            self.put_off(*job, now);
        }
        match until {
            Some(at) => {
                self.wakes.insert((at, id));
            }
            None => {
                self.held.insert(id);
            }
        }
    }

    /// Everything that it holds ends without an attempt.
    fn end_all(&mut self, id: EndpointId, reason: DeadLetterReason) {
        let Some(endpoint) = self.endpoints.get_mut(&id) else {
            return;
        };
        let mut jobs: Vec<Box<Job>> = endpoint.retries.drain(..).collect();
        endpoint.retries_held = endpoint.retries_held.saturating_sub(jobs.len());
        for priority in PRIORITIES {
            jobs.extend(endpoint.ready_mut(priority).drain(..));
        }
        for job in jobs {
            self.give_up(*job, reason);
        }
        self.hunger_all(id);
    }

    /// Its lane may be read on for, if it doesn't hang on the cursor.
    pub(super) fn hunger(&mut self, key: LaneKey) {
        let endpoint = self.endpoints.get(&key.endpoint);
        let lane = endpoint.and_then(|endpoint| endpoint.lane(key.priority));
        if lane.is_some_and(|lane| !lane.is_live() || !lane.parked.is_empty()) {
            self.hungry.insert(key);
        }
    }

    /// As [`hunger`](Self::hunger), all of an endpoint's lanes, whatever they hang on.
    pub(super) fn hunger_all(&mut self, id: EndpointId) {
        if let Some(endpoint) = self.endpoints.get(&id) {
            self.hungry.extend(endpoint.lane_keys());
        }
    }

    /// The oldest event that is not done, and how far that lies behind the cursor.
    pub(crate) fn lag(&self) -> (Option<Offset>, Offset) {
        let of_lanes = self.endpoints.values();
        let oldest = of_lanes.filter_map(|e| e.oldest(self.cursor)).min();
        let oldest = oldest.filter(|oldest| *oldest < self.cursor);
        (oldest, oldest.map_or(0, |oldest| self.cursor - oldest))
    }
}

/// Retries have at most half of an endpoint's requests, and one at least.
fn retry_share(endpoint: &Endpoint) -> u32 {
    (endpoint.max_in_flight() / 2).max(1)
}

/// In turn with first attempts, which else would wait for ever where one request at a time is made.
fn may_retry(endpoint: &Endpoint) -> bool {
    let has_share = endpoint.retries_in_flight < retry_share(endpoint);
    !endpoint.retries.is_empty() && (!endpoint.has_ready() || has_share && !endpoint.has_retried)
}

fn has_work(endpoint: &Endpoint) -> bool {
    endpoint.has_ready() || !endpoint.retries.is_empty()
}

/// The next to be sent: what is due again within its share, else first attempts by priority.
fn pick(endpoint: &mut Endpoint) -> Option<Box<Job>> {
    endpoint.has_retried = may_retry(endpoint);
    if endpoint.has_retried {
        return endpoint.retries.pop_front();
    }
    PRIORITIES
        .into_iter()
        .find_map(|priority| endpoint.ready_mut(priority).pop_front())
}
