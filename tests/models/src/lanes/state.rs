//! The state: what lies in the log, what the owner keeps, and what an onlooker has seen.

use super::journal::Journal;
use super::world::{LANES, LaneId, Offsets, RECORDS};

/// A record of `attempts`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Outcome {
    /// The record at this offset was delivered.
    Delivered(u8),
    /// The record at this offset was cancelled, as the request asked. Names both origins.
    Cancelled(u8),
    /// Half of the above, for the variants: it names the record alone.
    CancelledWithoutRequest(u8),
    /// Half of the above, for the variants: it names the request alone.
    CancelledWithoutRecord(u8),
    /// The request was refused. Names the request alone.
    Refused,
    /// An attempt of the strict head at this offset failed, and its number: a note that ends
    /// nothing.
    Note(u8, u8),
}

/// A record of `progress`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Progress {
    /// Where a lane stands.
    Lane(LaneId, LaneRecord),
    /// The lane needs no record any more.
    Released(LaneId),
    /// The partition's own, which makes the set count.
    Partition(PartitionRecord),
}

/// Where a lane stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct LaneRecord {
    /// All of the lane's records below it are done.
    pub(super) resume: u8,
    /// Those above it that are done.
    pub(super) done: Offsets,
    /// The blocked head, by its offset: the lane may have yet to come to it. How many attempts of
    /// it have failed; its due time goes with that.
    pub(super) head: Option<(u8, u8)>,
}

/// Where the partition stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct PartitionRecord {
    /// Where in `progress` its set begins; counted from the first record that is kept.
    pub(super) begins: usize,
    /// Below it, each record of `events` is done or in a lane's record.
    pub(super) cursor: u8,
    /// Whether the one request is done.
    pub(super) request_done: bool,
    /// Cancelled ones that their lanes have yet to come to.
    pub(super) ahead: Offsets,
    /// From where `attempts` is read by a takeover; counted from the first record that is kept.
    pub(super) attempts: usize,
}

/// What the owner knows of a record of `events`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) enum Known {
    /// Nothing is being done about it.
    #[default]
    Undone,
    /// In its lane's window, or waiting there for its due time.
    Held,
    /// A request is on the wire, or its outcome is not durable yet.
    Sending,
    /// The outcome of its cancel is not durable yet.
    Cancelling,
    /// Its outcome is durable.
    Done,
}

/// A lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Lane {
    /// No reader hands it a record below this offset.
    pub(super) next: u8,
    /// Whether the cursor hands it its records; else catch-up does.
    pub(super) live: bool,
    /// While it lags: from `from` to below `to`, the index has all notes of it that it needs.
    pub(super) from: u8,
    pub(super) to: u8,
    /// For a variant: catch-up has decided that it goes live.
    pub(super) decided: bool,
}

/// What has become of the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Request {
    Waiting,
    /// The record is being cancelled.
    Cancelling,
    /// It is being refused.
    Refusing,
    Done,
}

/// Everything there is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct State {
    /// `attempts`, from where a takeover would read it.
    pub(super) attempts: Vec<Outcome>,
    /// `progress`, from where the last set begins.
    pub(super) progress: Vec<Progress>,
    /// The next offset of `events` that the owner's cursor comes to.
    pub(super) cursor: u8,
    pub(super) lanes: [Option<Lane>; LANES],
    pub(super) known: [Known; RECORDS],
    /// How many attempts the owner knows to have failed.
    pub(super) failed: [u8; RECORDS],
    /// The index: what lagging lanes wait for.
    pub(super) notes: Offsets,
    /// Cancelled ones that their lanes have yet to pass.
    pub(super) ahead: Offsets,
    pub(super) request: Request,
    /// A checkpoint that is being written, in the order of its appends.
    pub(super) checkpoint: Vec<Progress>,
    /// Whether this owner has yet to write its first set.
    pub(super) first_set: bool,
    pub(super) failures_left: u8,
    pub(super) interruptions_left: u8,
    pub(super) checkpoints_left: u8,
    pub(super) journal: Journal,
}

impl State {
    pub(super) fn lane(&self, id: LaneId) -> Option<&Lane> {
        self.lanes[id as usize].as_ref()
    }

    pub(super) fn lane_mut(&mut self, id: LaneId) -> Option<&mut Lane> {
        self.lanes[id as usize].as_mut()
    }

    pub(super) fn known(&self, offset: u8) -> Known {
        self.known[usize::from(offset)]
    }

    pub(super) fn learn(&mut self, offset: u8, known: Known) {
        self.known[usize::from(offset)] = known;
    }

    pub(super) fn is_done(&self, offset: u8) -> bool {
        self.known(offset) == Known::Done
    }

    pub(super) fn failed(&self, offset: u8) -> u8 {
        self.failed[usize::from(offset)]
    }

    pub(super) fn lagging(&self) -> impl Iterator<Item = (LaneId, &Lane)> {
        let present = LaneId::ALL
            .into_iter()
            .filter_map(|id| Some((id, self.lane(id)?)));
        present.filter(|(_, lane)| !lane.live)
    }
}
