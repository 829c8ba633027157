//! `routed`: what the router decided where the record in `inbox` doesn't say it already.

use bytes::Bytes;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::document::{self, documents};
use crate::error::DecodeError;
use crate::ids::EventId;
use crate::inbox::Routes;
use crate::origin::Position;
use crate::parts::Parts;
use crate::text::TenantId;

documents! {
    /// A record of `routed`. The first for each origin holds; the router reads it back before it
    /// acts on it.
    pub enum Routed {
        /// A Kafka producer's event goes to these endpoints.
        "routes" => Routes(RoutesFound),
        /// The event is one that was accepted before, and goes nowhere.
        "duplicate" => Duplicate(Repeated),
        /// The event has the key of one that was accepted before, and another payload. It goes nowhere.
        "conflict" => Conflict(Repeated),
        /// The record is none that may be written to `inbox`. It goes to quarantine.
        "unreadable" => Unreadable(Unreadable),
    }
}

/// The routes of an event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RoutesFound {
    /// The record of `inbox` that this is about.
    pub origin: Position,
    /// Whose the event is.
    pub tenant: TenantId,
    /// The event's id.
    pub event: EventId,
    /// Where it goes; none: nowhere, and it ends as `no_route`.
    pub routes: Routes,
    /// The offset of `control` up to which the router knew it.
    pub control: u64,
}

/// An event whose key was there before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Repeated {
    /// The record of `inbox` that this is about.
    pub origin: Position,
    /// Whose the event is.
    pub tenant: TenantId,
    /// The event's id. Whoever asks for it gets the first.
    pub event: EventId,
    /// The record of `inbox` that had the key first.
    pub first: Position,
    /// That event's id.
    pub first_event: EventId,
}

/// A record that could not be decoded, by the program that looked at it first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Unreadable {
    /// The record of `inbox` that this is about.
    pub origin: Position,
    /// What was wrong, and where.
    pub why: String,
}

impl Routed {
    /// The record as it is appended, keyed by its origin.
    #[must_use]
    pub fn encode(&self) -> Parts {
        document::write_value(Some(Bytes::from(self.origin().to_string())), self)
    }

    /// Reads a record of `routed`.
    ///
    /// # Errors
    /// A version that this program does not know, or a record that nobody of ours wrote.
    pub fn decode(parts: &Parts) -> Result<Self, DecodeError> {
        document::read_value(parts)
    }

    /// The record of `inbox` that it is about.
    #[must_use]
    pub const fn origin(&self) -> Position {
        match self {
            Self::Routes(found) => found.origin,
            Self::Duplicate(repeated) | Self::Conflict(repeated) => repeated.origin,
            Self::Unreadable(unreadable) => unreadable.origin,
        }
    }
}
