//! What single members hold.

use std::time::Duration;

use bytes::Bytes;
use bytestring::ByteString;
use domain::time::Timestamp;
use schemas::error::Invalid;
use schemas::event::Priority;
use schemas::ids::{EndpointId, EventId};
use schemas::text::{IdempotencyKey, OrderingKey, Source, Tags};

/// What a text is read into.
pub(super) trait FromText: Sized {
    fn from_text(text: ByteString) -> Result<Self, Invalid>;
}

macro_rules! from_shared_text {
    ($($name:ty),+) => {$(
        impl FromText for $name {
            fn from_text(text: ByteString) -> Result<Self, Invalid> {
                Self::try_from(text)
            }
        }
    )+};
}

from_shared_text!(EventId, OrderingKey, Source, IdempotencyKey);

impl FromText for EndpointId {
    fn from_text(text: ByteString) -> Result<Self, Invalid> {
        text.parse()
    }
}

/// A JSON string. One without escapes shares the body's bytes.
pub(super) fn text(json: &str, body: &Bytes) -> Result<ByteString, String> {
    let inner = json
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'));
    match inner {
        None => Err("must be a string".to_owned()),
        Some(plain) if !plain.contains('\\') => {
            ByteString::try_from(body.slice_ref(plain.as_bytes()))
                .map_err(|_| "is not UTF-8".to_owned())
        }
        Some(_) => serde_json::from_str::<String>(json)
            .map(ByteString::from)
            .map_err(|_| "has an escape that stands for no character".to_owned()),
    }
}

pub(super) fn priority(json: &str, _body: &Bytes) -> Result<Priority, String> {
    serde_json::from_str(json).map_err(|_| "must be low, normal or high".to_owned())
}

/// An array of texts; an empty one is none.
pub(super) fn tags(json: &str, _body: &Bytes) -> Result<Option<Tags>, String> {
    let tags: Vec<String> =
        serde_json::from_str(json).map_err(|_| "must be an array of strings".to_owned())?;
    if tags.is_empty() {
        return Ok(None);
    }
    if tags.iter().any(|tag| tag.contains(',')) {
        return Err("a tag has no comma".to_owned());
    }
    let tags = tags.join(",").parse();
    tags.map(Some).map_err(|rule: Invalid| rule.to_string())
}

/// When the first attempt may be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum When {
    At(Timestamp),
    In(Duration),
}

/// RFC 3339, or seconds from now, fractions too.
pub(super) fn when(json: &str, _body: &Bytes) -> Result<When, String> {
    const RULE: &str = "must be a time as RFC 3339 has it, or a number of seconds from now";
    let rule = || RULE.to_owned();
    if json.starts_with('"') {
        let text: String = serde_json::from_str(json).map_err(|_| rule())?;
        let at: jiff::Timestamp = text.parse().map_err(|_| rule())?;
        return Ok(When::At(Timestamp::from_millis(at.as_millisecond())));
    }
    let seconds: f64 = serde_json::from_str(json).map_err(|_| rule())?;
    if seconds < 0.0 {
        return Err("must not be negative".to_owned());
    }
    // What is too large for a duration is too far ahead as well.
    Ok(When::In(
        Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX),
    ))
}
