//! Texts that are checked once, when they are made, and share the bytes that they were read from.

use std::str::FromStr;

use bytestring::ByteString;
use domain::time::Timestamp;

use crate::error::Invalid;

/// Serde and JSON Schema for a type that is a text everywhere: `Display` writes it, `FromStr` reads it.
macro_rules! text_in_json {
    ($name:ident, $pattern:expr, $description:expr) => {
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(from)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }

        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({
                    "type": "string",
                    "pattern": $pattern,
                    "description": $description,
                })
            }
        }
    };
}
pub(crate) use text_in_json;

macro_rules! checked_text {
    ($(#[$doc:meta])* $name:ident, $rule:literal, $pattern:literal, $fits:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(ByteString);

        impl $name {
            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// The text's bytes, shared.
            #[must_use]
            pub fn to_bytes(&self) -> bytes::Bytes {
                self.0.as_bytes().clone()
            }
        }

        impl TryFrom<ByteString> for $name {
            type Error = Invalid;

            fn try_from(text: ByteString) -> Result<Self, Invalid> {
                let fits: fn(&str) -> bool = $fits;
                if fits(&text) { Ok(Self(text)) } else { Err(Invalid($rule)) }
            }
        }

        impl FromStr for $name {
            type Err = Invalid;

            fn from_str(text: &str) -> Result<Self, Invalid> {
                Self::try_from(ByteString::from(text))
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }

        text_in_json!($name, $pattern, $rule);
    };
}
pub(crate) use checked_text;

pub(crate) fn is_word(text: &str, longest: usize, others: &[u8]) -> bool {
    let fits = |b: u8| b.is_ascii_alphanumeric() || others.contains(&b);
    (1..=longest).contains(&text.len()) && text.bytes().all(fits)
}

fn is_free(text: &str, longest: usize) -> bool {
    (1..=longest).contains(&text.len())
}

checked_text! {
    /// Whose an endpoint, an event or a key is: `[A-Za-z0-9_-]{1,64}`.
    TenantId, "a tenant has 1 to 64 letters, digits, '_' or '-'", "^[A-Za-z0-9_-]{1,64}$",
    |text| is_word(text, 64, b"_-")
}

checked_text! {
    /// What happened: `[A-Za-z0-9._/-]{1,128}`.
    EventType, "an event type has 1 to 128 letters, digits, '.', '_', '/' or '-'",
    "^[A-Za-z0-9._/-]{1,128}$", |text| is_word(text, 128, b"._/-")
}

checked_text! {
    /// Where an event came from, the `source` of CloudEvents: any text of 1 to 1,024 bytes. That it
    /// is a URI reference, as CloudEvents asks, is not checked: producers differ, and nothing here
    /// depends on it.
    Source, "a source has 1 to 1,024 bytes", "^[\\s\\S]{1,1024}$", |text| is_free(text, 1_024)
}

checked_text! {
    /// The `id` that a Kafka producer's CloudEvent has: any text of 1 to 1,024 bytes.
    GivenId, "a CloudEvent's id has 1 to 1,024 bytes", "^[\\s\\S]{1,1024}$",
    |text| is_free(text, 1_024)
}

checked_text! {
    /// Events of one key keep their order: any text of 1 to 1,024 bytes, NUL included, since it may
    /// come out of a payload.
    OrderingKey, "an ordering key has 1 to 1,024 bytes", "^[\\s\\S]{1,1024}$",
    |text| is_free(text, 1_024)
}

checked_text! {
    /// Two events of one key within the window are the same event: any text of 1 to 2,200 bytes,
    /// which holds the longest [`Source`] and [`GivenId`] together.
    IdempotencyKey, "an idempotency key has 1 to 2,200 bytes", "^[\\s\\S]{1,2200}$",
    |text| is_free(text, 2_200)
}

impl IdempotencyKey {
    /// The key of a CloudEvent that brings none: its source and its id are unique together
    /// (CloudEvents 1.0.2, "id"). The length in front keeps two different pairs apart.
    #[must_use]
    pub fn of_cloud_event(source: &Source, id: &GivenId) -> Self {
        let (source, id) = (source.as_str(), id.as_str());
        Self(format!("ce/{}/{source}/{id}", source.len()).into())
    }
}

checked_text! {
    /// An event's labels, as one text: 1 to 32 of them, each of 1 to 128 bytes without a comma or
    /// a control character, with commas between.
    Tags, "tags are 1 to 32 texts of 1 to 128 bytes, with commas between and no control characters",
    "^[^,\\u0000-\\u001f]{1,128}(,[^,\\u0000-\\u001f]{1,128}){0,31}$", are_tags
}

fn are_tags(text: &str) -> bool {
    let fits = |tag: &str| is_free(tag, 128) && !tag.bytes().any(|b| b < b' ');
    text.split(',').count() <= 32 && text.split(',').all(fits)
}

impl Tags {
    /// Each tag, in the order given.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.as_str().split(',')
    }
}

checked_text! {
    /// The media type of a payload: 1 to 255 printable ASCII characters. Never `application/cloudevents…`,
    /// which would make a record in binary mode look like one in structured mode.
    ContentType,
    "a content type has 1 to 255 printable ASCII characters and is not application/cloudevents",
    "^(?![Aa][Pp][Pp][Ll][Ii][Cc][Aa][Tt][Ii][Oo][Nn]/[Cc][Ll][Oo][Uu][Dd][Ee][Vv][Ee][Nn][Tt][Ss])[ -~]{1,255}$",
    |text| is_printable(text, 255) && !is_cloud_events(text)
}

/// Whether a media type is CloudEvents' own: structured mode, or a batch.
#[must_use]
pub fn is_cloud_events(media_type: &str) -> bool {
    const FRONT: &str = "application/cloudevents";
    media_type
        .get(..FRONT.len())
        .is_some_and(|front| front.eq_ignore_ascii_case(FRONT))
}

/// Whether a media type is that of JSON, or of a format made of it: `…/json` or `…+json`, whatever its parameters.
#[must_use]
pub fn is_json(media_type: &str) -> bool {
    let essence = media_type.split(';').next().unwrap_or_default().trim();
    let essence = essence.to_ascii_lowercase();
    essence.ends_with("/json") || essence.ends_with("+json")
}

fn is_printable(text: &str, longest: usize) -> bool {
    is_free(text, longest) && text.bytes().all(|b| matches!(b, b' '..=b'~'))
}

checked_text! {
    /// A W3C `tracestate`: 1 to 512 printable ASCII characters, carried and not read.
    TraceState, "a tracestate has 1 to 512 printable ASCII characters", "^[ -~]{1,512}$",
    |text| is_printable(text, 512)
}

checked_text! {
    /// A W3C `traceparent`, version 00: `00-<32 hex>-<16 hex>-<2 hex>`, neither id all zeros.
    TraceParent, "a traceparent reads 00-<32 hex>-<16 hex>-<2 hex>, lower case, ids not all zeros",
    "^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$", is_trace_parent
}

fn is_trace_parent(text: &str) -> bool {
    let hex = |part: &str, len: usize| {
        part.len() == len && part.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    };
    let id = |part: &str, len: usize| hex(part, len) && part.bytes().any(|b| b != b'0');
    let mut parts = text.split('-');
    let mut next = || parts.next().unwrap_or_default();
    next() == "00" && id(next(), 32) && id(next(), 16) && hex(next(), 2) && parts.next().is_none()
}

checked_text! {
    /// When an event happened, in its producer's own words: an RFC 3339 time, kept as it was given.
    EventTime, "a time reads as RFC 3339 has it: 2026-01-02T03:04:05Z",
    "^\\d{4}-\\d{2}-\\d{2}[Tt]\\d{2}:\\d{2}:\\d{2}(\\.\\d{1,9})?([Zz]|[+-]\\d{2}:\\d{2})$", is_time
}

impl EventTime {
    /// The text for `at`, in UTC with milliseconds. A moment outside the years 0 to 9999, which
    /// RFC 3339 cannot say, is told as the nearest one it can.
    #[must_use]
    pub fn new(at: Timestamp) -> Self {
        const FIRST: i64 = -62_167_219_200_000;
        const LAST: i64 = 253_402_300_799_999;
        let at = jiff::Timestamp::from_millisecond(at.as_millis().clamp(FIRST, LAST));
        let at = at.unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        Self(format!("{at:.3}").into())
    }
}

/// RFC 3339, section 5.6, less the days that a month has not.
fn is_time(text: &str) -> bool {
    let Some((day, rest)) = text.split_at_checked(10) else {
        return false;
    };
    let Some((separator, rest)) = rest.split_at_checked(1) else {
        return false;
    };
    let Some((clock, rest)) = rest.split_at_checked(8) else {
        return false;
    };
    let zone = match rest.strip_prefix('.') {
        None => rest,
        Some(fraction) => {
            let digits = fraction.bytes().take_while(u8::is_ascii_digit).count();
            if !(1..=9).contains(&digits) {
                return false;
            }
            &fraction[digits..]
        }
    };
    is_day(day) && separator.eq_ignore_ascii_case("t") && is_clock(clock) && is_zone(zone)
}

fn is_day(text: &str) -> bool {
    let Some((year, rest)) = text.split_at_checked(4) else {
        return false;
    };
    let month_and_day = rest
        .split_at_checked(3)
        .is_some_and(|(month, day)| is_number(month, "-", 1, 12) && is_number(day, "-", 1, 31));
    year.bytes().all(|b| b.is_ascii_digit()) && month_and_day
}

fn is_clock(text: &str) -> bool {
    let Some((hour, rest)) = text.split_at_checked(2) else {
        return false;
    };
    is_number(hour, "", 0, 23)
        && rest.split_at_checked(3).is_some_and(|(minute, second)| {
            is_number(minute, ":", 0, 59) && is_number(second, ":", 0, 60)
        })
}

fn is_zone(text: &str) -> bool {
    if text.eq_ignore_ascii_case("z") {
        return true;
    }
    let Some(offset) = text.strip_prefix(['+', '-']) else {
        return false;
    };
    offset
        .split_at_checked(2)
        .is_some_and(|(hour, minute)| is_number(hour, "", 0, 23) && is_number(minute, ":", 0, 59))
}

fn is_number(text: &str, prefix: &str, least: u8, most: u8) -> bool {
    let Some(digits) = text.strip_prefix(prefix) else {
        return false;
    };
    digits.len() == 2
        && digits.bytes().all(|b| b.is_ascii_digit())
        && digits
            .parse()
            .is_ok_and(|n: u8| (least..=most).contains(&n))
}
