//! An API key.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Change;
use crate::ids::KeyId;
use crate::scalar::At;

/// An API key as it is after a change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Key {
    /// Who changed it, and which version it replaces.
    pub change: Change,
    /// Its public id.
    pub id: KeyId,
    /// What people call it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The SHA-256 of the key, in hex. The key itself is nowhere.
    pub sha256: String,
    /// What its holder may do.
    pub scopes: Vec<Scope>,
    /// When it was made, by the wall clock.
    pub created_at: At,
    /// Whether it was taken back.
    pub revoked: bool,
}

/// What the holder of a key may do.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Send events.
    Ingest,
    /// Read everything of the tenant's.
    Read,
    /// Change everything of the tenant's.
    Admin,
}
