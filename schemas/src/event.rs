//! An event, as the topics that carry payloads hold it: CloudEvents' Kafka binding in binary mode,
//! with what CloudEvents has no attribute for in headers of our own.

use bytes::Bytes;
use bytestring::ByteString;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::{Invalid, Malformed, Place, Problem};
use crate::headers::{self, CE, Found, Writer, optional, parsed, required, shared, text};
use crate::ids::{EndpointId, EventId};
use crate::text::{
    ContentType, EventTime, EventType, GivenId, OrderingKey, Source, Tags, TenantId, TraceParent,
    TraceState,
};

/// The version of CloudEvents that is written and read.
pub const SPEC_VERSION: &str = "1.0";

/// Which of an endpoint's lanes an event takes. The text is the name in lower case.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Priority {
    /// Lags first when the process is over its budgets.
    Low,
    /// What an event has that says nothing; not written into headers.
    #[default]
    Normal,
    /// Lags last.
    High,
}

impl Priority {
    const ALL: [Self; 3] = [Self::Low, Self::Normal, Self::High];

    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Normal => "normal",
            Self::High => "high",
        }
    }

    pub(crate) fn parse(bytes: &Bytes) -> Result<Self, Problem> {
        let named = Self::ALL
            .into_iter()
            .find(|priority| priority.as_str().as_bytes() == bytes);
        named.ok_or(Problem::Invalid("must be low, normal or high"))
    }

    pub(crate) fn write(self, to: &mut Writer) {
        if self != Self::Normal {
            to.shared(
                headers::PRIORITY,
                Bytes::from_static(self.as_str().as_bytes()),
            );
        }
    }
}

/// A CloudEvents attribute that the protocol has no use for, handed through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extension {
    header: ByteString,
    value: ByteString,
}

impl Extension {
    /// The attribute `name` with `value`.
    ///
    /// # Errors
    /// When `name` is not 1 to 64 lower-case letters and digits (CloudEvents 1.0.2, "Naming
    /// Conventions"), or is one that the protocol reads.
    pub fn new(name: &str, value: ByteString) -> Result<Self, Invalid> {
        Self::of_header(format!("{CE}{name}").into(), value)
    }

    fn of_header(header: ByteString, value: ByteString) -> Result<Self, Invalid> {
        const RULE: Invalid =
            Invalid("an extension attribute has 1 to 64 lower-case letters and digits");
        let name = header.strip_prefix(CE).ok_or(RULE)?;
        let plain = name
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        let fits = (1..=64).contains(&name.len()) && plain;
        if fits && !headers::ALL.contains(&&*header) {
            Ok(Self { header, value })
        } else {
            Err(RULE)
        }
    }

    /// The attribute's name, without `ce_`.
    #[must_use]
    pub fn name(&self) -> &str {
        self.header.strip_prefix(CE).unwrap_or(&self.header)
    }

    /// Its value.
    #[must_use]
    pub fn value(&self) -> &str {
        &self.value
    }
}

/// What is said about an event besides its id, its way and its payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// What happened.
    pub event_type: EventType,
    /// Where it came from.
    pub source: Source,
    /// When it happened, as its producer says.
    pub time: Option<EventTime>,
    /// The payload's media type.
    pub content_type: Option<ContentType>,
    /// The trace it belongs to.
    pub trace_parent: Option<TraceParent>,
    /// What vendors add to that.
    pub trace_state: Option<TraceState>,
    /// Its labels.
    pub tags: Option<Tags>,
    /// The `id` that a Kafka producer's CloudEvent had. It is unique only together with the
    /// source, so it is not the event's id here.
    pub given_id: Option<GivenId>,
    /// Further attributes, at most [`MAX_EXTENSIONS`](headers::MAX_EXTENSIONS), in the writer's order.
    pub extensions: Vec<Extension>,
}

impl Envelope {
    pub(crate) fn read(found: &Found<'_>) -> Result<Self, Malformed> {
        let spec_version = required(headers::SPEC_VERSION, found.spec_version, text)?;
        if spec_version != SPEC_VERSION {
            let problem = Problem::Invalid("must be 1.0");
            return Err(Malformed::header(headers::SPEC_VERSION, problem));
        }
        Ok(Self {
            event_type: required(headers::TYPE, found.event_type, shared)?,
            source: required(headers::SOURCE, found.source, shared)?,
            time: optional(headers::TIME, found.time, shared)?,
            content_type: optional(headers::CONTENT_TYPE, found.content_type, shared)?,
            trace_parent: trace_parent(found.trace_parent),
            trace_state: trace_state(found.trace_state),
            tags: optional(headers::TAGS, found.tags, shared)?,
            given_id: optional(headers::GIVEN_ID, found.given_id, shared)?,
            extensions: extensions(found)?,
        })
    }

    pub(crate) fn write(&self, id: &EventId, to: &mut Writer) {
        self.write_attributes(id.to_bytes(), to);
        to.shared_if(
            headers::GIVEN_ID,
            self.given_id.as_ref().map(GivenId::to_bytes),
        );
        self.write_extensions(to);
    }

    /// As a Kafka producer writes it: under the id that it gave.
    pub(crate) fn write_as_given(&self, id: &GivenId, to: &mut Writer) {
        self.write_attributes(id.to_bytes(), to);
        self.write_extensions(to);
    }

    fn write_attributes(&self, id: Bytes, to: &mut Writer) {
        to.shared(
            headers::SPEC_VERSION,
            Bytes::from_static(SPEC_VERSION.as_bytes()),
        );
        to.shared(headers::ID, id);
        to.shared(headers::TYPE, self.event_type.to_bytes());
        to.shared(headers::SOURCE, self.source.to_bytes());
        to.shared_if(headers::TIME, self.time.as_ref().map(EventTime::to_bytes));
        to.shared_if(
            headers::CONTENT_TYPE,
            self.content_type.as_ref().map(ContentType::to_bytes),
        );
        to.shared_if(
            headers::TRACE_PARENT,
            self.trace_parent.as_ref().map(TraceParent::to_bytes),
        );
        to.shared_if(
            headers::TRACE_STATE,
            self.trace_state.as_ref().map(TraceState::to_bytes),
        );
        to.shared_if(headers::TAGS, self.tags.as_ref().map(Tags::to_bytes));
    }

    pub(crate) fn write_extensions(&self, to: &mut Writer) {
        for Extension { header, value } in &self.extensions {
            to.extension(header.clone(), value.as_bytes().clone());
        }
    }
}

/// A traceparent that cannot be read is dropped, and the trace starts anew (W3C Trace Context,
/// section 3.2.2.4): no event is lost over it.
pub(crate) fn trace_parent(found: Option<&Bytes>) -> Option<TraceParent> {
    found.and_then(|bytes| shared(bytes).ok())
}

/// As [`trace_parent`], and for the same reason.
pub(crate) fn trace_state(found: Option<&Bytes>) -> Option<TraceState> {
    found.and_then(|bytes| shared(bytes).ok())
}

pub(crate) fn extensions(found: &Found<'_>) -> Result<Vec<Extension>, Malformed> {
    let read = |(name, value): &(&ByteString, &Bytes)| {
        text(value)
            .and_then(|value| Ok(Extension::of_header((*name).clone(), value)?))
            .map_err(|problem| Malformed::new(Place::Header((*name).clone()), problem))
    };
    found.extensions.iter().map(read).collect()
}

/// An event on its way to one endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Addressed {
    /// The endpoint; the record's key.
    pub endpoint: EndpointId,
    /// Whose the event and the endpoint are.
    pub tenant: TenantId,
    /// The event's id.
    pub id: EventId,
    /// What is said about the event.
    pub envelope: Envelope,
    /// What keeps its order at this endpoint; `None` is free.
    pub ordering_key: Option<OrderingKey>,
    /// Which of the endpoint's lanes it takes.
    pub priority: Priority,
    /// What the producer sent, byte for byte.
    pub payload: Bytes,
}

impl Addressed {
    pub(crate) fn read(
        key: Option<&Bytes>,
        found: &Found<'_>,
        value: Option<&Bytes>,
    ) -> Result<Self, Malformed> {
        let endpoint = key.ok_or(Malformed::new(Place::Key, Problem::Missing))?;
        Ok(Self {
            endpoint: parsed(endpoint).map_err(|problem| Malformed::new(Place::Key, problem))?,
            tenant: required(headers::TENANT, found.tenant, shared)?,
            id: required(headers::ID, found.id, shared)?,
            envelope: Envelope::read(found)?,
            ordering_key: optional(headers::ORDERING_KEY, found.ordering_key, shared)?,
            priority: optional(headers::PRIORITY, found.priority, Priority::parse)?
                .unwrap_or_default(),
            payload: payload(value)?,
        })
    }

    pub(crate) fn write(&self, to: &mut Writer) {
        self.envelope.write(&self.id, to);
        to.shared(headers::TENANT, self.tenant.to_bytes());
        to.shared_if(
            headers::ORDERING_KEY,
            self.ordering_key.as_ref().map(OrderingKey::to_bytes),
        );
        self.priority.write(to);
    }
}

/// An empty payload is a payload; a tombstone is none.
pub(crate) fn payload(value: Option<&Bytes>) -> Result<Bytes, Malformed> {
    value
        .cloned()
        .ok_or(Malformed::new(Place::Value, Problem::Missing))
}
