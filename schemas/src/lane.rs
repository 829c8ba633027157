//! The records of lanes in `progress`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::attempts::CircuitState;
use crate::event::Priority;
use crate::ids::EndpointId;
use crate::origin::Run;
use crate::scalar::{At, Gaps};
use crate::text::OrderingKey;

/// Which lane.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LaneId {
    /// The endpoint.
    pub endpoint: EndpointId,
    /// The priority; absent for an endpoint with an order, which has one lane for all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<Priority>,
    /// The ordering key, for the lane of a key that is blocked; absent for every other lane.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ordering_key: Option<OrderingKey>,
    /// The pass over the log: live, or a replay.
    pub run: Run,
}

/// What a new owner must know of a lane. It replaces what the set said of the same lane before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Lane {
    /// The epoch of the owner that wrote it.
    pub epoch: u64,
    /// Which lane.
    pub lane: LaneId,
    /// The offset of `events` (of a replay: of what it replays) below which all of the lane's is done.
    pub resume: u64,
    /// Which of the lane's above `resume` are done.
    pub done: Gaps,
    /// The failed head of a blocked key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head: Option<Head>,
    /// The endpoint's circuit and what else its failures leave behind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health: Option<Health>,
}

/// The event that blocks a strict key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Head {
    /// Its offset. The lane may have yet to come to it, so it is not always the one at `resume`.
    pub offset: u64,
    /// How many attempts have been made.
    pub attempts: u32,
    /// When the next is due, in log time.
    pub due_at: At,
}

/// What an endpoint's failures leave behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Health {
    /// What the circuit is.
    pub circuit: CircuitState,
    /// When it lets a probe through, in log time; absent unless it is open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probe_at: Option<At>,
    /// Until when nothing is sent because the receiver said so (429, 503), in log time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slow_until: Option<At>,
    /// Since when there has been nothing but failure, in log time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failing_since: Option<At>,
}

/// A lane that needs no record any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LaneReleased {
    /// The epoch of the owner that wrote it.
    pub epoch: u64,
    /// Which lane.
    pub lane: LaneId,
}
