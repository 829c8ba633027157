//! Where an owner stands, as records for the next one (L6 to L9, L14, L15).

use std::collections::BTreeMap;

use domain::circuit::Phase;
use eventlog_port::Offset;
use schemas::lane::{Lane as LaneRecord, LaneId, LaneReleased};
use schemas::origin::Run;
use schemas::progress::{Checkpoint, Input as InputMark, Output as OutputMark, ProgressRecord};
use schemas::scalar::{At, Gaps};
use schemas::topics::{Tier, Topic};

use super::{Core, Now};
use crate::endpoint::Endpoint;
use crate::input::{Input, LaneKey};
use crate::lane::Lane;

/// The last set that landed.
#[derive(Debug, Default)]
pub(crate) struct LastSet {
    /// Where the whole set begins; `None`: this owner has written none.
    from: Option<Offset>,
    lanes: BTreeMap<LaneKey, LaneRecord>,
    /// Below it all events are done or in a lane's record.
    below: Offset,
    /// How many records were written since the whole set.
    deltas: usize,
    /// What it said, but for its time.
    said: Option<(Vec<InputMark>, Vec<OutputMark>)>,
}

impl LastSet {
    /// What a takeover has read: nothing of its own, but how far the events are done (L6, L15).
    pub(crate) fn taken_over(below: Offset) -> Self {
        Self {
            below,
            ..Self::default()
        }
    }
}

/// A set that is to be written.
#[derive(Debug)]
pub(crate) struct Plan {
    /// The lanes' records, and then the partition's.
    pub(crate) records: Vec<ProgressRecord>,
    next: LastSet,
    /// Below it no lane reads on, now or after a takeover from this set.
    needed: Offset,
    below_tiers: Vec<(Tier, Offset)>,
}

impl Core {
    /// What a checkpoint would say now; `None` when the last one says it already.
    pub(crate) fn plan(&mut self, now: Now) -> Option<Plan> {
        self.forget_idle();
        let lanes = self.lane_records(now);
        let below = self.below(&lanes);
        self.promised = below;
        let is_whole = self.last_set.from.is_none() || self.last_set.deltas > lanes.len() + 64;
        let mut records = self.changed(&lanes, is_whole);
        let from = if is_whole {
            self.outputs
                .get(&Topic::Progress)
                .map_or(self.epoch + 1, |progress| progress.end())
        } else {
            self.last_set.from.unwrap_or(self.epoch + 1)
        };
        let inputs = self.inputs(below);
        let outputs = self.output_marks(below);
        let said = Some((inputs.clone(), outputs.clone()));
        if records.is_empty() && said == self.last_set.said {
            return None;
        }
        // Each delta has the partition's record too, which a takeover reads past.
        let deltas = if is_whole {
            0
        } else {
            self.last_set.deltas + records.len() + 1
        };
        records.push(ProgressRecord::Checkpoint(Checkpoint {
            epoch: self.epoch,
            set_from: from,
            log_time: At(now.log),
            inputs,
            outputs,
            origins: self.origins.as_of(below),
        }));
        // A lane's own place, not its record's, which may be above it.
        let resumes = self
            .endpoints
            .values()
            .filter_map(|e| e.oldest(self.cursor));
        let needed = resumes.fold(below, Offset::min);
        Some(Plan {
            needed,
            records,
            next: LastSet {
                from: Some(from),
                lanes,
                below,
                deltas,
                said,
            },
            below_tiers: self
                .tiers
                .iter()
                .map(|(tier, queue)| (*tier, queue.below()))
                .collect(),
        })
    }

    /// The set is durable: it is the last one.
    pub(crate) fn checkpointed(&mut self, plan: Plan) {
        self.origins.forget(plan.needed);
        for (tier, below) in plan.below_tiers {
            if let Some(queue) = self.tiers.get_mut(&tier) {
                queue.forget_epochs(below);
            }
        }
        self.last_set = plan.next;
    }

    /// How far events are done, for the group's commit.
    pub(crate) const fn done_below(&self) -> Offset {
        self.last_set.below
    }

    /// How many lanes are live, how many lag, and how many circuits are not closed.
    pub(crate) fn counts(&self) -> [i64; 3] {
        let mut counts = [0; 3];
        for endpoint in self.endpoints.values() {
            for (_, lane) in endpoint.lanes() {
                counts[usize::from(!lane.is_live())] += 1;
            }
            counts[2] += i64::from(endpoint.circuit.phase() != Phase::Closed);
        }
        counts
    }

    /// Endpoints of which nothing is held are made anew when they are needed.
    fn forget_idle(&mut self) {
        const KEPT: usize = 4_096;
        if self.endpoints.len() <= KEPT {
            return;
        }
        let marks: std::collections::BTreeSet<_> = self.marks.values().copied().collect();
        let cursor = self.cursor;
        self.endpoints.retain(|id, endpoint| {
            let is_remembered = endpoint.failing_since.is_some()
                || endpoint.slow_until.is_some()
                || endpoint.circuit != domain::circuit::Circuit::new(endpoint.circuit_settings());
            !endpoint.is_idle(cursor) || is_remembered || marks.contains(id)
        });
    }

    /// The lanes that have a record, and what it says (L6).
    fn lane_records(&mut self, now: Now) -> BTreeMap<LaneKey, LaneRecord> {
        let cursor = self.cursor;
        let bounds = (
            self.promised,
            cursor.saturating_sub(self.around.config.limits.far_behind),
        );
        let mut marks: BTreeMap<_, Vec<Offset>> = BTreeMap::new();
        for (offset, endpoint) in &self.marks {
            marks.entry(*endpoint).or_default().push(*offset);
        }
        let mut records = BTreeMap::new();
        for endpoint in self.endpoints.values_mut() {
            let health = endpoint.health(now.log);
            if health.is_some() && endpoint.lanes().next().is_none() {
                let lane = Lane::new(cursor, cursor, self.lane_numbers);
                self.lane_numbers += 1;
                endpoint.set_lane(schemas::event::Priority::Normal, lane);
            }
            let done = marks.get(&endpoint.id).map_or(&[][..], Vec::as_slice);
            add_records(
                endpoint,
                (cursor, self.epoch),
                bounds,
                health,
                done,
                &mut records,
            );
        }
        records
    }

    /// What differs from the last set; all of it in a whole one.
    fn changed(
        &self,
        lanes: &BTreeMap<LaneKey, LaneRecord>,
        is_whole: bool,
    ) -> Vec<ProgressRecord> {
        let last = &self.last_set.lanes;
        let differs = |key: &LaneKey, lane: &LaneRecord| is_whole || last.get(key) != Some(lane);
        let mut records: Vec<ProgressRecord> = lanes
            .iter()
            .filter(|(key, lane)| differs(key, lane))
            .map(|(_, lane)| ProgressRecord::Lane(lane.clone()))
            .collect();
        if !is_whole {
            let released = last.keys().filter(|key| !lanes.contains_key(key));
            records.extend(released.map(|key| {
                ProgressRecord::LaneReleased(LaneReleased {
                    epoch: self.epoch,
                    lane: lane_id(*key),
                })
            }));
        }
        records
    }

    /// Below it every event is done, or in a record of a lane.
    fn below(&self, recorded: &BTreeMap<LaneKey, LaneRecord>) -> Offset {
        let mut below = self.cursor;
        for (id, endpoint) in &self.endpoints {
            for (priority, lane) in endpoint.lanes() {
                let key = LaneKey {
                    endpoint: *id,
                    priority,
                };
                if !recorded.contains_key(&key) {
                    below = below.min(lane.resume(self.cursor));
                }
            }
        }
        let putting_away = self.quarantined.iter().find_map(|input| match input {
            Input::Event(offset) => Some(*offset),
            Input::Retry(..) => None,
        });
        below.min(putting_away.unwrap_or(below)).max(self.promised)
    }

    fn inputs(&self, below: Offset) -> Vec<InputMark> {
        let mark = |topic, below, epoch| InputMark {
            topic,
            below,
            epoch,
            ahead: Vec::new(),
        };
        let mut inputs = vec![
            mark(Topic::Events, below, None),
            mark(Topic::Requests, self.requests, None),
        ];
        inputs.extend(self.tiers.iter().map(|(tier, queue)| {
            let below = queue.below();
            mark(Topic::Retry(*tier), below, Some(queue.epoch_below(below)))
        }));
        inputs
    }

    fn output_marks(&mut self, below: Offset) -> Vec<OutputMark> {
        let tiers = &self.tiers;
        let is_below = |input: Input| match input {
            Input::Event(offset) => offset < below,
            Input::Retry(tier, offset) => {
                tiers.get(&tier).is_none_or(|queue| offset < queue.below())
            }
        };
        let outputs = self
            .outputs
            .iter_mut()
            .filter(|(topic, _)| **topic != Topic::Progress);
        outputs
            .map(|(topic, output)| {
                let (from, epoch) = output.from(is_below);
                OutputMark {
                    topic: *topic,
                    from,
                    epoch,
                }
            })
            .collect()
    }
}

pub(crate) const fn lane_id(key: LaneKey) -> LaneId {
    LaneId {
        endpoint: key.endpoint,
        priority: Some(key.priority),
        ordering_key: None,
        run: Run::First,
    }
}

fn add_records(
    endpoint: &Endpoint,
    (cursor, epoch): (Offset, u64),
    (below, far): (Offset, Offset),
    health: Option<schemas::lane::Health>,
    marks: &[Offset],
    records: &mut BTreeMap<LaneKey, LaneRecord>,
) {
    for (priority, lane) in endpoint.lanes() {
        let oldest = lane.window().oldest();
        let is_behind = oldest.is_some_and(|oldest| oldest < below || oldest <= far);
        if lane.is_live() && !is_behind && health.is_none() {
            continue;
        }
        // A lane that has yet to come to a record may resume at one that a takeover has found done: `done`
        // can't say that, for it begins above.
        let mut resume = lane.resume(cursor);
        while marks.contains(&resume) {
            resume += 1;
        }
        let in_window = lane.window().done_above().filter(|offset| *offset > resume);
        let mut done: Vec<Offset> = in_window.collect();
        done.extend(marks.iter().filter(|offset| **offset > resume));
        done.sort_unstable();
        done.dedup();
        let key = LaneKey {
            endpoint: endpoint.id,
            priority,
        };
        records.insert(
            key,
            LaneRecord {
                epoch,
                lane: lane_id(key),
                resume,
                done: Gaps::of(resume, &done).unwrap_or_default(),
                head: None,
                health,
            },
        );
    }
}
