//! What one attempt came to.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::scalar::{At, Blob};

/// The most of a response's body that is kept, in bytes.
pub const MAX_BODY: usize = 16 * 1_024;

/// One request to a receiver, and what came back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Attempt {
    /// Its number in the delivery, from 1.
    pub number: u32,
    /// When it began, by the wall clock.
    pub started_at: At,
    /// How long it took, in microseconds, from the first byte of a new connection to the last of
    /// the body.
    pub duration_us: u64,
    /// What it came to.
    pub result: AttemptResult,
    /// The response's status code; absent: none came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// What went wrong, when there is more to say than the status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<AttemptError>,
    /// The response's headers, name and value, in order; what is not UTF-8 is replaced.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<(String, String)>,
    /// The front of the response's body, at most [`MAX_BODY`] bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Blob>,
    /// The ids of the signing keys used.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<String>,
    /// The address and port that were connected to; absent: none was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
}

/// What an attempt came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AttemptResult {
    /// A 2xx.
    Succeeded,
    /// Anything else.
    Failed,
    /// The owner stopped before it knew. Spends no number.
    Unknown,
}

/// What went wrong on the way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AttemptError {
    /// The class, for filters and metrics.
    pub class: ErrorClass,
    /// What happened, for people.
    pub message: String,
}

/// Where on the way an attempt failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ErrorClass {
    /// The name could not be resolved.
    Dns,
    /// An address that may not be dialled.
    ForbiddenAddress,
    /// No connection.
    Connect,
    /// The TLS handshake failed, or a certificate was not accepted.
    Tls,
    /// A limit of time was reached, whichever.
    Timeout,
    /// The connection broke.
    Reset,
    /// What came back is not HTTP.
    Protocol,
    /// A status that is no success, with nothing more to say.
    Status,
}
