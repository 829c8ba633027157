//! What came back, and what becomes of it.

use std::sync::Arc;
use std::time::Duration;

use control::Current;
use domain::circuit::Change;
use domain::outcome::{Answered, Judgement, Verdict, judge};
use eventlog_port::{Appended, Offset};
use schemas::attempt::{Attempt, AttemptError, AttemptResult, ErrorClass};
use schemas::control::DisabledReason;
use schemas::dead_letter::DeadLetterReason;
use schemas::ids::EndpointId;
use schemas::retry::WaitReason;
use schemas::scalar::{At, Blob};
use schemas::topics::Topic;

use super::{Core, Effect, Now, Returned, circuit_note};
use crate::endpoint::{Endpoint, Standing};
use crate::input::{Input, Job};
use crate::outcome::{self, Ends, Ticket, Waiting};
use crate::transport::Answer;

impl Core {
    /// A request came back: its outcome is decided, and appended.
    pub(crate) fn returned(&mut self, returned: Returned, now: Now) {
        let Returned {
            job,
            grant,
            number,
            started_at,
            keys,
            current,
            answer,
        } = returned;
        // Found done by a takeover while it was out: another owner's outcome holds.
        if !self.wire.contains_key(&job.input) {
            self.around.metrics.in_flight.dec();
            return;
        }
        self.back(&job);
        let Some(answer) = answer else {
            return self.unsent(job, grant);
        };
        if job.input.is_retry() {
            self.unhold_retry(job.addressed.endpoint);
        }
        self.reissued.insert(job.input);
        self.release_bytes(&job);
        let id = job.addressed.endpoint;
        let tenant = job.addressed.tenant.clone();
        let endpoint = self.endpoint(id, &tenant);
        let retry_on = endpoint
            .settings
            .as_ref()
            .map_or_else(Default::default, |s| s.retry.retry_on);
        let judged = judge(
            Answered {
                status: answer.status,
                broke_off: answer.status.is_some() && answer.error.is_some(),
                retry_after: answer.retry_after.as_deref(),
            },
            retry_on,
            now.wall,
        );
        let change = endpoint
            .circuit
            .answered(grant, judged.counts_against_circuit, now.log);
        self.circuit_changed(id, change);
        self.remember(id, judged, &current, now);
        let attempt = attempt(number, started_at, keys, answer, judged.verdict);
        self.around.metrics.attempt(&attempt);
        self.conclude(*job, attempt, judged.verdict, now);
        self.queue(id);
    }

    fn circuit_changed(&mut self, id: EndpointId, change: Option<Change>) {
        let Some(change) = change else { return };
        let Some(endpoint) = self.endpoints.get(&id) else {
            return;
        };
        self.effects.push(circuit_note(self.epoch, endpoint));
        match change {
            Change::Opened { probe_at } => {
                self.wakes.insert((probe_at, id));
                tracing::info!(endpoint = %id, %probe_at, "circuit.opened");
            }
            Change::Closed => {
                tracing::info!(endpoint = %id, "circuit.closed");
                self.look_again(id);
            }
        }
    }

    /// What an answer leaves behind for the endpoint.
    fn remember(&mut self, id: EndpointId, judged: Judgement, current: &Arc<Current>, now: Now) {
        let after = self.around.config.disable_after;
        let Some(endpoint) = self.endpoints.get_mut(&id) else {
            return;
        };
        if let Some(wait) = judged.slow_for {
            let until = now.latest.saturating_add(wait);
            endpoint.slow_until = endpoint.slow_until.max(Some(until));
        }
        match judged.verdict {
            Verdict::Delivered => endpoint.failing_since = None,
            Verdict::Gone => self.disable(id, DisabledReason::Gone, current),
            Verdict::Retry { .. } | Verdict::Permanent => {
                let since = *endpoint.failing_since.get_or_insert(now.log);
                if now.log.saturating_since(since) >= after {
                    self.disable(id, DisabledReason::Failing, current);
                }
            }
        }
    }

    /// Disables the endpoint as it was asked, if that is still how it is.
    fn disable(&mut self, id: EndpointId, reason: DisabledReason, asked: &Arc<Current>) {
        let Some(endpoint) = self.endpoints.get_mut(&id) else {
            return;
        };
        if endpoint.is_disabling || endpoint.standing() != Standing::Active {
            return;
        }
        if endpoint
            .current
            .as_ref()
            .is_some_and(|now| now.version == asked.version)
        {
            endpoint.is_disabling = true;
            self.effects
                .push(Effect::Disable(Arc::clone(asked), reason));
        }
    }

    /// The fact that disables it is written, or could not be; the next failure tries again.
    pub(crate) fn disabled(&mut self, id: EndpointId) {
        if let Some(endpoint) = self.endpoints.get_mut(&id) {
            endpoint.is_disabling = false;
        }
        self.look_again(id);
    }

    fn conclude(&mut self, job: Job, attempt: Attempt, verdict: Verdict, now: Now) {
        let (partition, epoch) = (self.around.partition, self.epoch);
        let (out, ticket) = match verdict {
            Verdict::Delivered => {
                let accepted_at = job.delivery.accepted_at.0;
                let latency = now.wall.saturating_since(accepted_at);
                self.around.metrics.latency.observe(latency.as_secs_f64());
                outcome::succeeded(job, partition, epoch, attempt)
            }
            Verdict::Gone => {
                outcome::dead(job, partition, epoch, DeadLetterReason::Gone, Some(attempt))
            }
            Verdict::Permanent => {
                let reason = DeadLetterReason::PermanentFailure;
                outcome::dead(job, partition, epoch, reason, Some(attempt))
            }
            Verdict::Retry { not_before } => {
                match self.next_try(&job, attempt.number, not_before, now) {
                    Some(waiting) => {
                        let waiting = Waiting {
                            attempt: Some(attempt),
                            ..waiting
                        };
                        outcome::waits(job, partition, epoch, waiting)
                    }
                    None => {
                        let reason = DeadLetterReason::AttemptsExhausted;
                        outcome::dead(job, partition, epoch, reason, Some(attempt))
                    }
                }
            }
        };
        self.effects.push(Effect::Append(out, ticket));
    }

    /// When it is tried again after `made` attempts; `None`: the schedule is through.
    fn next_try(
        &mut self,
        job: &Job,
        made: u32,
        not_before: Option<Duration>,
        now: Now,
    ) -> Option<Waiting> {
        let endpoint = self.endpoints.get(&job.addressed.endpoint)?;
        let range = match &endpoint.settings {
            Some(settings) => settings.retry.range_after(made),
            None => domain::retry::Policy::default().range_after(made),
        };
        let (least, most) = range?;
        let least = least.max(not_before.unwrap_or_default());
        let ladder = &self.around.config.ladder;
        let due_at = ladder.due(
            now.latest,
            (least, most.max(least)),
            &mut *self.around.chance,
        );
        Some(Waiting {
            tier: ladder.tier(now.log, due_at),
            due_at,
            reason: WaitReason::Failed,
            attempts: made,
            put_off: 0,
            attempt: None,
        })
    }

    /// An outcome is durable: its input is done (O2).
    pub(crate) fn acknowledged(&mut self, topic: Topic, appended: Appended, ticket: &Ticket) {
        if let Some(output) = self.outputs.get_mut(&topic) {
            output.acknowledged(appended.offset, Some(ticket.input));
        }
        self.reissued.remove(&ticket.input);
        self.around.metrics.ended(ticket.ends);
        match ticket.input {
            Input::Event(offset) => self.event_done(offset, ticket),
            Input::Retry(tier, offset) => {
                if let Some(queue) = self.tiers.get_mut(&tier) {
                    queue.done(offset);
                }
            }
        }
        if let Ends::Delivered | Ends::DeadLettered = ticket.ends {
            self.hunger(ticket.lane);
        }
    }

    fn event_done(&mut self, offset: Offset, ticket: &Ticket) {
        let lane = self.lane_mut(ticket.lane);
        let is_in_window = lane.is_some_and(|lane| lane.done(offset));
        // Its lane has yet to come to it: it was on the wire since an earlier epoch.
        if !is_in_window {
            self.marks.insert(offset, ticket.lane.endpoint);
        }
        self.hunger(ticket.lane);
    }

    /// A note, or a checkpoint's record, is durable.
    pub(crate) fn noted(&mut self, topic: Topic, appended: Appended) {
        if let Some(output) = self.outputs.get_mut(&topic) {
            output.acknowledged(appended.offset, None);
        }
    }
}

fn attempt(
    number: u32,
    started_at: domain::time::Timestamp,
    keys: Vec<String>,
    answer: Answer,
    verdict: Verdict,
) -> Attempt {
    let result = match verdict {
        Verdict::Delivered => AttemptResult::Succeeded,
        Verdict::Retry { .. } | Verdict::Permanent | Verdict::Gone => AttemptResult::Failed,
    };
    let by_status = || AttemptError {
        class: ErrorClass::Status,
        message: format!(
            "the receiver answered {}",
            answer.status.unwrap_or_default()
        ),
    };
    let error = match (&answer.error, result) {
        (Some(error), _) => Some(error.clone()),
        (None, AttemptResult::Failed) => Some(by_status()),
        (None, AttemptResult::Succeeded | AttemptResult::Unknown) => None,
    };
    Attempt {
        number,
        started_at: At(started_at),
        duration_us: u64::try_from(answer.duration.as_micros()).unwrap_or(u64::MAX),
        result,
        status: answer.status,
        error,
        headers: answer.headers,
        body: (!answer.body.is_empty()).then_some(Blob(answer.body)),
        keys,
        address: answer.address.map(|address| address.to_string()),
    }
}

impl Endpoint {
    /// Nothing of it has to be kept in memory: its lanes would be made anew as they are.
    pub(crate) fn is_idle(&self, cursor: Offset) -> bool {
        let rests = |lane: &crate::lane::Lane| {
            lane.is_live()
                && lane.next(cursor) <= cursor
                && lane.window().len() == 0
                && lane.parked.is_empty()
                && !lane.fetching
        };
        self.in_flight == 0
            && self.retries_held == 0
            && !self.is_queued
            && !self.is_disabling
            && !self.has_ready()
            && self.lanes().all(|(_, lane)| rests(lane))
    }
}
