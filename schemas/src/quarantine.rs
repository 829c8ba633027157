//! `quarantine`: what others wrote and could not be decoded.

use bytes::Bytes;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::document::{self, documents};
use crate::error::{DecodeError, Malformed};
use crate::headers::{self, Found, Writer};
use crate::origin::Position;
use crate::parts::Parts;
use crate::scalar::{At, Blob};

documents! {
    /// The JSON of a record of `quarantine`.
    pub(crate) enum QuarantineJson {
        /// A record that could not be decoded.
        "quarantined" => Quarantined(Report),
    }
}

/// A record of `quarantine`. Its value is the record's own, so that a tool can look at it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quarantined {
    /// What it was and why it is here.
    pub report: Report,
    /// The front of the record's value, as much of it as fits; empty when it had none.
    pub value: Bytes,
}

/// What a record was, and why it could not be decoded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// Where it lies.
    pub origin: Position,
    /// When it was appended there.
    pub appended_at: At,
    /// What was wrong, and where.
    pub why: String,
    /// Its key; absent: it had none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Piece>,
    /// Its first headers, in order, as many as fit.
    pub headers: Vec<ForeignHeader>,
    /// How many further headers it had.
    pub headers_left_out: u64,
    /// Its value's length in bytes; absent: it was a tombstone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value_length: Option<u64>,
    /// The SHA-256 of the whole value, in hex; there when the value is cut.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value_sha256: Option<String>,
}

/// A header of somebody else's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ForeignHeader {
    /// Its name.
    pub name: Piece,
    /// Its value; absent: Kafka's null.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Piece>,
}

/// Bytes that may be cut.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Piece {
    /// The front of them.
    pub bytes: Blob,
    /// How many there were, and their SHA-256 in hex; there when they are cut.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cut: Option<Cut>,
}

/// What a cut left out can be recognised by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Cut {
    /// How many bytes there were.
    pub length: u64,
    /// The SHA-256 of all of them, in hex.
    pub sha256: String,
}

/// The most bytes of a key, and of a header's name or value, that are kept.
pub const MAX_PIECE: usize = 4 * 1_024;

/// The most headers that are kept. With [`MAX_PIECE`] they stay under the room that topics have
/// above the ingest limit (512 KiB), written as base64 too.
pub const MAX_HEADERS: usize = 40;

impl Quarantined {
    /// What is kept of `parts`, which lies at `origin`; of its value at most `max_value` bytes.
    #[must_use]
    pub fn of(
        parts: &Parts,
        origin: Position,
        appended_at: At,
        why: &Malformed,
        max_value: usize,
    ) -> Self {
        let whole = parts.value.clone().unwrap_or_default();
        let value = whole.slice(..whole.len().min(max_value));
        let kept = parts
            .headers
            .iter()
            .take(MAX_HEADERS)
            .map(|header| ForeignHeader {
                name: Piece::of(header.name.as_bytes()),
                value: header.value.as_ref().map(Piece::of),
            });
        let report = Report {
            origin,
            appended_at,
            why: why.to_string(),
            key: parts.key.as_ref().map(Piece::of),
            headers: kept.collect(),
            headers_left_out: parts.headers.len().saturating_sub(MAX_HEADERS) as u64,
            value_length: parts.value.as_ref().map(|value| value.len() as u64),
            value_sha256: (value.len() < whole.len()).then(|| sha256(&whole)),
        };
        Self { report, value }
    }

    /// The record as it is appended, keyed by its origin.
    #[must_use]
    pub fn encode(&self) -> Parts {
        let mut to = Writer::new();
        let key = to.bytes_of(self.report.origin);
        let json = document::write(QuarantineJson::QUARANTINED, &self.report);
        to.shared(headers::JSON, json.into());
        to.finish(Some(key), self.value.clone())
    }

    /// Reads a record of `quarantine`.
    ///
    /// # Errors
    /// A version that this program does not know, or a record that nobody of ours wrote.
    pub fn decode(parts: &Parts) -> Result<Self, DecodeError> {
        let QuarantineJson::Quarantined(report) = document::read_header(&Found::of(parts)?)?;
        Ok(Self {
            report,
            value: crate::event::payload(parts.value.as_ref())?,
        })
    }
}

impl QuarantineJson {
    const QUARANTINED: &'static str = "quarantined";
}

impl Piece {
    fn of(whole: &Bytes) -> Self {
        let bytes = Blob(whole.slice(..whole.len().min(MAX_PIECE)));
        let is_cut = bytes.0.len() < whole.len();
        let cut = is_cut.then(|| Cut {
            length: whole.len() as u64,
            sha256: sha256(whole),
        });
        Self { bytes, cut }
    }
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
