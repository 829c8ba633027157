//! `inbox`: events that are not routed yet, from our own HTTP door and from Kafka producers.

mod kafka;
mod structured;

use bytes::Bytes;
use domain::time::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::accepted::CopiedFrom;
use crate::error::{DecodeError, Invalid, Malformed, Problem};
use crate::event::{Envelope, Priority, payload};
use crate::headers::{self, Found, Writer, moment, number, optional, parsed, required, shared};
use crate::ids::{EndpointId, EventId};
use crate::parts::Parts;
use crate::text::{IdempotencyKey, OrderingKey, TenantId};

pub use kafka::PLAIN_SOURCE;

/// A record of `inbox`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InboxEvent {
    /// Through which door it came, and what that door knows.
    pub door: Door,
    /// What is said about the event.
    pub envelope: Envelope,
    /// What makes it the same event as another; `None`: it is like no other.
    pub idempotency_key: Option<IdempotencyKey>,
    /// What keeps its order, as its producer says. An endpoint may say otherwise.
    pub ordering_key: Option<OrderingKey>,
    /// Which of an endpoint's lanes it takes.
    pub priority: Priority,
    /// What the producer sent, byte for byte.
    pub payload: Bytes,
}

/// Who wrote a record of `inbox`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Door {
    /// Ingest, for a request over HTTP.
    Http(HttpDoor),
    /// A Kafka producer. Its event's id is derived from where it lies
    /// ([`EventId::of_inbox`]), and its routes are the router's to find.
    Kafka {
        /// The one endpoint that the event is for; `None`: all that subscribe.
        endpoint: Option<EndpointId>,
    },
}

/// What ingest knows of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpDoor {
    /// Whose the event is.
    pub tenant: TenantId,
    /// The event's id.
    pub id: EventId,
    /// Where it goes; none: it is kept, and goes nowhere.
    pub routes: Routes,
    /// The offset of `control` up to which ingest knew it when it found the routes.
    pub control: u64,
    /// For how long after the first an event with the same idempotency key is the same event, in
    /// milliseconds: ingest's setting, so that every router judges alike. `None` without a key.
    pub idempotency_window: Option<u64>,
    /// When the first attempt may be made at the earliest, in log time; `None`: at once.
    pub deliver_after: Option<Timestamp>,
    /// The replay that copied the event for another endpoint.
    pub copied_from: Option<CopiedFrom>,
}

/// One endpoint that an event goes to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// The endpoint.
    pub endpoint: EndpointId,
    /// Its partition of `events` when the route was found, from 0. Whoever routes the record again
    /// writes to the same one, or the owner there could not tell that it has it already.
    pub partition: u32,
    /// What keeps the event's order at this endpoint; absent: nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ordering_key: Option<OrderingKey>,
}

/// Routes in strictly ascending order of their endpoints: the order in which the router appends them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "Vec<Route>", into = "Vec<Route>")]
pub struct Routes(Vec<Route>);

impl Routes {
    /// The routes, ascending.
    #[must_use]
    pub fn as_slice(&self) -> &[Route] {
        &self.0
    }
}

impl TryFrom<Vec<Route>> for Routes {
    type Error = Invalid;

    fn try_from(routes: Vec<Route>) -> Result<Self, Invalid> {
        let ascend = routes
            .windows(2)
            .all(|pair| pair[0].endpoint < pair[1].endpoint);
        let rule = Invalid("routes ascend by endpoint, each endpoint once");
        if ascend { Ok(Self(routes)) } else { Err(rule) }
    }
}

impl From<Routes> for Vec<Route> {
    fn from(routes: Routes) -> Self {
        routes.0
    }
}

impl InboxEvent {
    /// The record as it is appended. The payload is shared, not copied.
    ///
    /// An event of the Kafka door is written as such a producer would: in CloudEvents' binary mode
    /// when it has a given id, else in the plain form.
    #[must_use]
    pub fn encode(&self) -> Parts {
        let mut to = Writer::new();
        let key = match &self.door {
            Door::Http(http) => self.write_http(http, &mut to),
            Door::Kafka { endpoint } => kafka::write(self, *endpoint, &mut to),
        };
        let idempotency_key = self.idempotency_key.as_ref().map(IdempotencyKey::to_bytes);
        to.shared_if(headers::IDEMPOTENCY_KEY, idempotency_key);
        to.shared_if(
            headers::ORDERING_KEY,
            self.ordering_key.as_ref().map(OrderingKey::to_bytes),
        );
        self.priority.write(&mut to);
        to.finish(key, self.payload.clone())
    }

    fn write_http(&self, http: &HttpDoor, to: &mut Writer) -> Option<Bytes> {
        to.version();
        self.envelope.write(&http.id, to);
        to.shared(headers::TENANT, http.tenant.to_bytes());
        to.shared(headers::ROUTES, write_routes(&http.routes));
        to.formatted(headers::CONTROL, http.control);
        to.formatted_if(headers::IDEMPOTENCY_WINDOW, http.idempotency_window);
        to.formatted_if(
            headers::DELIVER_AFTER,
            http.deliver_after.map(Timestamp::as_millis),
        );
        to.formatted_if(headers::COPIED_FROM, http.copied_from);
        self.placing_key(&http.id)
    }

    /// What decides the partition of a record of ours: the ordering key, else the idempotency key,
    /// else the event's id.
    fn placing_key(&self, id: &EventId) -> Option<Bytes> {
        let ordering = self.ordering_key.as_ref().map(OrderingKey::to_bytes);
        let idempotency = || self.idempotency_key.as_ref().map(IdempotencyKey::to_bytes);
        ordering
            .or_else(idempotency)
            .or_else(|| Some(id.to_bytes()))
    }

    /// Reads a record of `inbox`: one of ours, a CloudEvent in binary or structured mode, or the
    /// plain form. What it holds shares the record's bytes.
    ///
    /// # Errors
    /// A version that this program does not know, or a record that is none of these. What is wrong
    /// with an attribute of a structured CloudEvent is told under the name of its header.
    pub fn decode(parts: &Parts) -> Result<Self, DecodeError> {
        let found = Found::of(parts)?;
        if found.version.is_none() {
            return Ok(kafka::read(parts, &found)?);
        }
        found.check_version()?;
        Ok(Self {
            door: Door::Http(HttpDoor::read(&found)?),
            envelope: Envelope::read(&found)?,
            idempotency_key: optional(headers::IDEMPOTENCY_KEY, found.idempotency_key, shared)?,
            ordering_key: optional(headers::ORDERING_KEY, found.ordering_key, shared)?,
            priority: optional(headers::PRIORITY, found.priority, Priority::parse)?
                .unwrap_or_default(),
            payload: payload(parts.value.as_ref())?,
        })
    }
}

impl HttpDoor {
    fn read(found: &Found<'_>) -> Result<Self, Malformed> {
        Ok(Self {
            tenant: required(headers::TENANT, found.tenant, shared)?,
            id: required(headers::ID, found.id, shared)?,
            routes: required(headers::ROUTES, found.routes, read_routes)?,
            control: required(headers::CONTROL, found.control, number)?,
            idempotency_window: idempotency_window(found)?,
            deliver_after: optional(headers::DELIVER_AFTER, found.deliver_after, moment)?,
            copied_from: optional(headers::COPIED_FROM, found.copied_from, parsed)?,
        })
    }
}

/// A key and its window come together, or neither does.
fn idempotency_window(found: &Found<'_>) -> Result<Option<u64>, Malformed> {
    let name = headers::IDEMPOTENCY_WINDOW;
    if found.idempotency_key.is_some() {
        return required(name, found.idempotency_window, number).map(Some);
    }
    match found.idempotency_window {
        None => Ok(None),
        Some(_) => Err(Malformed::header(
            headers::IDEMPOTENCY_KEY,
            Problem::Missing,
        )),
    }
}

fn write_routes(routes: &Routes) -> Bytes {
    serde_json::to_vec(routes.as_slice())
        .expect("routes have neither maps nor numbers that fail")
        .into()
}

fn read_routes(bytes: &Bytes) -> Result<Routes, Problem> {
    serde_json::from_slice(bytes).map_err(|error| Problem::json(&error))
}
