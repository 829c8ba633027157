//! The checkpoint: which records it appends to `progress`, and what is read back.

use super::Lanes;
use super::rule::Rule;
use super::state::{LaneRecord, Outcome, PartitionRecord, Progress, Request, State};
use super::world::{LANES, LaneId, Offsets};

/// A set, as a takeover reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Set {
    pub(super) lanes: [Option<LaneRecord>; LANES],
    pub(super) partition: PartitionRecord,
}

impl PartitionRecord {
    /// The first, made explicitly.
    pub(super) fn first() -> Self {
        Self {
            begins: 0,
            cursor: 0,
            request_done: false,
            ahead: Offsets::default(),
            attempts: 0,
        }
    }
}

impl Lanes {
    /// The last partition record, and the records of lanes from where it says that its set begins.
    pub(super) fn read_set(&self, state: &State) -> Set {
        let log = &state.progress;
        let mut last = (log.len(), PartitionRecord::first());
        for (at, record) in log.iter().enumerate() {
            if let Progress::Partition(partition) = record {
                last = (at, *partition);
            }
        }
        let (at, partition) = last;
        let reads_half =
            !self.keeps(Rule::HalfSetIsIgnored) || !self.keeps(Rule::PartitionRecordLast);
        let end = if reads_half { log.len() } else { at };
        let mut lanes = [None; LANES];
        for record in &log[partition.begins..end] {
            match record {
                Progress::Lane(id, record) => lanes[*id as usize] = Some(*record),
                Progress::Released(id) => lanes[*id as usize] = None,
                Progress::Partition(_) => {}
            }
        }
        Set { lanes, partition }
    }

    /// What a checkpoint begun now would append, in order; nothing if nothing has moved.
    pub(super) fn checkpoint(&self, state: &State, whole: bool) -> Vec<Progress> {
        let last = self.read_set(state);
        let (lanes, cursor) = self.lanes_and_offset(state, &last);
        let partition = PartitionRecord {
            begins: if whole {
                state.progress.len()
            } else {
                last.partition.begins
            },
            cursor,
            request_done: self.request_done(state),
            ahead: self.noted_ahead(state),
            attempts: self.output_offset(state, cursor),
        };
        let moved = PartitionRecord {
            begins: last.partition.begins,
            ..partition
        };
        if lanes == last.lanes && moved == last.partition {
            return Vec::new();
        }
        self.ordered(self.lane_records(&lanes, &last, whole), partition, state)
    }

    fn lane_records(
        &self,
        lanes: &[Option<LaneRecord>; LANES],
        last: &Set,
        whole: bool,
    ) -> Vec<Progress> {
        let mut records = Vec::new();
        for id in LaneId::ALL {
            let (now, before) = (lanes[id as usize], last.lanes[id as usize]);
            match now {
                Some(record) if whole || now != before => records.push(Progress::Lane(id, record)),
                None if !whole && before.is_some() && self.keeps(Rule::ReleaseIsRecorded) => {
                    records.push(Progress::Released(id));
                }
                Some(_) | None => {}
            }
        }
        records
    }

    fn ordered(
        &self,
        mut records: Vec<Progress>,
        mut partition: PartitionRecord,
        state: &State,
    ) -> Vec<Progress> {
        if !self.keeps(Rule::NamesWhereSetBegins) {
            partition.begins = state.progress.len();
        }
        let at = if self.keeps(Rule::PartitionRecordLast) {
            records.len()
        } else {
            0
        };
        records.insert(at, Progress::Partition(partition));
        records
    }

    /// The lanes that have a record, and the offset below which the others have nothing undone.
    fn lanes_and_offset(&self, state: &State, last: &Set) -> ([Option<LaneRecord>; LANES], u8) {
        let present = || {
            LaneId::ALL
                .into_iter()
                .filter(|id| state.lane(*id).is_some())
        };
        let free = present().filter(|id| !self.must_have_record(state, *id, last));
        let lowest = free.map(|id| self.resume(state, id)).min();
        let held_back = self.keeps(Rule::InputOffsetHeldBack);
        let offset = lowest
            .filter(|_| held_back)
            .map_or(state.cursor, |low| low.min(state.cursor));
        let offset = offset.max(last.partition.cursor);
        let mut lanes = [None; LANES];
        for id in present().filter(|id| self.must_have_record(state, *id, last)) {
            let is_live = state.lane(id).is_some_and(|lane| lane.live);
            let is_written = is_live || self.keeps(Rule::LaggingHasRecord);
            lanes[id as usize] = is_written.then(|| self.lane_record(state, id));
        }
        (lanes, offset)
    }

    /// A lane that lags, is a blocked key's, is far behind, or has something undone below what the
    /// last checkpoint said.
    fn must_have_record(&self, state: &State, id: LaneId, last: &Set) -> bool {
        let Some(lane) = state.lane(id) else {
            return false;
        };
        let resume = self.resume(state, id);
        let lags = !lane.live;
        let is_far = resume + self.world.far_behind <= state.cursor;
        let is_below = resume < last.partition.cursor && self.keeps(Rule::RecordStays);
        lags || is_far || is_below || id == LaneId::KeyOfA
    }

    fn lane_record(&self, state: &State, id: LaneId) -> LaneRecord {
        let done = self.done_above(state, id);
        LaneRecord {
            resume: self.resume(state, id),
            done: if self.keeps(Rule::RecordHasBitmap) {
                done
            } else {
                Offsets::default()
            },
            head: self.blocked_head(state, id),
        }
    }

    /// The undone record of the lane that has failed, and how often.
    fn blocked_head(&self, state: &State, id: LaneId) -> Option<(u8, u8)> {
        let mut own = self.own(state, id);
        let head = own.find(|at| !state.is_done(*at) && state.failed(*at) > 0)?;
        let at_resume = head == self.resume(state, id);
        let is_named = self.keeps(Rule::RecordNamesHead) || at_resume;
        (is_named && self.keeps(Rule::RecordHasHead)).then(|| (head, state.failed(head)))
    }

    /// What the lane's bitmap holds: done in their turn, above the resume offset.
    pub(super) fn done_above(&self, state: &State, id: LaneId) -> Offsets {
        let resume = self.resume(state, id);
        self.own(state, id)
            .filter(|offset| *offset >= resume && state.is_done(*offset))
            .filter(|offset| !state.ahead.contains(*offset))
            .collect()
    }

    fn request_done(&self, state: &State) -> bool {
        state.request == Request::Done
            || (state.request != Request::Waiting && !self.keeps(Rule::RequestOffsetHeldBack))
    }

    fn noted_ahead(&self, state: &State) -> Offsets {
        if self.keeps(Rule::AheadIsInTheCheckpoint) {
            state.ahead
        } else {
            Offsets::default()
        }
    }

    /// The lower of the oldest outcome whose input is not below `cursor`, and the end.
    fn output_offset(&self, state: &State, cursor: u8) -> usize {
        let end = state.attempts.len();
        if !self.keeps(Rule::OutputOffsetHeldBack) {
            return end;
        }
        let mut outcomes = state.attempts.iter();
        let oldest = outcomes.position(|outcome| outcome.input().is_some_and(|at| at >= cursor));
        oldest.unwrap_or(end)
    }

    /// A record lands in `progress`. What lies below the begin of the set that it completes, and in
    /// `attempts` below what it names, nobody reads again.
    pub(super) fn land(&self, state: &mut State, record: &Progress) {
        let Progress::Partition(mut partition) = *record else {
            state.progress.push(record.clone());
            return;
        };
        if !self.keeps(Rule::OutputEndAsRead) {
            partition.attempts = self.output_offset(state, partition.cursor);
        }
        state.attempts.drain(..partition.attempts);
        state.progress.drain(..partition.begins);
        state
            .progress
            .retain(|old| !matches!(old, Progress::Partition(_)));
        let kept = PartitionRecord {
            begins: 0,
            attempts: 0,
            ..partition
        };
        state.progress.push(Progress::Partition(kept));
    }

    /// The whole checkpoint has become durable.
    pub(super) fn complete_checkpoint(&self, state: &mut State) {
        for record in std::mem::take(&mut state.checkpoint) {
            self.land(state, &record);
        }
        state.first_set = false;
    }
}

impl Outcome {
    /// The record of `events` that it names.
    fn input(self) -> Option<u8> {
        match self {
            Self::Delivered(at)
            | Self::Cancelled(at)
            | Self::CancelledWithoutRequest(at)
            | Self::Note(at, _) => Some(at),
            Self::CancelledWithoutRecord(_) | Self::Refused => None,
        }
    }
}
