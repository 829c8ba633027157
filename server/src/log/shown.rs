//! A record as it is shown: without its secrets.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use eventlog_port::{Record, TopicPartition};
use serde::Serialize;

use crate::output::{rfc3339, safe, safe_text};
use crate::redact::redact;

/// What people read above the columns of [`Shown::line`].
pub(super) const HEADINGS: &str =
    "TIME                      PARTITION  OFFSET  KEY       HEADERS  VALUE";

/// A record without its secrets. Whatever prints a record prints this.
pub(super) struct Shown<'a> {
    partition: &'a TopicPartition,
    record: Record,
    redacted: bool,
}

impl<'a> Shown<'a> {
    pub(super) fn new(partition: &'a TopicPartition, mut record: Record) -> Self {
        let redacted = redact(&mut record);
        Self {
            partition,
            record,
            redacted,
        }
    }

    /// One line for people, safe for a terminal. `-` stands for what isn't there.
    pub(super) fn line(&self) -> String {
        let Record {
            offset,
            appended_at,
            key,
            headers,
            value,
        } = &self.record;
        let shown = |bytes: &Option<Bytes>| bytes.as_deref().map_or("-".to_owned(), safe);
        let pairs = headers
            .iter()
            .map(|h| format!("{}={}", safe_text(h.name()), shown(&h.value)));
        let pairs: Vec<String> = pairs.collect();
        let pairs = if pairs.is_empty() {
            "-".to_owned()
        } else {
            pairs.join(" ")
        };
        format!(
            "{:<24}  {:>9}  {offset:>6}  {:<8}  {pairs:<7}  {}",
            rfc3339(*appended_at),
            self.partition.partition(),
            shown(key),
            shown(value)
        )
    }

    /// One JSON object for programs. Exact, but for secrets.
    pub(super) fn json(&self) -> impl Serialize {
        let Record {
            offset,
            appended_at,
            key,
            headers,
            value,
        } = &self.record;
        let (key, key_encoding) = text(key.as_ref());
        let (value, value_encoding) = text(value.as_ref());
        let header = |header: &eventlog_port::Header| {
            let (value, encoding) = text(header.value.as_ref());
            JsonHeader {
                name: header.name().to_owned(),
                value,
                encoding,
            }
        };
        JsonRecord {
            topic: self.partition.topic().to_owned(),
            partition: self.partition.partition(),
            offset: *offset,
            time: rfc3339(*appended_at),
            key,
            key_encoding,
            headers: headers.iter().map(header).collect(),
            value,
            value_encoding,
            redacted: self.redacted,
        }
    }
}

/// A record in JSON. Bytes that are not UTF-8 are base64, and then the encoding says so.
#[derive(Serialize)]
struct JsonRecord {
    topic: String,
    partition: u32,
    offset: u64,
    time: String,
    key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_encoding: Option<Encoding>,
    headers: Vec<JsonHeader>,
    value: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value_encoding: Option<Encoding>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    redacted: bool,
}

#[derive(Serialize)]
struct JsonHeader {
    name: String,
    value: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    encoding: Option<Encoding>,
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Encoding {
    Base64,
}

fn text(bytes: Option<&Bytes>) -> (Option<String>, Option<Encoding>) {
    match bytes.map(|bytes| std::str::from_utf8(bytes).map_err(|_| bytes)) {
        None => (None, None),
        Some(Ok(text)) => (Some(text.to_owned()), None),
        Some(Err(bytes)) => (Some(BASE64.encode(bytes)), Some(Encoding::Base64)),
    }
}
