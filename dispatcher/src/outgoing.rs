//! What one attempt says: its headers, and its signatures in both forms.

mod opened;

use std::fmt::Write as _;

use bytes::Bytes;
use domain::signing::{self, Secret};
use domain::time::Timestamp;
use http::header::{CONTENT_TYPE, HeaderName};
use http::{HeaderMap, HeaderValue};
use schemas::control::{Endpoint, Signing};
use schemas::event::{Addressed, Envelope};
use schemas::ids::{DeliveryId, EventId};

pub use opened::{OpenError, OpenedSecrets, Opener};

const WEBHOOK_ID: HeaderName = HeaderName::from_static("webhook-id");
const WEBHOOK_TIMESTAMP: HeaderName = HeaderName::from_static("webhook-timestamp");
const WEBHOOK_SIGNATURE: HeaderName = HeaderName::from_static("webhook-signature");
const WEBHOOK_ATTEMPT: HeaderName = HeaderName::from_static("webhook-attempt");
const X_SIGNATURE: HeaderName = HeaderName::from_static("x-webhook-signature");
const X_ID: HeaderName = HeaderName::from_static("x-webhook-id");
const X_EVENT_ID: HeaderName = HeaderName::from_static("x-webhook-event-id");
const X_EVENT_TYPE: HeaderName = HeaderName::from_static("x-webhook-event-type");
const X_TIMESTAMP: HeaderName = HeaderName::from_static("x-webhook-timestamp");
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// As many headers as are set below.
const OURS: usize = 14;

/// What every payload is unless its producer says that it is no JSON.
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// The headers of one attempt.
#[derive(Clone, Debug, PartialEq)]
pub struct Outgoing {
    /// All but `host` and `content-length`, which the connection knows.
    pub headers: HeaderMap,
    /// The ids of the keys that signed, newest first.
    pub keys: Vec<String>,
}

/// The headers of attempt `number` (from 1) to deliver `event` to `endpoint`, signed at `now`, by the
/// wall clock, with those of `secrets` that are valid then. The ids are the same in every attempt.
#[must_use]
pub fn outgoing(
    event: &Addressed,
    delivery: &DeliveryId,
    endpoint: &Endpoint,
    secrets: &OpenedSecrets,
    number: u32,
    now: Timestamp,
) -> Outgoing {
    let timestamp = signing::seconds(now).to_string();
    let mut headers = HeaderMap::with_capacity(OURS + secrets.fixed().len());
    for (name, value) in secrets.fixed() {
        headers.insert(name, value.clone());
    }
    add_signatures(
        &mut headers,
        event,
        endpoint.signing,
        secrets,
        &timestamp,
        now,
    );
    let timestamp = value(timestamp);
    headers.insert(WEBHOOK_TIMESTAMP, timestamp.clone());
    headers.insert(X_TIMESTAMP, timestamp);
    let id = value(event.id.to_bytes());
    headers.insert(WEBHOOK_ID, id.clone());
    headers.insert(IDEMPOTENCY_KEY, id);
    headers.insert(X_EVENT_ID, value(bare(&event.id)));
    headers.insert(X_ID, value(delivery.to_string()));
    headers.insert(X_EVENT_TYPE, value(event.envelope.event_type.to_bytes()));
    headers.insert(WEBHOOK_ATTEMPT, HeaderValue::from(number));
    headers.insert(CONTENT_TYPE, content_type(&event.envelope));
    add_trace(&mut headers, &event.envelope, delivery, number);
    let keys = secrets.valid_at(now).map(|key| key.id.clone()).collect();
    Outgoing { headers, keys }
}

fn add_signatures(
    headers: &mut HeaderMap,
    event: &Addressed,
    forms: Signing,
    secrets: &OpenedSecrets,
    timestamp: &str,
    now: Timestamp,
) {
    let keys = || secrets.valid_at(now).map(|key| &key.secret);
    let (is_standard, is_older) = match forms {
        Signing::Standard => (true, false),
        Signing::Stripe => (false, true),
        Signing::Both => (true, true),
    };
    if is_standard {
        headers.insert(WEBHOOK_SIGNATURE, standard(keys(), event, timestamp));
    }
    if is_older {
        headers.insert(X_SIGNATURE, stripe(keys(), event, timestamp));
    }
}

fn standard<'a>(
    keys: impl Iterator<Item = &'a Secret>,
    event: &Addressed,
    timestamp: &str,
) -> HeaderValue {
    let mut text = String::with_capacity(signing::STANDARD_LENGTH);
    for secret in keys {
        if !text.is_empty() {
            text.push(' ');
        }
        signing::push_standard(
            &mut text,
            secret,
            event.id.as_str(),
            timestamp,
            &event.payload,
        );
    }
    value(text)
}

fn stripe<'a>(
    keys: impl Iterator<Item = &'a Secret>,
    event: &Addressed,
    timestamp: &str,
) -> HeaderValue {
    let mut text = String::with_capacity(2 + timestamp.len() + signing::STRIPE_LENGTH);
    text.push_str("t=");
    text.push_str(timestamp);
    for secret in keys {
        signing::push_stripe(&mut text, secret, timestamp, &event.payload);
    }
    value(text)
}

/// The UUID of a generated id without its prefix; a caller's own as it is.
fn bare(id: &EventId) -> Bytes {
    let text = id.to_bytes();
    match id.uuid() {
        Some(_) => text.slice(EventId::PREFIX.len()..),
        None => text,
    }
}

/// JSON goes out as plain `application/json`, however its producer spells that; what says that it
/// is something else is not called JSON.
fn content_type(envelope: &Envelope) -> HeaderValue {
    let given = envelope.content_type.as_ref();
    let is_json = |text: &str| {
        let essence = text.split(';').next().unwrap_or_default().trim();
        essence.eq_ignore_ascii_case("application/json")
    };
    match given {
        Some(given) if !is_json(given.as_str()) => value(given.to_bytes()),
        Some(_) | None => JSON,
    }
}

/// The trace that the event came with; else one that is the delivery's own, the same for all of its
/// attempts, each of which is a span.
fn add_trace(headers: &mut HeaderMap, envelope: &Envelope, delivery: &DeliveryId, number: u32) {
    if let Some(parent) = &envelope.trace_parent {
        headers.insert(TRACEPARENT, value(parent.to_bytes()));
        if let Some(state) = &envelope.trace_state {
            headers.insert(TRACESTATE, value(state.to_bytes()));
        }
        return;
    }
    let uuid = delivery.uuid();
    // Neither is all zeros: a UUID's version is in the first, its variant in the second.
    let (_, low) = uuid.as_u64_pair();
    let mut text = String::with_capacity(55);
    let span = low ^ u64::from(number);
    write!(text, "00-{}-{span:016x}-00", uuid.simple()).expect("a string takes what it is given");
    headers.insert(TRACEPARENT, value(text));
}

/// A value whose type, or whose maker above, allows nothing that a header can't have: ids, types
/// and times are printable ASCII.
fn value(text: impl Into<Bytes>) -> HeaderValue {
    HeaderValue::from_maybe_shared(text.into()).expect("printable ASCII is a header's value")
}

#[cfg(test)]
mod tests;
