//! `attempts`: outcomes that are neither a retry nor a dead letter, and notes, which end nothing.

use bytes::Bytes;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::attempt::Attempt;
use crate::delivery::{Delivery, Link, Subject};
use crate::document::{self, documents};
use crate::error::DecodeError;
use crate::fence::Fence;
use crate::ids::{DeliveryId, EndpointId};
use crate::origin::Position;
use crate::parts::Parts;
use crate::scalar::At;
use crate::text::{OrderingKey, TenantId};

documents! {
    /// A record of `attempts`.
    pub enum AttemptsRecord {
        /// The end of the previous owner's epoch.
        "fence" => Fence(Fence),
        /// Outcome: delivered.
        "succeeded" => Succeeded(Succeeded),
        /// Outcome: an operator cancelled it.
        "cancelled" => Cancelled(Cancelled),
        /// Outcome of a dead letter: an operator discarded it.
        "discarded" => Discarded(Discarded),
        /// Outcome of a request that changes no delivery: done, or refused.
        "answered" => Answered(Answered),
        /// Note: the head of a strict key failed, and waits in its lane.
        "head_failed" => HeadFailed(HeadFailed),
        /// Note: a circuit opened or closed.
        "circuit" => Circuit(Circuit),
        /// Note: attempts began.
        "starts" => Starts(Starts),
    }
}

/// A delivery that arrived.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Succeeded {
    /// What it ends, and in whose epoch.
    pub link: Link,
    /// Whose it is.
    pub subject: Subject,
    /// Which delivery.
    pub delivery: Delivery,
    /// The attempt that arrived.
    pub attempt: Attempt,
}

/// A delivery that an operator ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Cancelled {
    /// What it ends, and in whose epoch. Its `request` is there.
    pub link: Link,
    /// Whose it is.
    pub subject: Subject,
    /// Which delivery.
    pub delivery: Delivery,
    /// How many attempts had been made.
    pub attempts: u32,
}

/// A dead letter that an operator put away.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Discarded {
    /// The dead letter as origin, the request, and in whose epoch.
    pub link: Link,
    /// Whose it is.
    pub subject: Subject,
    /// Which delivery.
    pub delivery: Delivery,
}

/// What came of a request that ends no delivery.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Answered {
    /// The request.
    pub request: Position,
    /// The epoch of the owner that wrote it.
    pub epoch: u64,
    /// Whose the endpoint is.
    pub tenant: TenantId,
    /// The endpoint.
    pub endpoint: EndpointId,
    /// What came of it.
    pub answer: Answer,
}

/// What came of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// Done.
    Done,
    /// Refused: the delivery has ended.
    Ended,
    /// Refused: the delivery waits elsewhere by now. Whoever asked looks again and asks again.
    Moved,
}

/// A failure of the event that blocks a strict key. Its input stays undone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HeadFailed {
    /// The input that waits on, the delivery's step, and in whose epoch.
    pub link: Link,
    /// Whose it is.
    pub subject: Subject,
    /// Which delivery.
    pub delivery: Delivery,
    /// The attempt that failed.
    pub attempt: Attempt,
    /// The key that it blocks.
    pub ordering_key: OrderingKey,
    /// When the next is due, in log time.
    pub due_at: At,
}

/// A circuit that changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Circuit {
    /// The epoch of the owner that wrote it.
    pub epoch: u64,
    /// Whose the endpoint is.
    pub tenant: TenantId,
    /// The endpoint.
    pub endpoint: EndpointId,
    /// What it is now.
    pub state: CircuitState,
    /// When it lets a probe through, in log time; absent unless it is open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probe_at: Option<At>,
}

/// What a circuit is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CircuitState {
    /// Everything is sent.
    Closed,
    /// Nothing is sent.
    Open,
    /// One probe is sent, and decides.
    HalfOpen,
}

/// Attempts that began within the same few milliseconds. Nobody waits for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Starts {
    /// The epoch of the owner that wrote it.
    pub epoch: u64,
    /// When the first of them began, by the wall clock.
    pub started_at: At,
    /// Which.
    pub starts: Vec<Start>,
}

/// One attempt that began.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Start {
    /// The delivery.
    pub delivery: DeliveryId,
    /// The input that it takes up.
    pub origin: Position,
    /// The attempt's number, from 1.
    pub number: u32,
}

impl AttemptsRecord {
    /// The record as it is appended: keyed by endpoint, where it is about one.
    #[must_use]
    pub fn encode(&self) -> Parts {
        let key = self
            .endpoint()
            .map(|endpoint| Bytes::from(endpoint.to_string()));
        document::write_value(key, self)
    }

    /// Reads a record of `attempts`.
    ///
    /// # Errors
    /// A version that this program does not know, or a record that nobody of ours wrote.
    pub fn decode(parts: &Parts) -> Result<Self, DecodeError> {
        document::read_value(parts)
    }

    /// The epoch of the owner that wrote it.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        match self {
            Self::Fence(fence) => fence.epoch.unwrap_or(0),
            Self::Succeeded(end) => end.link.epoch,
            Self::Cancelled(end) => end.link.epoch,
            Self::Discarded(end) => end.link.epoch,
            Self::HeadFailed(note) => note.link.epoch,
            Self::Answered(answer) => answer.epoch,
            Self::Circuit(note) => note.epoch,
            Self::Starts(note) => note.epoch,
        }
    }

    const fn endpoint(&self) -> Option<EndpointId> {
        match self {
            Self::Fence(_) | Self::Starts(_) => None,
            Self::Succeeded(outcome) => Some(outcome.subject.endpoint),
            Self::Cancelled(outcome) => Some(outcome.subject.endpoint),
            Self::Discarded(outcome) => Some(outcome.subject.endpoint),
            Self::Answered(answered) => Some(answered.endpoint),
            Self::HeadFailed(note) => Some(note.subject.endpoint),
            Self::Circuit(note) => Some(note.endpoint),
        }
    }
}
