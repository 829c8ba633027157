//! Headers: their names, how a record's are found, how they are written.

use std::fmt::{Display, Write as _};
use std::str::FromStr;

use bytes::{Bytes, BytesMut};
use bytestring::ByteString;
use domain::time::Timestamp;

use crate::error::{DecodeError, Invalid, Malformed, Place, Problem, VERSION};
use crate::parts::{Header, Parts};

macro_rules! names {
    ($($(#[$doc:meta])* $field:ident $constant:ident = $name:literal,)+) => {
        /// Every header name that the codecs know.
        pub const ALL: &[&str] = &[$($name),+];

        $($(#[$doc])* pub const $constant: &str = $name;)+

        /// A record's headers, each known one in its place.
        #[derive(Default)]
        pub(crate) struct Found<'a> {
            $(pub(crate) $field: Option<&'a Bytes>,)+
            /// CloudEvents attributes that the protocol has no use for: name with `ce_`, and value.
            pub(crate) extensions: Vec<(&'a ByteString, &'a Bytes)>,
        }

        impl<'a> Found<'a> {
            fn place(&mut self, name: &str) -> Option<&mut Option<&'a Bytes>> {
                match name {
                    $($name => Some(&mut self.$field),)+
                    _ => None,
                }
            }
        }
    };
}

names! {
    /// CloudEvents: the version of the specification, `1.0`.
    spec_version SPEC_VERSION = "ce_specversion",
    /// CloudEvents: the event's id.
    id ID = "ce_id",
    /// CloudEvents: the event's type.
    event_type TYPE = "ce_type",
    /// CloudEvents: where the event came from.
    source SOURCE = "ce_source",
    /// CloudEvents: when it happened.
    time TIME = "ce_time",
    /// The payload's media type.
    content_type CONTENT_TYPE = "content-type",
    /// W3C Trace Context: the trace that the event belongs to.
    trace_parent TRACE_PARENT = "traceparent",
    /// W3C Trace Context: what vendors add to it.
    trace_state TRACE_STATE = "tracestate",
    /// The record's version, on records whose metadata is all in headers.
    version VERSION_HEADER = "postrider-v",
    /// The record's JSON, on records whose value is a payload.
    json JSON = "postrider",
    /// Whose the event is.
    tenant TENANT = "tenant",
    /// The event's labels.
    tags TAGS = "tags",
    /// The id that a Kafka producer's CloudEvent had.
    given_id GIVEN_ID = "given-id",
    /// What keeps its order among events.
    ordering_key ORDERING_KEY = "ordering-key",
    /// The lane's priority.
    priority PRIORITY = "priority",
    /// What makes two events the same.
    idempotency_key IDEMPOTENCY_KEY = "idempotency-key",
    /// For how long after the first an event with the same key is the same event.
    idempotency_window IDEMPOTENCY_WINDOW = "idempotency-window",
    /// When the first attempt may be made.
    deliver_after DELIVER_AFTER = "deliver-after",
    /// The record of `inbox` that this one was routed from.
    origin ORIGIN = "origin",
    /// When that record was appended.
    accepted_at ACCEPTED_AT = "accepted-at",
    /// The offset of `control` up to which the writer knew it.
    control CONTROL = "control",
    /// The replay that copied the event, and what it copied.
    copied_from COPIED_FROM = "copied-from",
    /// The endpoints that an event goes to.
    routes ROUTES = "routes",
    /// Kafka producers' plain form: the event's type.
    plain_type PLAIN_TYPE = "event-type",
    /// Kafka producers: the one endpoint that the event is for.
    plain_endpoint PLAIN_ENDPOINT = "endpoint-id",
    /// Kafka producers' CloudEvents extension that means `endpoint-id`.
    ce_endpoint CE_ENDPOINT = "ce_endpointid",
    /// Kafka producers' CloudEvents extension that means `ordering-key`.
    ce_ordering_key CE_ORDERING_KEY = "ce_orderingkey",
    /// Kafka producers' CloudEvents extension that means `idempotency-key`.
    ce_idempotency_key CE_IDEMPOTENCY_KEY = "ce_idempotencykey",
    /// Kafka producers' CloudEvents extension that means `priority`.
    ce_priority CE_PRIORITY = "ce_priority",
    /// The CloudEvents extension that means `traceparent`.
    ce_trace_parent CE_TRACE_PARENT = "ce_traceparent",
    /// The CloudEvents extension that means `tracestate`.
    ce_trace_state CE_TRACE_STATE = "ce_tracestate",
}

/// What the name of every CloudEvents attribute begins with.
pub(crate) const CE: &str = "ce_";

impl<'a> Found<'a> {
    /// Finds each known header. One with Kafka's null is as good as not there.
    pub(crate) fn of(parts: &'a Parts) -> Result<Self, Malformed> {
        let mut found = Self::default();
        for Header { name, value } in &parts.headers {
            let Some(value) = value else { continue };
            let is_new = match found.place(name) {
                Some(place) => place.replace(value).is_none(),
                None if name.starts_with(CE) => found.add_extension(name, value),
                None => true,
            };
            if !is_new {
                return Err(Malformed::new(
                    Place::Header(name.clone()),
                    Problem::Repeated,
                ));
            }
            if found.extensions.len() > MAX_EXTENSIONS {
                return Err(Malformed::new(Place::Record, Problem::Invalid(TOO_MANY)));
            }
        }
        Ok(found)
    }

    fn add_extension(&mut self, name: &'a ByteString, value: &'a Bytes) -> bool {
        let is_new = self.extensions.iter().all(|(other, _)| *other != name);
        self.extensions.push((name, value));
        is_new
    }

    /// Whether the record says that it is of ours, and in a version that this program reads.
    pub(crate) fn check_version(&self) -> Result<(), DecodeError> {
        let found: u64 = required(VERSION_HEADER, self.version, number)?;
        if found == u64::from(VERSION) {
            Ok(())
        } else {
            Err(DecodeError::UnknownVersion { found })
        }
    }
}

/// Most CloudEvents extension attributes of one event. CloudEvents names no bound; the search for
/// one that is there twice needs some.
pub const MAX_EXTENSIONS: usize = 64;

const TOO_MANY: &str = "has more than 64 CloudEvents extension attributes";

/// What reads the bytes of one header.
type Parse<T> = fn(&Bytes) -> Result<T, Problem>;

pub(crate) fn optional<T>(
    name: &'static str,
    value: Option<&Bytes>,
    parse: Parse<T>,
) -> Result<Option<T>, Malformed> {
    value
        .map(parse)
        .transpose()
        .map_err(|problem| Malformed::header(name, problem))
}

pub(crate) fn required<T>(
    name: &'static str,
    value: Option<&Bytes>,
    parse: Parse<T>,
) -> Result<T, Malformed> {
    optional(name, value, parse)?.ok_or(Malformed::header(name, Problem::Missing))
}

/// The one of two headers that mean the same.
pub(crate) fn either<'a>(
    name: &'static str,
    value: Option<&'a Bytes>,
    other: Option<&'a Bytes>,
) -> Result<Option<&'a Bytes>, Malformed> {
    match (value, other) {
        (Some(_), Some(_)) => Err(Malformed::header(name, Problem::Repeated)),
        (found, None) | (None, found) => Ok(found),
    }
}

pub(crate) fn text(bytes: &Bytes) -> Result<ByteString, Problem> {
    ByteString::try_from(bytes.clone()).map_err(|_| Problem::NotUtf8)
}

/// A text that is checked and shares its bytes.
pub(crate) fn shared<T: TryFrom<ByteString, Error = Invalid>>(bytes: &Bytes) -> Result<T, Problem> {
    Ok(T::try_from(text(bytes)?)?)
}

/// A text that is read into something else.
pub(crate) fn parsed<T: FromStr<Err = Invalid>>(bytes: &Bytes) -> Result<T, Problem> {
    let text = std::str::from_utf8(bytes).map_err(|_| Problem::NotUtf8)?;
    Ok(text.parse()?)
}

pub(crate) fn number(bytes: &Bytes) -> Result<u64, Problem> {
    let number = std::str::from_utf8(bytes)
        .ok()
        .and_then(crate::topics::canonical_number);
    number.ok_or(Problem::Invalid(
        "must be a whole number below 2^64, without sign or leading zero",
    ))
}

pub(crate) fn moment(bytes: &Bytes) -> Result<Timestamp, Problem> {
    const RULE: Problem = Problem::Invalid("must be milliseconds since 1970, without leading zero");
    let text = std::str::from_utf8(bytes).map_err(|_| RULE)?;
    let millis: i64 = text.parse().map_err(|_| RULE)?;
    let digits = text.strip_prefix('-').unwrap_or(text);
    let canonical =
        !text.starts_with('+') && text != "-0" && (digits == "0" || !digits.starts_with('0'));
    if canonical {
        Ok(Timestamp::from_millis(millis))
    } else {
        Err(RULE)
    }
}

/// Collects headers. What must be formatted goes into one buffer that all of them share.
pub(crate) struct Writer {
    headers: Vec<Header>,
    scratch: BytesMut,
}

impl Writer {
    pub(crate) fn new() -> Self {
        Self {
            headers: Vec::with_capacity(16),
            scratch: BytesMut::with_capacity(160),
        }
    }

    pub(crate) fn shared(&mut self, name: &'static str, value: Bytes) {
        self.headers.push(Header::new(name, value));
    }

    pub(crate) fn shared_if(&mut self, name: &'static str, value: Option<Bytes>) {
        if let Some(value) = value {
            self.shared(name, value);
        }
    }

    pub(crate) fn extension(&mut self, name: ByteString, value: Bytes) {
        self.headers.push(Header {
            name,
            value: Some(value),
        });
    }

    pub(crate) fn formatted(&mut self, name: &'static str, value: impl Display) {
        let value = self.bytes_of(value);
        self.shared(name, value);
    }

    pub(crate) fn formatted_if(&mut self, name: &'static str, value: Option<impl Display>) {
        if let Some(value) = value {
            self.formatted(name, value);
        }
    }

    /// The text of `value`, in the shared buffer.
    pub(crate) fn bytes_of(&mut self, value: impl Display) -> Bytes {
        write!(self.scratch, "{value}").expect("a buffer that grows takes every text");
        self.scratch.split().freeze()
    }

    pub(crate) fn version(&mut self) {
        const TEXT: &[u8] = b"1";
        const { assert!(VERSION == 1, "the text follows the number") };
        self.shared(VERSION_HEADER, Bytes::from_static(TEXT));
    }

    pub(crate) fn finish(self, key: Option<Bytes>, value: Bytes) -> Parts {
        Parts {
            key,
            headers: self.headers,
            value: Some(value),
        }
    }
}
