//! The record that ends the previous owner's epoch.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A fence. Its owner appends one to `progress`, waits until it is durable, then one to each other
/// topic that it alone writes. The offset of the one in `progress` is the epoch of all of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Fence {
    /// The owner's epoch: the offset of its fence in `progress`. Absent there, since that offset is
    /// known only once the record lies at it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epoch: Option<u64>,
    /// The instance that fences, by its configured name. For people; no reader decides by it.
    pub owner: String,
}
