//! The cursor: it walks `events` and waits for no lane.

use domain::time::Timestamp;
use eventlog_port::{Note, Offset, Record};
use schemas::accepted::Accepted;
use schemas::progress::{ORIGINS_EVERY, Origins as OriginsNote, ProgressRecord};
use schemas::quarantine::Quarantined;
use schemas::retry::WaitReason;
use schemas::scalar::At;
use schemas::topics::Topic;
use schemas::{DecodeError, Malformed, Parts};

use super::{Core, Effect, Now, Stop};
use crate::budget::Pressure;
use crate::input::{Input, Job, LaneKey, weight};
use crate::lane::{Lane, Passed};
use crate::outcome::{self, Waiting};

/// The most of an unreadable record's value that is kept.
const MAX_QUARANTINED: usize = 1 << 20;

/// A record of `events` that was read and that the cursor has yet to pass.
#[derive(Debug)]
pub(super) struct Arrived {
    offset: Offset,
    appended_at: Timestamp,
    record: Result<Box<Accepted>, Box<(Parts, Malformed)>>,
}

impl Core {
    /// Whether records of `events` are wanted, and from where.
    pub(crate) fn wants_events(&self) -> Option<Offset> {
        self.arrived.is_empty().then_some(self.read_to)
    }

    /// Records of `events`, read from where they were wanted; `position` is the reader's.
    ///
    /// # Errors
    /// When one is of a newer program.
    pub(crate) fn arrived(&mut self, records: Vec<Record>, position: Offset) -> Result<(), Stop> {
        self.read_to = position;
        for record in records {
            let (offset, appended_at) = (record.offset, record.appended_at);
            let parts = record.into_parts();
            let record = match Accepted::decode(&parts) {
                Ok(accepted) => Ok(Box::new(accepted)),
                Err(DecodeError::Malformed(why)) => Err(Box::new((parts, why))),
                Err(DecodeError::UnknownVersion { found }) => {
                    return Err(Stop::Version {
                        topic: Topic::Events,
                        offset,
                        version: found,
                    });
                }
            };
            self.arrived.push_back(Arrived {
                offset,
                appended_at,
                record,
            });
        }
        Ok(())
    }

    /// Moves the cursor as far as it goes now.
    pub(super) fn walk(&mut self, now: Now) {
        self.is_full = false;
        let mut notes = Vec::new();
        while let Some(arrived) = self.arrived.front() {
            let Arrived {
                offset,
                appended_at,
                record,
            } = arrived;
            let (offset, appended_at) = (*offset, *appended_at);
            // A record carries how far control was known when it was written.
            if record.as_ref().is_ok_and(|a| a.control > self.control_end) {
                break;
            }
            if record.as_ref().is_ok_and(|a| self.must_stand(a)) {
                self.relieve();
                let next = self.arrived.front().map(|arrived| &arrived.record);
                if next.is_some_and(|record| record.as_ref().is_ok_and(|a| self.must_stand(a))) {
                    self.is_full = true;
                    break;
                }
            }
            let Some(Arrived { record, .. }) = self.arrived.pop_front() else {
                break;
            };
            self.advance(offset);
            match record {
                Ok(accepted) => notes.extend(self.pass(offset, appended_at, *accepted, now)),
                Err(foreign) => self.put_away(Input::Event(offset), appended_at, *foreign),
            }
            self.advance(offset + 1);
        }
        if self.arrived.is_empty() {
            self.advance(self.read_to);
        }
        if !notes.is_empty() {
            self.effects.push(Effect::Index(notes));
        }
    }

    /// Over its budgets with lanes that hold nothing: then the cursor stands.
    fn must_stand(&self, accepted: &Accepted) -> bool {
        let priority = accepted.addressed.priority;
        if self.around.budget.pressure(priority) != Pressure::Full {
            return false;
        }
        let endpoint = self.endpoints.get(&accepted.addressed.endpoint);
        let lane = endpoint.and_then(|endpoint| endpoint.lane(priority));
        lane.is_none_or(|lane| lane.is_live() && lane.bytes == 0)
    }

    /// Lanes that hold more than their fair share give the rest back: where it lies is kept.
    fn relieve(&mut self) {
        let sharers = self.endpoints.len();
        let budget = &self.around.budget;
        let (bytes, records) = (budget.fair_share(sharers), budget.fair_records(sharers));
        for endpoint in self.endpoints.values_mut() {
            let over = endpoint.lanes().any(|(priority, lane)| {
                let ready = endpoint.ready_of(priority).len();
                ready > 0 && (ready > records || lane.bytes > bytes)
            });
            if over {
                endpoint.park();
            }
        }
    }

    fn advance(&mut self, to: Offset) {
        if to <= self.cursor {
            return;
        }
        let note = to / ORIGINS_EVERY > self.cursor / ORIGINS_EVERY;
        self.cursor = to;
        if note {
            self.effects
                .push(Effect::Progress(Box::new(ProgressRecord::Origins(
                    OriginsNote {
                        epoch: self.epoch,
                        offset: to / ORIGINS_EVERY * ORIGINS_EVERY,
                        origins: self.origins.at_cursor(),
                    },
                ))));
        }
        self.origins.keep(to);
    }

    fn pass(
        &mut self,
        offset: Offset,
        appended_at: Timestamp,
        accepted: Accepted,
        now: Now,
    ) -> Option<(u64, Note)> {
        let addressed = &accepted.addressed;
        let key = LaneKey {
            endpoint: addressed.endpoint,
            priority: addressed.priority,
        };
        let is_copy = accepted
            .routed
            .is_some_and(|from| !self.origins.pass(offset, from, key.endpoint));
        if is_copy {
            return None;
        }
        let size = weight(addressed.payload.len());
        let takes = self.takes(key, &accepted, size as u64, now);
        let most = self.lane_notes;
        let lane = self.lane_mut(key)?;
        match lane.pass(offset, takes, most) {
            Passed::Handed => self.hand(key, offset, appended_at, accepted, now),
            Passed::Noted => {
                let number = lane.number();
                self.hungry.insert(key);
                let record = self.around.config.notes_hold_records.then(|| {
                    let record = accepted.encode();
                    let eventlog_port::NewRecord {
                        key,
                        headers,
                        value,
                    } = record.into();
                    Record {
                        offset,
                        appended_at,
                        key,
                        headers,
                        value,
                    }
                });
                return Some((number, Note { offset, record }));
            }
            Passed::LeftOut => {
                self.hungry.insert(key);
            }
            Passed::Below => {}
        }
        None
    }

    /// Whether the lane takes a record of `size` now. It is there from here on.
    fn takes(&mut self, key: LaneKey, accepted: &Accepted, size: u64, now: Now) -> bool {
        let cursor = self.cursor;
        let number = self.lane_numbers;
        let sharers = self.endpoints.len();
        let endpoint = self.endpoint(key.endpoint, &accepted.addressed.tenant);
        let takes = endpoint.takes(now.log);
        let is_new = endpoint.lane(key.priority).is_none();
        if is_new {
            endpoint.set_lane(key.priority, Lane::new(cursor, cursor, number));
        }
        let held = endpoint.lane(key.priority).map_or(0, |lane| lane.bytes);
        let ready = endpoint.ready_of(key.priority).len();
        if is_new {
            self.lane_numbers += 1;
        }
        let budget = &self.around.budget;
        let within = match budget.pressure(key.priority) {
            Pressure::None => held == 0 || held + size <= self.around.config.limits.lane_bytes,
            Pressure::Share | Pressure::Full => {
                let has_share = ready < budget.fair_records(sharers);
                held == 0 || has_share && held + size <= budget.fair_share(sharers)
            }
        };
        takes && within
    }

    /// A reader gives the lane a record: nothing if it is done; its place in the window if it is on
    /// the wire since an earlier epoch; else it is held, and sent when its lane may send it.
    pub(super) fn hand(
        &mut self,
        key: LaneKey,
        offset: Offset,
        appended_at: Timestamp,
        accepted: Accepted,
        now: Now,
    ) {
        let input = Input::Event(offset);
        let is_done = self.marks.remove(&offset).is_some();
        let is_busy = self.wire.contains_key(&input) || self.reissued.contains(&input);
        let deferred = accepted.deliver_after.filter(|after| *after > now.log);
        let budget = std::sync::Arc::clone(&self.around.budget);
        let Some(lane) = self.lane_mut(key) else {
            return;
        };
        lane.take(offset, is_done);
        if is_done || is_busy {
            return;
        }
        let reserved = budget.reserve(weight(accepted.addressed.payload.len()));
        lane.bytes += reserved.bytes();
        let partition = self.around.partition;
        let job = Job::first(partition, offset, appended_at, accepted, reserved);
        match deferred {
            Some(due_at) => self.defer(job, due_at, now),
            None => self.make_ready(key, job),
        }
    }

    pub(super) fn make_ready(&mut self, key: LaneKey, job: Job) {
        if let Some(endpoint) = self.endpoints.get_mut(&key.endpoint) {
            endpoint.ready_mut(key.priority).push_back(Box::new(job));
        }
        self.queue(key.endpoint);
    }

    /// Its producer asked for a later first attempt: it goes through the tiers.
    fn defer(&mut self, job: Job, due_at: Timestamp, now: Now) {
        let waiting = Waiting {
            tier: self.around.config.ladder.tier(now.log, due_at),
            due_at,
            reason: WaitReason::Deferred,
            attempts: 0,
            put_off: 0,
            attempt: None,
        };
        self.release_bytes(&job);
        let ended = outcome::waits(job, self.around.partition, self.epoch, waiting);
        self.effects.push(Effect::Append(ended.0, ended.1));
    }

    /// What it weighs counts for its lane no longer.
    pub(super) fn release_bytes(&mut self, job: &Job) {
        if let Input::Event(_) = job.input
            && let Some(lane) = self.lane_mut(job.lane())
        {
            lane.bytes = lane.bytes.saturating_sub(job.reserved.bytes());
        }
    }

    /// What nobody of ours wrote goes to quarantine.
    pub(super) fn put_away(
        &mut self,
        input: Input,
        appended_at: Timestamp,
        (parts, why): (Parts, Malformed),
    ) {
        let origin = input.position(self.around.partition);
        let record = Quarantined::of(&parts, origin, At(appended_at), &why, MAX_QUARANTINED);
        self.quarantined.insert(input);
        self.effects
            .push(Effect::Quarantine(input, Box::new(record)));
    }

    /// The record is in quarantine, durably: it is done.
    pub(crate) fn is_put_away(&mut self, input: Input) {
        self.quarantined.remove(&input);
        if let Input::Retry(tier, offset) = input
            && let Some(queue) = self.tiers.get_mut(&tier)
        {
            queue.done(offset);
        }
    }
}
