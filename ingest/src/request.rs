//! `POST /api/v1/events`: from the body's bytes to a checked event. Pure: what is wrong is found all
//! at once, each with its place.

mod members;
mod values;

use std::time::Duration;

use bytes::Bytes;
use bytestring::ByteString;
use domain::time::Timestamp;
use http::{HeaderMap, StatusCode};
use problem::{FieldError, Problem, body};
use schemas::error::Invalid;
use schemas::ids::EventId;
use schemas::text::{EventType, IdempotencyKey};

use self::members::{Member, Members};
use self::values::{priority, tags, text};
use crate::event::NewEvent;
use crate::limits::MAX_DELIVER_AFTER;

/// The header that carries the idempotency key.
pub const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// Collects what is wrong.
struct Faults {
    errors: Vec<FieldError>,
    status: StatusCode,
}

impl Faults {
    fn add(&mut self, pointer: &str, detail: impl Into<String>) {
        self.errors.push(FieldError {
            pointer: pointer.to_owned(),
            detail: detail.into(),
        });
    }

    fn keep<T>(&mut self, member: Member, read: Option<Result<T, String>>) -> Option<T> {
        match read? {
            Ok(value) => Some(value),
            Err(detail) => {
                self.add(member.pointer(), detail);
                None
            }
        }
    }
}

/// Reads an event. `now` is what `deliver_after` in seconds counts from.
///
/// # Errors
/// 400 for what is no JSON object or has no `event_type`, 422 for other fields that are wrong or unknown:
/// each is named, and nothing is ignored; 422 `not_supported_yet` for an ordering key, until there is order.
pub fn read(body: &Bytes, headers: &HeaderMap, now: Timestamp) -> Result<NewEvent, Problem> {
    let members: Members<'_> = body::json(body)?;
    let mut faults = Faults {
        errors: Vec::new(),
        status: StatusCode::UNPROCESSABLE_ENTITY,
    };
    for name in &members.unknown {
        let pointer = format!("/{}", name.replace('~', "~0").replace('/', "~1"));
        faults.add(&pointer, "no such member");
    }
    for member in &members.repeated {
        faults.add(member.pointer(), "is given twice");
    }
    let event_type = event_type(&members, body, &mut faults);
    let payload = payload(&members, body, &mut faults);
    let mut read = Reading {
        members: &members,
        body,
        faults: &mut faults,
    };
    let endpoint = read.parsed(Member::EndpointId);
    let id = read.parsed(Member::EventId);
    let ordering_key = read.parsed(Member::OrderingKey);
    let source = read.parsed(Member::Source);
    let idempotency_key = read.parsed(Member::IdempotencyKey);
    let priority = read.by(Member::Priority, priority).unwrap_or_default();
    let tags = read.by(Member::Tags, tags).flatten();
    let deliver_after = read.by(Member::DeliverAfter, values::when);
    let deliver_after = deliver_after.and_then(|when| due(when, now, &mut faults));
    let idempotency_key = settle_key(idempotency_key, id.as_ref(), headers, &mut faults);
    if deliver_after.is_some() && ordering_key.is_some() {
        faults.add(
            Member::DeliverAfter.pointer(),
            "can't be combined with ordering_key: what waits would be overtaken",
        );
    }
    if ordering_key.is_some() && faults.errors.is_empty() {
        faults.add(Member::OrderingKey.pointer(), "is not supported yet");
        return Err(Problem::not_supported_yet("ordering_key").with_errors(faults.errors));
    }
    match (event_type, payload) {
        (Some(event_type), Some(payload)) if faults.errors.is_empty() => Ok(NewEvent {
            endpoint,
            id,
            idempotency_key,
            ordering_key,
            priority,
            deliver_after,
            source,
            tags,
            trace_parent: trace(headers, "traceparent"),
            trace_state: trace(headers, "tracestate"),
            ..NewEvent::new(event_type, payload)
        }),
        (_, _) => Err(refuse(faults)),
    }
}

fn refuse(faults: Faults) -> Problem {
    let code = match faults.status {
        StatusCode::BAD_REQUEST => "event_type_missing",
        _ => "validation_failed",
    };
    let detail = match faults.errors.as_slice() {
        [only] => format!("{}: {}", only.pointer, only.detail),
        errors => format!("{} fields are wrong", errors.len()),
    };
    Problem::new(faults.status, code, detail).with_errors(faults.errors)
}

/// Reads members, each once.
struct Reading<'a> {
    members: &'a Members<'a>,
    body: &'a Bytes,
    faults: &'a mut Faults,
}

impl Reading<'_> {
    fn by<T>(
        &mut self,
        member: Member,
        read: impl FnOnce(&str, &Bytes) -> Result<T, String>,
    ) -> Option<T> {
        let json = self.members.get(member)?;
        self.faults.keep(member, Some(read(json, self.body)))
    }

    /// A text with a rule of its own.
    fn parsed<T: values::FromText>(&mut self, member: Member) -> Option<T> {
        self.by(member, |json, body| {
            T::from_text(text(json, body)?).map_err(|rule| rule.to_string())
        })
    }
}

fn event_type(members: &Members<'_>, body: &Bytes, faults: &mut Faults) -> Option<EventType> {
    const MISSING: &str = "is missing: every event has a type";
    let Some(json) = members.get(Member::EventType) else {
        faults.status = StatusCode::BAD_REQUEST;
        faults.add(Member::EventType.pointer(), MISSING);
        return None;
    };
    let read = text(json, body).and_then(|text| {
        if text.trim().is_empty() {
            faults.status = StatusCode::BAD_REQUEST;
            return Err("is empty: every event has a type".to_owned());
        }
        EventType::try_from(text).map_err(|rule| rule.to_string())
    });
    faults.keep(Member::EventType, Some(read))
}

/// The very text of the member, shared with the body.
fn payload(members: &Members<'_>, body: &Bytes, faults: &mut Faults) -> Option<Bytes> {
    let Some(raw) = members.raw(Member::Payload) else {
        faults.add(Member::Payload.pointer(), "is missing");
        return None;
    };
    Some(body.slice_ref(raw.as_bytes()))
}

/// The one key that the header, `idempotency_key` and `event_id` may each give.
fn settle_key(
    member: Option<IdempotencyKey>,
    id: Option<&EventId>,
    headers: &HeaderMap,
    faults: &mut Faults,
) -> Option<IdempotencyKey> {
    let header = match headers.get(IDEMPOTENCY_KEY).map(header_key).transpose() {
        Ok(key) => key,
        Err(detail) => {
            faults.add("", format!("the header Idempotency-Key {detail}"));
            None
        }
    };
    let id = id.map(|id| {
        IdempotencyKey::try_from(ByteString::from(id.as_str()))
            .expect("an event id is shorter than a key may be")
    });
    let mut given = [header, member, id].into_iter().flatten();
    let key = given.next();
    if given.any(|other| Some(&other) != key.as_ref()) {
        faults.add(
            Member::IdempotencyKey.pointer(),
            "the header Idempotency-Key, idempotency_key and event_id are one key: \
             they must be the same",
        );
    }
    key
}

fn header_key(value: &http::HeaderValue) -> Result<IdempotencyKey, String> {
    let text = value.to_str().map_err(|_| "is not ASCII".to_owned())?;
    text.parse().map_err(|rule: Invalid| rule.to_string())
}

/// A trace that can't be read is dropped, not the event (W3C Trace Context, section 3.2.2.4).
fn trace<T: std::str::FromStr>(headers: &HeaderMap, name: &str) -> Option<T> {
    headers.get(name)?.to_str().ok()?.parse().ok()
}

/// What is in the past is due at once.
fn due(when: values::When, now: Timestamp, faults: &mut Faults) -> Option<Timestamp> {
    let at = match when {
        values::When::In(wait) if wait > MAX_DELIVER_AFTER => {
            faults.add(Member::DeliverAfter.pointer(), TOO_FAR);
            return None;
        }
        values::When::In(Duration::ZERO) => return None,
        values::When::In(wait) => now.saturating_add(wait),
        values::When::At(at) => at,
    };
    if at.saturating_since(now) > MAX_DELIVER_AFTER {
        faults.add(Member::DeliverAfter.pointer(), TOO_FAR);
        return None;
    }
    (at > now).then_some(at)
}

const TOO_FAR: &str = "lies more than 30 days ahead";

#[cfg(test)]
mod tests;
