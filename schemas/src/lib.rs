//! What rides in the log: ids, record types, and how each is written and read back.
//!
//! A record is [`Parts`]: a key, headers, a value. Each topic has one type whose `encode` makes parts
//! and whose `decode` reads them:
//!
//! | topic | type | its metadata | its value |
//! |---|---|---|---|
//! | `inbox` | [`InboxEvent`](inbox::InboxEvent) | headers | payload |
//! | `routed` | [`Routed`](routed::Routed) | | JSON |
//! | `events` | [`Accepted`](accepted::Accepted) | headers | payload |
//! | `retry.<tier>` | [`RetryRecord`](retry::RetryRecord) | headers, one of them JSON | payload |
//! | `attempts` | [`AttemptsRecord`](attempts::AttemptsRecord) | | JSON |
//! | `dead-letters` | [`DeadLetterRecord`](dead_letter::DeadLetterRecord) | headers, one of them JSON | payload |
//! | `requests` | [`Request`](request::Request) | | JSON |
//! | `progress` | [`ProgressRecord`](progress::ProgressRecord) | | JSON |
//! | `control` | [`Fact`](control::Fact) | | JSON |
//! | `quarantine` | [`Quarantined`](quarantine::Quarantined) | one header, JSON | what it was |
//!
//! [`Record`](record::Record) is any of them, for tools that read every topic.
//!
//! `docs/protocol.md`, section "Records", says who writes each field and what readers do with it.
//!
//! # Versions
//! Every record of ours names its version. [`DecodeError::UnknownVersion`] is a newer program's
//! record, and stops the partition; [`DecodeError::Malformed`] is no record of ours, and goes to
//! quarantine. Within a version nothing changes: a member more, a kind more, a looser rule is a new
//! version, which is written only once every node reads it.
//!
//! `fixtures/v1/` holds each kind of record as it lies in the log, `json/v1/` the JSON Schemas
//! (2020-12). Both are frozen at the first release, and may change until then; this writes them anew:
//!
//! ```text
//! UPDATE=1 cargo test -p schemas
//! ```
//!
//! # Numbers
//! Offsets, epochs and times are JSON integers of up to 64 bits. A reader that keeps numbers as
//! doubles (JavaScript, `jq` before 1.7) is exact up to 2^53 only.
//!
//! # Bytes
//! Payloads are opaque. Decoding shares the bytes that it was given and encoding shares those it is
//! given; nothing here copies a payload, but for a CloudEvent in structured mode whose data is not JSON.

pub mod accepted;
pub mod actor;
pub mod attempt;
pub mod attempts;
pub mod control;
pub mod dead_letter;
pub mod delivery;
mod document;
pub mod error;
pub mod event;
pub mod fence;
pub mod headers;
pub mod ids;
pub mod inbox;
pub mod json_schema;
pub mod lane;
pub mod origin;
pub mod parts;
pub mod progress;
pub mod quarantine;
pub mod record;
pub mod request;
pub mod retry;
pub mod routed;
pub mod scalar;
pub mod text;
pub mod topics;

pub use error::{DecodeError, Malformed, VERSION};
pub use parts::{Header, Parts};
