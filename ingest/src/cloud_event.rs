//! CloudEvents over HTTP (HTTP protocol binding 1.0.2): one in binary or structured mode, or a batch. A request
//! is turned into the record that a Kafka producer would write, so that one decoder knows what a
//! CloudEvent is.

use bytes::Bytes;
use bytestring::ByteString;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, StatusCode};
use percent_encoding::percent_decode;
use problem::{FieldError, Problem, body};
use schemas::error::{DecodeError, Malformed, Place};
use schemas::headers;
use schemas::inbox::{Door, InboxEvent};
use schemas::parts::{Header, Parts};
use schemas::text::{is_cloud_events, is_json};
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use crate::event::{Attributes, NewEvent};
use crate::limits::MAX_BATCH;
use crate::request::IDEMPOTENCY_KEY;

/// What the names of attributes begin with in binary mode.
const HTTP_PREFIX: &str = "ce-";
/// As [`HTTP_PREFIX`], in records.
const RECORD_PREFIX: &str = "ce_";
/// The media type of one event in the JSON format.
const STRUCTURED: &str = "application/cloudevents+json";

/// How a request carries CloudEvents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Attributes in headers, the data in the body.
    Binary,
    /// One event as JSON.
    Structured,
    /// An array of them.
    Batch,
    /// In a format that isn't JSON.
    Other,
}

impl Mode {
    /// That of a request; `None`: it carries none. The media type decides (section 3).
    pub(crate) fn of(headers: &HeaderMap) -> Option<Self> {
        let media_type = headers.get(CONTENT_TYPE).map_or(&b""[..], |v| v.as_bytes());
        let media_type = String::from_utf8_lossy(media_type);
        let essence = media_type.split(';').next().unwrap_or_default().trim();
        let is = |name: &str| essence.eq_ignore_ascii_case(name);
        if is(STRUCTURED) || is("application/cloudevents") {
            Some(Self::Structured)
        } else if is("application/cloudevents-batch+json") {
            Some(Self::Batch)
        } else if is_cloud_events(essence) {
            Some(Self::Other)
        } else {
            let is_binary = headers.contains_key("ce-specversion");
            is_binary.then_some(Self::Binary)
        }
    }
}

/// Reads the event of a request in binary or structured mode.
///
/// # Errors
/// 400 for what is no JSON or names no type, 415 for another format than JSON, 422 for attributes that break a
/// rule, and `not_supported_yet` for an ordering key.
pub(crate) fn one(mode: Mode, headers: &HeaderMap, body: Bytes) -> Result<NewEvent, Problem> {
    match mode {
        Mode::Binary => binary(headers, body),
        Mode::Structured => structured(further(headers), body),
        Mode::Batch | Mode::Other => Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported_media_type",
            "CloudEvents are read in the JSON format: application/cloudevents+json, \
             application/cloudevents-batch+json, or binary mode",
        )),
    }
}

/// Reads a batch; each event is taken or refused for itself.
///
/// # Errors
/// 400 for what is no array, 413 for one of more than [`MAX_BATCH`], 422 for an idempotency key, which would be
/// that of all.
pub(crate) fn batch(
    headers: &HeaderMap,
    body: &Bytes,
) -> Result<Vec<Result<NewEvent, Problem>>, Problem> {
    let events: Vec<&RawValue> = body::json(body)?;
    if events.len() > MAX_BATCH {
        return Err(Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "batch_too_large",
            format!("a batch has {MAX_BATCH} events at most"),
        ));
    }
    if headers.contains_key(IDEMPOTENCY_KEY) {
        return Err(Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "validation_failed",
            "the header Idempotency-Key would be that of every event: \
             the source and the id of each are its key",
        ));
    }
    let traces = further(headers);
    let event = |json: &&RawValue| {
        let json = body.slice_ref(json.get().as_bytes());
        structured(traces.clone(), json)
    };
    Ok(events.iter().map(event).collect())
}

/// The headers of a request that mean the same in a record.
fn further(headers: &HeaderMap) -> Vec<Header> {
    [IDEMPOTENCY_KEY, "traceparent", "tracestate"]
        .into_iter()
        .flat_map(|name| headers.get_all(name).iter().map(move |value| (name, value)))
        .map(|(name, value)| header(ByteString::from_static(name), value.as_bytes()))
        .collect()
}

fn header(name: ByteString, value: &[u8]) -> Header {
    Header {
        name,
        value: Some(Bytes::copy_from_slice(value)),
    }
}

fn binary(headers: &HeaderMap, body: Bytes) -> Result<NewEvent, Problem> {
    let mut record = further(headers);
    for (name, value) in headers {
        if let Some(attribute) = name.as_str().strip_prefix(HTTP_PREFIX) {
            let name = format!("{RECORD_PREFIX}{attribute}");
            record.push(header(name.into(), &unescaped(value)));
        }
    }
    let media_types = headers.get_all(CONTENT_TYPE).iter();
    let content_type = || ByteString::from_static(headers::CONTENT_TYPE);
    record.extend(media_types.map(|value| header(content_type(), value.as_bytes())));
    let place = |name: &str| match name {
        headers::CONTENT_TYPE => (String::new(), format!("the header {name} ")),
        name => {
            let attribute = attribute(name);
            (
                String::new(),
                format!("the header {HTTP_PREFIX}{attribute} "),
            )
        }
    };
    let event = decoded(record, body, place)?;
    // Without a media type data is JSON (CloudEvents 1.0.2, JSON format, section 3.1).
    let media_type = event.attributes.content_type.as_ref();
    if !event.payload.is_empty() && media_type.is_none_or(|it| is_json(it.as_str())) {
        body::json::<IgnoredAny>(&event.payload)?;
    }
    Ok(event)
}

fn structured(mut record: Vec<Header>, json: Bytes) -> Result<NewEvent, Problem> {
    body::json::<&RawValue>(&json)?;
    let content_type = ByteString::from_static(headers::CONTENT_TYPE);
    record.push(header(content_type, STRUCTURED.as_bytes()));
    decoded(record, json, |name| match name {
        headers::CONTENT_TYPE => ("/datacontenttype".to_owned(), String::new()),
        name => (format!("/{}", attribute(name)), String::new()),
    })
}

/// The attribute that a record's header means: some have a name of ours, too, under which both are told.
fn attribute(name: &str) -> String {
    let given = name.strip_prefix(RECORD_PREFIX);
    given.map_or_else(|| name.replace('-', ""), str::to_owned)
}

/// The value of an attribute: a quoted string's own text, then percent-decoded once (section 3.1.3.2).
fn unescaped(value: &HeaderValue) -> Vec<u8> {
    let bytes = value.as_bytes();
    let inner = bytes
        .strip_prefix(b"\"")
        .and_then(|rest| rest.strip_suffix(b"\""));
    let text = inner.map_or_else(|| bytes.to_vec(), unquoted);
    percent_decode(&text).collect()
}

/// RFC 9110, section 5.6.4.
fn unquoted(inner: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(inner.len());
    let mut bytes = inner.iter();
    while let Some(byte) = bytes.next() {
        let next = if *byte == b'\\' { bytes.next() } else { None };
        text.push(*next.unwrap_or(byte));
    }
    text
}

/// Decodes a record. `place` tells where a header of it stands in the request: a JSON pointer, and words for the
/// detail.
fn decoded(
    headers: Vec<Header>,
    value: Bytes,
    place: impl Fn(&str) -> (String, String),
) -> Result<NewEvent, Problem> {
    let parts = Parts {
        key: None,
        headers,
        value: Some(value),
    };
    let event = match InboxEvent::decode(&parts) {
        Ok(event) => event,
        Err(DecodeError::Malformed(malformed)) => return Err(refused(&malformed, place)),
        // Attributes never make the header that has a version.
        Err(error @ DecodeError::UnknownVersion { .. }) => {
            return Err(Problem::new(
                StatusCode::BAD_REQUEST,
                "validation_failed",
                error.to_string(),
            ));
        }
    };
    if event.ordering_key.is_some() {
        return Err(Problem::not_supported_yet("orderingkey"));
    }
    let endpoint = match event.door {
        Door::Kafka { endpoint } => endpoint,
        Door::Http(_) => None,
    };
    let envelope = event.envelope;
    Ok(NewEvent {
        endpoint,
        idempotency_key: event.idempotency_key,
        priority: event.priority,
        source: Some(envelope.source),
        tags: envelope.tags,
        trace_parent: envelope.trace_parent,
        trace_state: envelope.trace_state,
        attributes: Attributes {
            given_id: envelope.given_id,
            time: envelope.time,
            content_type: envelope.content_type,
            extensions: envelope.extensions,
        },
        ..NewEvent::new(envelope.event_type, event.payload)
    })
}

fn refused(malformed: &Malformed, place: impl Fn(&str) -> (String, String)) -> Problem {
    let (pointer, subject) = match &malformed.at {
        Place::Header(name) => place(name),
        Place::Key | Place::Value | Place::Record => (String::new(), String::new()),
    };
    let (status, code) = match &malformed.at {
        Place::Header(name) if &**name == headers::TYPE => {
            (StatusCode::BAD_REQUEST, "event_type_missing")
        }
        Place::Header(_) | Place::Key | Place::Value | Place::Record => {
            (StatusCode::UNPROCESSABLE_ENTITY, "validation_failed")
        }
    };
    let detail = format!("{subject}{}", malformed.problem);
    let shown = if pointer.is_empty() {
        detail.clone()
    } else {
        format!("{pointer}: {detail}")
    };
    Problem::new(status, code, shown).with_errors(vec![FieldError { pointer, detail }])
}

#[cfg(test)]
mod tests;
