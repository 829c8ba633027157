//! What Kafka producers write to `inbox`.

use bytes::Bytes;
use bytestring::ByteString;

use super::{Door, InboxEvent, structured};
use crate::error::{Malformed, Place, Problem};
use crate::event::{Envelope, Priority, extensions, payload, trace_parent, trace_state};
use crate::headers::{self, Found, Writer, either, optional, parsed, required, shared};
use crate::ids::EndpointId;
use crate::parts::Parts;
use crate::text::{
    ContentType, GivenId, IdempotencyKey, Source, Tags, TraceParent, TraceState, is_cloud_events,
};

/// The source of an event in the plain form, which has no header for one.
pub const PLAIN_SOURCE: &str = "kafka";

pub(super) fn read(parts: &Parts, found: &Found<'_>) -> Result<InboxEvent, Malformed> {
    let media_type = found
        .content_type
        .and_then(|bytes| std::str::from_utf8(bytes).ok());
    if media_type.is_some_and(is_cloud_events) {
        let binary = structured::to_binary(parts)?;
        return read_binary(&Found::of(&binary)?, binary.value.as_ref());
    }
    if found.spec_version.is_some() {
        return read_binary(found, parts.value.as_ref());
    }
    if found.plain_type.is_some() {
        return read_plain(found, parts.value.as_ref());
    }
    Err(Malformed::new(Place::Record, Problem::NoKnownForm))
}

fn read_binary(found: &Found<'_>, value: Option<&Bytes>) -> Result<InboxEvent, Malformed> {
    let id: GivenId = required(headers::ID, found.id, shared)?;
    let trace = either(
        headers::TRACE_PARENT,
        found.trace_parent,
        found.ce_trace_parent,
    )?;
    let state = either(
        headers::TRACE_STATE,
        found.trace_state,
        found.ce_trace_state,
    )?;
    let envelope = Envelope {
        trace_parent: trace_parent(trace),
        trace_state: trace_state(state),
        given_id: Some(id.clone()),
        ..Envelope::read(found)?
    };
    let key = either(
        headers::IDEMPOTENCY_KEY,
        found.idempotency_key,
        found.ce_idempotency_key,
    )?;
    let key = optional(headers::IDEMPOTENCY_KEY, key, shared)?
        .unwrap_or_else(|| IdempotencyKey::of_cloud_event(&envelope.source, &id));
    finish(found, envelope, Some(key), value)
}

fn read_plain(found: &Found<'_>, value: Option<&Bytes>) -> Result<InboxEvent, Malformed> {
    let envelope = Envelope {
        event_type: required(headers::PLAIN_TYPE, found.plain_type, shared)?,
        source: plain_source(),
        time: None,
        content_type: optional(headers::CONTENT_TYPE, found.content_type, shared)?,
        trace_parent: trace_parent(found.trace_parent),
        trace_state: trace_state(found.trace_state),
        tags: optional(headers::TAGS, found.tags, shared)?,
        given_id: None,
        extensions: extensions(found)?,
    };
    let key = optional(headers::IDEMPOTENCY_KEY, found.idempotency_key, shared)?;
    finish(found, envelope, key, value)
}

fn plain_source() -> Source {
    Source::try_from(ByteString::from_static(PLAIN_SOURCE)).expect("the name is a source")
}

fn finish(
    found: &Found<'_>,
    envelope: Envelope,
    idempotency_key: Option<IdempotencyKey>,
    value: Option<&Bytes>,
) -> Result<InboxEvent, Malformed> {
    let endpoint = either(
        headers::PLAIN_ENDPOINT,
        found.plain_endpoint,
        found.ce_endpoint,
    )?;
    let order = either(
        headers::ORDERING_KEY,
        found.ordering_key,
        found.ce_ordering_key,
    )?;
    let priority = either(headers::PRIORITY, found.priority, found.ce_priority)?;
    Ok(InboxEvent {
        door: Door::Kafka {
            endpoint: optional(headers::PLAIN_ENDPOINT, endpoint, parsed)?,
        },
        envelope,
        idempotency_key,
        ordering_key: optional(headers::ORDERING_KEY, order, shared)?,
        priority: optional(headers::PRIORITY, priority, Priority::parse)?.unwrap_or_default(),
        payload: payload(value)?,
    })
}

/// Writes what only this door writes. The key is a Kafka producer's own affair: none.
pub(super) fn write(
    event: &InboxEvent,
    endpoint: Option<EndpointId>,
    to: &mut Writer,
) -> Option<Bytes> {
    let envelope = &event.envelope;
    match &envelope.given_id {
        Some(id) => envelope.write_as_given(id, to),
        None => write_plain(envelope, to),
    }
    to.formatted_if(headers::PLAIN_ENDPOINT, endpoint);
    None
}

fn write_plain(envelope: &Envelope, to: &mut Writer) {
    to.shared(headers::PLAIN_TYPE, envelope.event_type.to_bytes());
    to.shared_if(
        headers::CONTENT_TYPE,
        envelope.content_type.as_ref().map(ContentType::to_bytes),
    );
    to.shared_if(
        headers::TRACE_PARENT,
        envelope.trace_parent.as_ref().map(TraceParent::to_bytes),
    );
    to.shared_if(
        headers::TRACE_STATE,
        envelope.trace_state.as_ref().map(TraceState::to_bytes),
    );
    to.shared_if(headers::TAGS, envelope.tags.as_ref().map(Tags::to_bytes));
    envelope.write_extensions(to);
}
