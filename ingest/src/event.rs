//! An event on its way in, what its producer is told, and why it may be refused.

use std::time::Duration;

use bytes::Bytes;
use domain::time::Timestamp;
use http::StatusCode;
use problem::Problem;
use schemas::event::{Extension, Priority};
use schemas::ids::{DeliveryId, EndpointId, EventId};
use schemas::origin::{Acceptance, Run};
use schemas::text::{
    ContentType, EventTime, EventType, GivenId, IdempotencyKey, OrderingKey, Source, Tags,
    TraceParent, TraceState,
};

/// An event as a producer gives it, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEvent {
    /// What happened.
    pub event_type: EventType,
    /// The payload, byte for byte as the producer wrote it: JSON, unless its attributes say otherwise.
    pub payload: Bytes,
    /// The one endpoint it is for; `None`: all that subscribe.
    pub endpoint: Option<EndpointId>,
    /// The caller's own id. It is the idempotency key too.
    pub id: Option<EventId>,
    /// What makes it the same event as another within the window; with an `id`, the same text.
    pub idempotency_key: Option<IdempotencyKey>,
    /// What keeps its order among events.
    pub ordering_key: Option<OrderingKey>,
    /// Which of an endpoint's lanes it takes.
    pub priority: Priority,
    /// When the first attempt may be made at the earliest; `None`: at once.
    pub deliver_after: Option<Timestamp>,
    /// Where it came from; `None`: its producer doesn't say.
    pub source: Option<Source>,
    /// Its labels.
    pub tags: Option<Tags>,
    /// The trace that it belongs to.
    pub trace_parent: Option<TraceParent>,
    /// What vendors add to that.
    pub trace_state: Option<TraceState>,
    /// What only a CloudEvent says.
    pub attributes: Attributes,
}

/// What a CloudEvent says of itself that an event of ours has no member for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attributes {
    /// Its `id`, unique together with the source only.
    pub given_id: Option<GivenId>,
    /// When it happened; `None`: when it was taken.
    pub time: Option<EventTime>,
    /// The payload's media type; `None`: JSON.
    pub content_type: Option<ContentType>,
    /// Attributes that are handed through.
    pub extensions: Vec<Extension>,
}

impl NewEvent {
    /// An event that says no more than it must.
    #[must_use]
    pub fn new(event_type: EventType, payload: Bytes) -> Self {
        Self {
            event_type,
            payload,
            endpoint: None,
            id: None,
            idempotency_key: None,
            ordering_key: None,
            priority: Priority::Normal,
            deliver_after: None,
            source: None,
            tags: None,
            trace_parent: None,
            trace_state: None,
            attributes: Attributes::default(),
        }
    }
}

/// What is durable by now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The event's id.
    pub event: EventId,
    /// Whether this is an event that was accepted before, under the same idempotency key.
    pub duplicate: bool,
    /// Where it was accepted.
    pub acceptance: Acceptance,
    /// Its append time there.
    pub accepted_at: Timestamp,
    /// Where it goes, ascending. None: it is stored, and nobody subscribes.
    pub endpoints: Vec<EndpointId>,
}

impl Receipt {
    /// Its deliveries, ascending by endpoint: their ids are known before anything is routed.
    pub fn deliveries(&self) -> impl Iterator<Item = (DeliveryId, EndpointId)> {
        self.endpoints.iter().map(|&endpoint| {
            let id = DeliveryId::derive(self.acceptance, self.accepted_at, endpoint, Run::First);
            (id, endpoint)
        })
    }
}

/// An event that was not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// There is no such endpoint, as far as the log goes.
    #[error("there is no endpoint {0}")]
    UnknownEndpoint(EndpointId),
    /// The endpoint is disabled.
    #[error("endpoint {0} is disabled")]
    Inactive(EndpointId),
    /// The endpoint gets other types only.
    #[error("endpoint {0} does not subscribe to events of this type")]
    NotSubscribed(EndpointId),
    /// More endpoints subscribe than one event may go to.
    #[error("{0} endpoints subscribe, and an event goes to {max} at most", max = crate::limits::MAX_ROUTES)]
    TooManyRoutes(usize),
    /// The idempotency key belongs to an event with another payload.
    #[error("the idempotency key was used within its window for an event with another payload")]
    KeyMismatch,
    /// The record is over the log's limit.
    #[error("the event is larger than the log takes")]
    TooLarge,
    /// Too many events wait for the log already. This one is not stored.
    #[error("too many events are waiting for the log")]
    Overloaded,
    /// The log is out of space. The event is not stored.
    #[error("the log is out of space")]
    Full,
    /// The log, or what is known of endpoints, could not be used. The event is not stored.
    #[error("the log is unavailable")]
    Unavailable,
    /// The log did not confirm the event in time: it may be stored, and delivered, or not.
    #[error("the log did not confirm the event: it may be stored or not")]
    Unconfirmed,
}

impl Refused {
    /// What a client is told.
    #[must_use]
    pub fn problem(&self) -> Problem {
        let soon = Duration::from_secs(1);
        let later = Duration::from_secs(10);
        let refused = |status, code| Problem::new(status, code, self.to_string());
        match self {
            Self::UnknownEndpoint(_) => refused(StatusCode::NOT_FOUND, "endpoint_not_found"),
            Self::Inactive(_) => refused(StatusCode::UNPROCESSABLE_ENTITY, "endpoint_inactive"),
            Self::NotSubscribed(_) => {
                refused(StatusCode::UNPROCESSABLE_ENTITY, "endpoint_not_subscribed")
            }
            Self::TooManyRoutes(_) => {
                refused(StatusCode::UNPROCESSABLE_ENTITY, "too_many_endpoints")
            }
            Self::KeyMismatch => refused(StatusCode::CONFLICT, "idempotency_mismatch"),
            Self::TooLarge => refused(StatusCode::PAYLOAD_TOO_LARGE, "payload_too_large"),
            Self::Overloaded => Problem::unavailable("overloaded", self.to_string(), soon),
            Self::Full => Problem::unavailable("log_full", self.to_string(), later),
            Self::Unavailable => Problem::unavailable("log_unavailable", self.to_string(), soon),
            Self::Unconfirmed => Problem::unavailable("log_unconfirmed", self.to_string(), soon),
        }
    }
}
