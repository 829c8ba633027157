//! `progress`: what the next owner of a partition must know.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::document::{self, documents};
use crate::error::DecodeError;
use crate::fence::Fence;
use crate::ids::EndpointId;
use crate::lane::{Lane, LaneReleased};
use crate::parts::Parts;
use crate::scalar::At;
use crate::topics::Topic;

pub use crate::lane::LaneId;

documents! {
    /// A record of `progress`.
    pub enum ProgressRecord {
        /// A new owner's first record; its offset is the epoch.
        "fence" => Fence(Fence),
        /// A lane, as it is.
        "lane" => Lane(Lane),
        /// A lane that needs no record any more.
        "lane_released" => LaneReleased(LaneReleased),
        /// The partition's own record, which ends a checkpoint.
        "checkpoint" => Checkpoint(Checkpoint),
        /// What the owner knew of the routers at an offset, for scans that start in the past.
        "origins" => Origins(Origins),
    }
}

/// How far each input is done, and from where each output must be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Checkpoint {
    /// The epoch of the owner that wrote it.
    pub epoch: u64,
    /// The offset of `progress` where the set of lane records begins: a whole set there, deltas
    /// after it.
    pub set_from: u64,
    /// Log time when this was written.
    pub log_time: At,
    /// Each input.
    pub inputs: Vec<Input>,
    /// Each output.
    pub outputs: Vec<Output>,
    /// The highest origin of each router that was seen below the mark of `events`, not
    /// below the cursor, which is ahead of it.
    pub origins: Vec<RouterOrigin>,
}

/// How far one input is done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// The topic.
    pub topic: Topic,
    /// Below this offset all is done, or in a lane's record. The next owner's cursor begins here.
    pub below: u64,
    /// The highest epoch seen below `below`; absent where nobody of ours fences.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epoch: Option<u64>,
    /// What is done at or above it: first and last offset of each stretch, ascending.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ahead: Vec<(u64, u64)>,
}

/// How far one output is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Output {
    /// The topic.
    pub topic: Topic,
    /// A new owner reads the output from here on: the lower of its oldest outcome whose input is not
    /// below that input's mark, and its end when the lanes were read.
    pub from: u64,
    /// The highest epoch seen below `from`.
    pub epoch: u64,
}

/// The highest origin seen from one partition of `inbox`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RouterOrigin {
    /// The partition of `inbox`, from 0.
    pub partition: u32,
    /// The offset there.
    pub offset: u64,
    /// The endpoint that was routed to from there.
    pub endpoint: EndpointId,
}

/// The routers' origins at an offset of `events`, noted every [`ORIGINS_EVERY`] offsets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Origins {
    /// The epoch of the owner that wrote it.
    pub epoch: u64,
    /// The offset of `events`.
    pub offset: u64,
    /// The highest origin of each router that was seen below it.
    pub origins: Vec<RouterOrigin>,
}

/// How many offsets of `events` lie between two notes of the routers' origins.
pub const ORIGINS_EVERY: u64 = 100_000;

impl ProgressRecord {
    /// The record as it is appended, without a key: the partition says whose it is.
    #[must_use]
    pub fn encode(&self) -> Parts {
        document::write_value(None, self)
    }

    /// The epoch of the owner that wrote it, where it lies at `offset`: a fence's is that itself.
    #[must_use]
    pub const fn epoch(&self, offset: u64) -> u64 {
        match self {
            Self::Fence(_) => offset,
            Self::Lane(lane) => lane.epoch,
            Self::LaneReleased(lane) => lane.epoch,
            Self::Checkpoint(checkpoint) => checkpoint.epoch,
            Self::Origins(origins) => origins.epoch,
        }
    }

    /// Reads a record of `progress`.
    ///
    /// # Errors
    /// A version that this program does not know, or a record that nobody of ours wrote.
    pub fn decode(parts: &Parts) -> Result<Self, DecodeError> {
        document::read_value(parts)
    }
}
