//! What the tiers let go.

use domain::tiers;
use domain::time::Timestamp;
use eventlog_port::{Offset, Record};
use retry_scheduler::{Place, Released};
use schemas::dead_letter::DeadLetterReason;
use schemas::retry::WaitReason;
use schemas::topics::{Tier, Topic};

use super::{Core, Effect, Now, Stop};
use crate::budget::Pressure;
use crate::endpoint::Standing;
use crate::input::{Input, Job, weight};
use crate::outcome::{self, Waiting};

/// How many retries one step takes out of the tiers; the others wait for the next.
const A_STEP: usize = 512;

impl Core {
    /// The tiers that want to be read, and from where.
    pub(crate) fn wanted_tiers(&self, now: Now) -> Vec<(Tier, Offset)> {
        let wants = |(tier, queue): (&Tier, &retry_scheduler::TierQueue)| {
            queue.wants(now.stamped).map(|from| (*tier, from))
        };
        self.tiers.iter().filter_map(wants).collect()
    }

    /// Whether a tier holds what is due and not confirmed: then a look is called for (O14).
    pub(crate) fn unconfirmed(&self) -> bool {
        let ends = |tier: &Tier| self.outputs.get(&Topic::Retry(*tier)).map(|o| o.end());
        self.tiers
            .iter()
            .any(|(tier, queue)| ends(tier).is_some_and(|end| end > queue.settled()))
    }

    /// Records of a tier.
    ///
    /// # Errors
    /// When one is of a newer program.
    pub(crate) fn tier_arrived(
        &mut self,
        tier: Tier,
        records: Vec<Record>,
        position: Offset,
        now: Now,
    ) -> Result<(), Stop> {
        let Some(queue) = self.tiers.get_mut(&tier) else {
            return Ok(());
        };
        let read = queue.read(records, position, now.stamped);
        let unreadable = read.map_err(|failed| Stop::Version {
            topic: Topic::Retry(tier),
            offset: failed.offset,
            version: failed.version,
        })?;
        for foreign in unreadable {
            let input = Input::Retry(tier, foreign.offset);
            self.put_away(input, foreign.appended_at, (foreign.parts, foreign.why));
        }
        Ok(())
    }

    /// `progress` was read to its end, with no higher epoch: what was acknowledged before is settled.
    pub(crate) fn confirm(&mut self, ends: &[(Tier, Offset)]) {
        for (tier, end) in ends {
            if let Some(queue) = self.tiers.get_mut(tier) {
                queue.settle(*end);
            }
        }
    }

    /// How far the tiers are acknowledged: what a look that begins now will confirm.
    pub(crate) fn tier_ends(&self) -> Vec<(Tier, Offset)> {
        let end = |tier: &Tier| Some((*tier, self.outputs.get(&Topic::Retry(*tier))?.end()));
        self.tiers.keys().filter_map(end).collect()
    }

    pub(super) fn release(&mut self, now: Now) {
        let mut left = A_STEP;
        let mut released = Vec::new();
        for queue in self.tiers.values_mut() {
            while left > 0
                && let Some(one) = queue.release(now.stamped)
            {
                released.push(one);
                left -= 1;
            }
        }
        for one in released {
            self.released(one, now);
        }
        while let Some(((at, input), _)) = self.timers.first_key_value() {
            if *at > now.log {
                break;
            }
            let key = (*at, *input);
            if let Some(job) = self.timers.remove(&key) {
                if let Some(endpoint) = self.endpoints.get_mut(&job.addressed.endpoint) {
                    endpoint.retries_held = endpoint.retries_held.saturating_sub(1);
                }
                self.due(*job, now);
            }
        }
    }

    fn released(&mut self, released: Released, now: Now) {
        let Released {
            offset,
            tier,
            retry,
            ..
        } = released;
        let input = Input::Retry(tier, offset);
        // On the wire since an earlier epoch, or its outcome on its way: nothing is to be done.
        if self.wire.contains_key(&input) || self.reissued.contains(&input) {
            return;
        }
        let reserved = self
            .around
            .budget
            .reserve(weight(retry.addressed.payload.len()));
        let job = Job::again(tier, offset, *retry, reserved);
        let tenant = job.addressed.tenant.clone();
        let most = self.around.config.limits.retries_held;
        let endpoint = self.endpoint(job.addressed.endpoint, &tenant);
        let has_room = endpoint.retries_held < most;
        match endpoint.standing() {
            Standing::Deleted => self.give_up(job, DeadLetterReason::EndpointDeleted),
            Standing::Disabled => self.give_up(job, DeadLetterReason::EndpointDisabled),
            Standing::Active | Standing::Held if job.due_at <= now.log => self.due(job, now),
            Standing::Active | Standing::Held => {
                let place = self.around.config.ladder.place(now.log, job.due_at);
                if place == Place::Lane && has_room {
                    self.keep(job);
                } else {
                    self.wait_on(job, now);
                }
            }
        }
    }

    /// The lane's timer waits out what is left.
    fn keep(&mut self, job: Job) {
        if let Some(endpoint) = self.endpoints.get_mut(&job.addressed.endpoint) {
            endpoint.retries_held += 1;
        }
        self.timers.insert((job.due_at, job.input), Box::new(job));
    }

    /// One more hop.
    fn wait_on(&mut self, job: Job, now: Now) {
        let (due_at, attempts, put_off) = (job.due_at, job.attempts, job.put_off);
        let waiting = Waiting {
            tier: self.around.config.ladder.tier(now.log, due_at),
            due_at,
            reason: WaitReason::Hop,
            attempts,
            put_off,
            attempt: None,
        };
        self.append_wait(job, waiting);
    }

    /// It is due: its lane takes it, or it is put off.
    fn due(&mut self, job: Job, now: Now) {
        let limits = &self.around.config.limits;
        let most = limits.retries_held;
        let is_full = self.around.budget.pressure(job.addressed.priority) == Pressure::Full;
        let tenant = job.addressed.tenant.clone();
        let endpoint = self.endpoint(job.addressed.endpoint, &tenant);
        // At least one slot, however full the process is.
        let takes = endpoint.takes(now.log) && (!is_full || endpoint.retries_held == 0);
        if takes && endpoint.retries_held < most {
            let id = endpoint.id;
            endpoint.retries_held += 1;
            endpoint.retries.push_back(Box::new(job));
            self.queue(id);
        } else if takes {
            self.line_up(job, None, now);
        } else {
            self.put_off(job, now);
        }
    }

    /// Its endpoint takes nothing now: the same record in a further tier, and no attempt spent (O12).
    /// Until its endpoint has said, where it has; else for twice as long as the last time.
    pub(super) fn put_off(&mut self, job: Job, now: Now) {
        let endpoint = self.endpoints.get(&job.addressed.endpoint);
        if let Some(until) = endpoint.and_then(|endpoint| endpoint.asked_until(now.log)) {
            return self.line_up(job, Some(until), now);
        }
        let wait = tiers::put_off(job.put_off) + tiers::SPARE;
        let due_at = now.log.saturating_add(wait);
        let times = job.put_off.saturating_add(1);
        self.wait_until(job, due_at, times, now);
    }

    /// Its endpoint takes retries, and has as many as it may, or none before `until`: the same, until
    /// about its turn (O12).
    fn line_up(&mut self, job: Job, until: Option<Timestamp>, now: Now) {
        let most = self.around.config.limits.retries_held;
        let soon = now.latest.saturating_add(tiers::FIRST_PUT_OFF);
        let first = until.map_or(soon, |until| until.max(soon));
        let mut turn = first;
        if let Some(endpoint) = self.endpoints.get_mut(&job.addressed.endpoint) {
            turn = tiers::line_up(endpoint.last_turn, first, most);
            endpoint.last_turn = Some(turn);
        }
        let least = turn.saturating_since(now.latest);
        let ladder = &self.around.config.ladder;
        let range = (least, least + (least / 2).min(tiers::LINE_SPREAD));
        let due_at = ladder.due(now.latest, range, &mut *self.around.chance);
        self.wait_until(job, due_at, 0, now);
    }

    fn wait_until(&mut self, job: Job, due_at: Timestamp, put_off: u32, now: Now) {
        let waiting = Waiting {
            tier: self.around.config.ladder.tier(now.log, due_at),
            due_at,
            reason: WaitReason::PutOff,
            attempts: job.attempts,
            put_off,
            attempt: None,
        };
        self.append_wait(job, waiting);
    }

    fn append_wait(&mut self, job: Job, waiting: Waiting) {
        let ended = outcome::waits(job, self.around.partition, self.epoch, waiting);
        self.effects.push(Effect::Append(ended.0, ended.1));
    }

    /// Ends it without an attempt.
    pub(super) fn give_up(&mut self, job: Job, reason: DeadLetterReason) {
        self.release_bytes(&job);
        let ended = outcome::dead(job, self.around.partition, self.epoch, reason, None);
        self.effects.push(Effect::Append(ended.0, ended.1));
    }
}
