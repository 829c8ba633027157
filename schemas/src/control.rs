//! `control`: endpoints, event types, keys and replay jobs. Each fact is the full state, so the
//! topic is the audit trail too.

mod endpoint;
mod event_type;
mod key;
mod replay;

use bytes::Bytes;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::actor::Actor;
use crate::document::{self, documents};
use crate::error::DecodeError;
use crate::parts::Parts;
use crate::text::TenantId;

pub use endpoint::{
    Algorithm, CircuitSettings, DisabledReason, Endpoint, EndpointChange, EndpointState,
    OnDeadLetter, Ordering, RetryOn, RetrySettings, Schedule, Secret, Signing,
};
pub use event_type::EventTypeFact;
pub use key::{Key, Scope};
pub use replay::{Replay, ReplayState};

documents! {
    /// A record of `control`.
    pub enum Fact {
        /// An endpoint.
        "endpoint" => Endpoint(Box<Endpoint>),
        /// An event type.
        "event_type" => EventType(EventTypeFact),
        /// An API key.
        "key" => Key(Key),
        /// A replay job.
        "replay" => Replay(Replay),
    }
}

/// What every fact says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Change {
    /// Whose it is.
    pub tenant: TenantId,
    /// The version that this fact replaces: the offset of that fact in `control`. Absent for the
    /// first. A fold ignores a fact that does not name the version that is current.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<u64>,
    /// Who changed it.
    pub by: Actor,
    /// The `x-request-id` of the request over HTTP; absent when the dispatcher changed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
}

impl Fact {
    /// The record as it is appended, keyed by what it is about.
    #[must_use]
    pub fn encode(&self) -> Parts {
        let key = match self {
            Self::Endpoint(endpoint) => endpoint.id.to_string(),
            Self::EventType(event_type) => event_type.name.to_string(),
            Self::Key(key) => key.id.to_string(),
            Self::Replay(replay) => replay.id.to_string(),
        };
        document::write_value(Some(Bytes::from(key)), self)
    }

    /// Reads a record of `control`.
    ///
    /// # Errors
    /// A version that this program does not know, or a record that nobody of ours wrote.
    pub fn decode(parts: &Parts) -> Result<Self, DecodeError> {
        document::read_value(parts)
    }

    /// Who changed it, and which version it replaces.
    #[must_use]
    pub fn change(&self) -> &Change {
        match self {
            Self::Endpoint(endpoint) => &endpoint.change,
            Self::EventType(event_type) => &event_type.change,
            Self::Key(key) => &key.change,
            Self::Replay(replay) => &replay.change,
        }
    }
}
