//! `requests`: what operators ask of one delivery.

use bytes::Bytes;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::actor::Actor;
use crate::document::{self, documents};
use crate::error::DecodeError;
use crate::ids::{DeliveryId, EndpointId, ReplayId};
use crate::origin::Position;
use crate::parts::Parts;
use crate::text::TenantId;

documents! {
    /// A record of `requests`.
    pub enum Request {
        /// End the delivery, unless it has ended.
        "cancel" => Cancel(Ask),
        /// Make the next attempt now.
        "retry_now" => RetryNow(Ask),
        /// Deliver again what was accepted or dead-lettered, as a run of its own.
        "replay" => Replay(ReplayAsk),
        /// Put a dead letter away.
        "discard" => Discard(Ask),
        /// Let a strict key go on past the dead letter that blocks it.
        "let_go_on" => LetGoOn(Ask),
    }
}

/// What every request says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ask {
    /// Whose the endpoint is.
    pub tenant: TenantId,
    /// The endpoint.
    pub endpoint: EndpointId,
    /// The record that is meant: where the delivery waits, or the dead letter.
    pub target: Position,
    /// The delivery that is meant. The owner refuses when `target` is about another.
    pub delivery: DeliveryId,
    /// Who asks.
    pub by: Actor,
    /// The `x-request-id` of the request over HTTP.
    pub request_id: String,
}

/// A request to deliver again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReplayAsk {
    /// Which record, and who asks. Its `delivery` is the one that is repeated.
    pub ask: Ask,
    /// The run that the new delivery belongs to.
    pub run: ReplayId,
}

impl Request {
    /// The record as it is appended, keyed by endpoint.
    #[must_use]
    pub fn encode(&self) -> Parts {
        document::write_value(Some(Bytes::from(self.ask().endpoint.to_string())), self)
    }

    /// Reads a record of `requests`.
    ///
    /// # Errors
    /// A version that this program does not know, or a record that nobody of ours wrote.
    pub fn decode(parts: &Parts) -> Result<Self, DecodeError> {
        document::read_value(parts)
    }

    /// What the request has in common with every other.
    #[must_use]
    pub const fn ask(&self) -> &Ask {
        match self {
            Self::Cancel(ask) | Self::RetryNow(ask) | Self::Discard(ask) | Self::LetGoOn(ask) => {
                ask
            }
            Self::Replay(replay) => &replay.ask,
        }
    }
}
