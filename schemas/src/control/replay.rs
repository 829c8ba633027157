//! A replay job.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Change;
use crate::ids::{EndpointId, ReplayId};
use crate::scalar::{At, JsonText};
use crate::text::EventType;

/// A replay job as it is after a change. How far it has come is told by its lanes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Replay {
    /// Who changed it, and which version it replaces.
    pub change: Change,
    /// Its id, and the run of every delivery that it makes.
    pub id: ReplayId,
    /// What it is to do.
    pub state: ReplayState,
    /// From what was appended at this time,
    pub from: At,
    /// to what was appended before this one.
    pub to: At,
    /// Of this endpoint only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<EndpointId>,
    /// Of this type only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_type: Option<EventType>,
    /// Whether dead letters are replayed, in place of what was accepted.
    pub dead_lettered: bool,
    /// What payloads must fit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<JsonText>,
    /// The endpoint that gets them, in place of their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_endpoint: Option<EndpointId>,
    /// The most requests a second, in each partition; absent: the endpoint's own limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_limit: Option<u32>,
    /// Whether it only counts.
    pub dry_run: bool,
}

/// What a replay job is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReplayState {
    /// Run.
    Running,
    /// Wait.
    Paused,
    /// Stop for good.
    Cancelled,
}
