//! Lanes that lag: their records come back from the index, or by reading the log again (L4).

use std::collections::BTreeSet;

use domain::circuit::Phase;
use eventlog_port::{LaneNumber, Note, Offset, Record};
use schemas::DecodeError;
use schemas::accepted::Accepted;
use schemas::topics::Topic;

use super::{Core, Effect, Now, Stop};
use crate::budget::Pressure;
use crate::input::{Input, Job, LaneKey, weight};
use crate::origins::{self, Highest};

/// Records of one lane that are wanted.
#[derive(Clone, Debug)]
pub(crate) struct Fetch {
    pub(crate) key: LaneKey,
    /// What the index calls it.
    pub(crate) number: LaneNumber,
    /// The first notes at or above this.
    pub(crate) from: Offset,
    pub(crate) limit: usize,
    /// How often its notes were lost before: what was asked before a loss says nothing after it.
    losses: u32,
    /// If there are any: these records instead.
    pub(crate) parked: Vec<Offset>,
}

/// What was found.
#[derive(Debug)]
pub(crate) struct Fetched {
    pub(crate) fetch: Fetch,
    /// How many notes the index had, at most as many as were wanted.
    pub(crate) notes: usize,
    pub(crate) records: Vec<Record>,
}

/// A pass over the log again, for the lanes that want it.
#[derive(Debug)]
pub(crate) struct Sweep {
    lanes: BTreeSet<LaneKey>,
    /// The routers' origins as of where it stands.
    highest: Highest,
    until: Offset,
}

impl Core {
    /// Looks after the lanes that may be read on for.
    pub(super) fn feed(&mut self, now: Now) {
        for key in std::mem::take(&mut self.hungry) {
            self.feed_one(key, now);
        }
        if self.sweep.is_none() && !self.sweep_for.is_empty() {
            self.begin_sweep(now);
        }
    }

    fn feed_one(&mut self, key: LaneKey, now: Now) {
        let (cursor, most_records) = (self.cursor, self.around.config.limits.fetch_records);
        let most = self.lane_notes;
        let lane_bytes = self.around.config.limits.lane_bytes;
        let pressure = self.around.budget.pressure(key.priority);
        let share = self.around.budget.fair_share(self.endpoints.len());
        let Some(tenant) = self.endpoints.get(&key.endpoint).map(|e| e.tenant.clone()) else {
            return;
        };
        let endpoint = self.endpoint(key.endpoint, &tenant);
        if !endpoint.takes(now.log) {
            // Whoever lets it send again, or the moment that does, looks at it again.
            let until = endpoint.slow_until.filter(|until| now.log < *until);
            let probe_at = endpoint.circuit.probe_at().filter(|at| now.log < *at);
            match until.max(probe_at) {
                Some(at) => self.wakes.insert((at, key.endpoint)),
                None => self.held.insert(key.endpoint),
            };
            return;
        }
        let ready = endpoint.ready_of(key.priority).len();
        let is_probing = endpoint.circuit.phase() != Phase::Closed;
        let Some(lane) = endpoint.lane_mut(key.priority) else {
            return;
        };
        if lane.fetching {
            return;
        }
        lane.settle(cursor);
        if lane.is_live() && lane.parked.is_empty() {
            return;
        }
        let most_bytes = match pressure {
            Pressure::None => lane_bytes,
            Pressure::Share | Pressure::Full => share.min(lane_bytes),
        };
        if ready > most_records / 2 || (lane.bytes >= most_bytes && lane.bytes > 0) {
            return;
        }
        let (number, losses) = (lane.number(), lane.losses());
        let parked: Vec<Offset> = {
            let most = if is_probing { 1 } else { most_records };
            lane.parked.drain(..lane.parked.len().min(most)).collect()
        };
        // No more than is counted: what else the index has of it may lie behind a gap.
        let at_once = if is_probing { 1 } else { most_records };
        let limit = lane.notes().min(lane.room()).min(at_once);
        if !parked.is_empty() || limit > 0 {
            lane.fetching = true;
            let from = lane.next(cursor);
            self.effects.push(Effect::Fetch(Fetch {
                key,
                number,
                from,
                limit,
                losses,
                parked,
            }));
        }
        if let Some(lane) = self.lane_mut(key)
            && lane.wants_more(cursor, most).is_some()
        {
            self.sweep_for.insert(key);
        }
    }

    fn begin_sweep(&mut self, now: Now) {
        if self.sweep_not_before.is_some_and(|at| now.log < at) {
            return;
        }
        self.sweep_not_before = None;
        let (cursor, most) = (self.cursor, self.lane_notes);
        let mut lanes = BTreeSet::new();
        let mut from = cursor;
        for key in std::mem::take(&mut self.sweep_for) {
            let wanted = self
                .lane_mut(key)
                .and_then(|lane| lane.wants_more(cursor, most));
            if let Some(at) = wanted {
                lanes.insert(key);
                from = from.min(at);
            }
        }
        if lanes.is_empty() {
            return;
        }
        let Some((start, highest)) = self.origins.before(from) else {
            self.stop = Some(Stop::NoOrigins(from));
            return;
        };
        self.sweep = Some(Sweep {
            lanes,
            highest,
            until: cursor,
        });
        self.effects.push(Effect::Sweep(start));
    }

    /// A block of records of a sweep, in which the reader stands at `position` now. False: nobody
    /// wants more of it.
    ///
    /// # Errors
    /// When one is of a newer program.
    pub(crate) fn swept(&mut self, records: Vec<Record>, position: Offset) -> Result<bool, Stop> {
        let Some(mut sweep) = self.sweep.take() else {
            return Ok(false);
        };
        let mut notes = Vec::new();
        let mut full = BTreeSet::new();
        // The cursor moves on meanwhile: a pass that ended where it began would never end.
        sweep.until = self.cursor;
        for record in records {
            if record.offset >= sweep.until {
                break;
            }
            self.sweep_record(record, &mut sweep, &mut full, &mut notes)?;
        }
        for key in &full {
            sweep.lanes.remove(key);
            self.hungry.insert(*key);
        }
        if !notes.is_empty() {
            self.effects.push(Effect::Index(notes));
        }
        let end = position.min(sweep.until);
        let cursor = self.cursor;
        for key in &sweep.lanes {
            if let Some(lane) = self.lane_mut(*key) {
                lane.extended(end, cursor);
            }
        }
        self.hungry.extend(sweep.lanes.iter().copied());
        // The next pass begins here, not at the place before.
        self.origins.keep_at(end, &sweep.highest);
        let goes_on = end < sweep.until && !sweep.lanes.is_empty();
        if goes_on {
            self.sweep = Some(sweep);
        }
        Ok(goes_on)
    }

    fn sweep_record(
        &mut self,
        record: Record,
        sweep: &mut Sweep,
        full: &mut BTreeSet<LaneKey>,
        notes: &mut Vec<(LaneNumber, Note)>,
    ) -> Result<(), Stop> {
        let (offset, most) = (record.offset, self.lane_notes);
        let kept = self
            .around
            .config
            .notes_hold_records
            .then(|| record.clone());
        let accepted = match Accepted::decode(&record.into_parts()) {
            Ok(accepted) => accepted,
            // The cursor has put it into quarantine.
            Err(DecodeError::Malformed(_)) => return Ok(()),
            Err(DecodeError::UnknownVersion { found }) => {
                return Err(Stop::Version {
                    topic: Topic::Events,
                    offset,
                    version: found,
                });
            }
        };
        let key = LaneKey {
            endpoint: accepted.addressed.endpoint,
            priority: accepted.addressed.priority,
        };
        let is_copy = accepted
            .routed
            .is_some_and(|from| !origins::fold(&mut sweep.highest, from, key.endpoint));
        if is_copy || !sweep.lanes.contains(&key) || full.contains(&key) {
            return Ok(());
        }
        let Some(lane) = self.lane_mut(key) else {
            return Ok(());
        };
        // Below where its range ends it has the note already.
        if !lane.is_wanted(offset) {
            return Ok(());
        }
        if lane.extend(offset, most) {
            notes.push((
                lane.number(),
                Note {
                    offset,
                    record: kept,
                },
            ));
        } else {
            full.insert(key);
        }
        Ok(())
    }

    /// What was fetched for a lane.
    ///
    /// # Errors
    /// When a record is of a newer program.
    pub(crate) fn fetched(&mut self, fetched: Fetched, now: Now) -> Result<(), Stop> {
        let Fetched {
            fetch,
            notes,
            records,
        } = fetched;
        let key = fetch.key;
        let is_parked = !fetch.parked.is_empty();
        if let Some(lane) = self.lane_mut(key) {
            lane.fetching = false;
            // A fetch ends early where the records are large.
            lane.parked.extend(fetch.parked.iter().skip(records.len()));
            lane.parked.sort_unstable();
        }
        let cursor = self.cursor;
        let is_old = self
            .lane_mut(key)
            .is_none_or(|lane| lane.losses() != fetch.losses);
        // Behind what is missing nothing may be handed out: `next` would pass it.
        if !is_parked && !is_old && notes < fetch.limit {
            self.lane_lost(key);
        } else if is_parked || !is_old {
            for record in records {
                self.fetched_record(key, record, is_parked, now)?;
            }
        }
        if let Some(lane) = self.lane_mut(key) {
            let below = lane.next(cursor);
            let number = lane.number();
            lane.settle(cursor);
            if !is_parked {
                self.effects.push(Effect::Forget(number, below));
            }
        }
        self.hungry.insert(key);
        Ok(())
    }

    fn fetched_record(
        &mut self,
        key: LaneKey,
        record: Record,
        is_parked: bool,
        now: Now,
    ) -> Result<(), Stop> {
        let (offset, appended_at) = (record.offset, record.appended_at);
        let accepted = match Accepted::decode(&record.into_parts()) {
            Ok(accepted) => accepted,
            Err(DecodeError::UnknownVersion { found }) => {
                return Err(Stop::Version {
                    topic: Topic::Events,
                    offset,
                    version: found,
                });
            }
            Err(DecodeError::Malformed(why)) => {
                return Err(Stop::Unreadable {
                    topic: Topic::Events,
                    offset,
                    why,
                });
            }
        };
        if is_parked {
            self.unpark(key, offset, appended_at, accepted);
        } else if self.lane_mut(key).is_some_and(|lane| lane.catch_up(offset)) {
            self.hand(key, offset, appended_at, accepted, now);
        }
        Ok(())
    }

    /// A record that its lane holds already, and whose payload had been given back.
    fn unpark(
        &mut self,
        key: LaneKey,
        offset: Offset,
        appended_at: domain::time::Timestamp,
        accepted: Accepted,
    ) {
        let input = Input::Event(offset);
        if self.wire.contains_key(&input) || self.reissued.contains(&input) {
            return;
        }
        let reserved = self
            .around
            .budget
            .reserve(weight(accepted.addressed.payload.len()));
        if let Some(lane) = self.lane_mut(key) {
            lane.bytes += reserved.bytes();
        }
        let job = Job::first(
            self.around.partition,
            offset,
            appended_at,
            accepted,
            reserved,
        );
        self.make_ready(key, job);
    }

    /// What the index held is lost, or it took nothing more: it is read from the log again, not
    /// before `not_before` where there is no room.
    pub(crate) fn index_lost(&mut self, not_before: Option<domain::time::Timestamp>) {
        self.sweep_not_before = not_before;
        if not_before.is_some() {
            self.lane_notes = (self.lane_notes / 2).max(1);
        }
        if let Some(at) = not_before
            && let Some(id) = self.endpoints.keys().next().copied()
        {
            self.wakes.insert((at, id));
        }
        let keys: Vec<LaneKey> = self.lane_keys().collect();
        for key in keys {
            self.lane_lost(key);
        }
    }

    /// Its notes are gone: its range begins anew at its `next`, and a pass that is further on is
    /// none of its own.
    fn lane_lost(&mut self, key: LaneKey) {
        if let Some(sweep) = &mut self.sweep {
            sweep.lanes.remove(&key);
        }
        if let Some(lane) = self.lane_mut(key)
            && !lane.is_live()
        {
            lane.lost();
            let number = lane.number();
            self.hungry.insert(key);
            self.effects.push(Effect::Forget(number, Offset::MAX));
        }
    }

    /// A fetch came to nothing: its lane asks again.
    pub(crate) fn not_fetched(&mut self, fetch: Fetch) {
        if let Some(lane) = self.lane_mut(fetch.key) {
            lane.fetching = false;
            lane.parked.extend(fetch.parked);
            lane.parked.sort_unstable();
        }
        self.hungry.insert(fetch.key);
    }
}
