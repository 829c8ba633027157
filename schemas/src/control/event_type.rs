//! An event type.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Change;
use crate::scalar::JsonText;
use crate::text::EventType;

/// An event type as it is after a change. Its earlier versions are the facts before it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EventTypeFact {
    /// Who changed it, and which version it replaces.
    pub change: Change,
    /// Its name.
    pub name: EventType,
    /// Whether it was deleted.
    pub deleted: bool,
    /// What it means.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The JSON Schema that payloads must fit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<JsonText>,
    /// A payload for people to look at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub example: Option<JsonText>,
}
