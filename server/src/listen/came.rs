//! A request that came, as it is printed.

use axum::body::Bytes;
use domain::time::Timestamp;
use http::{HeaderMap, Method, Uri};
use serde::Serialize;

use super::verdict::Verdict;
use crate::output::{rfc3339, safe};

/// How much of a body people are shown, in bytes.
const SHOWN: usize = 400;

/// A request and what it was answered.
pub(super) struct Came {
    pub(super) at: Timestamp,
    pub(super) method: Method,
    pub(super) uri: Uri,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    pub(super) verdict: Verdict,
    pub(super) status: u16,
}

/// The same for programs.
#[derive(Serialize)]
pub(super) struct Line<'a> {
    time: String,
    method: &'a str,
    path: String,
    event_type: Option<String>,
    event_id: Option<String>,
    delivery_id: Option<String>,
    attempt: Option<u32>,
    signature: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<&'a str>,
    bytes: usize,
    status: u16,
    body: String,
}

impl Came {
    /// As people read it.
    pub(super) fn lines(&self, full: bool) -> Vec<String> {
        let said = |name: &str| self.header(name).unwrap_or_else(|| "-".to_owned());
        let time = rfc3339(self.at);
        let clock = time.get(11..23).unwrap_or(&time);
        let signature = match &self.verdict {
            Verdict::NotAsked => "signature not checked".to_owned(),
            Verdict::Valid => "signature valid".to_owned(),
            Verdict::Invalid(why) => format!("SIGNATURE REFUSED: {why}"),
        };
        let first = format!(
            "{clock}  {} {}  {}  {}  attempt {}  {} bytes  {signature}  -> {}",
            self.method,
            safe(self.uri.path().as_bytes()),
            said("x-webhook-event-type"),
            said("webhook-id"),
            said("webhook-attempt"),
            self.body.len(),
            self.status
        );
        let shown = match full {
            true => self.body.len(),
            false => self.body.len().min(SHOWN),
        };
        let rest = match self.body.len() - shown {
            0 => String::new(),
            rest => format!("… {rest} bytes more"),
        };
        vec![first, format!("    {}{rest}", safe(&self.body[..shown]))]
    }

    /// For programs.
    pub(super) fn line(&self) -> Line<'_> {
        let (signature, problem) = match &self.verdict {
            Verdict::NotAsked => ("unchecked", None),
            Verdict::Valid => ("valid", None),
            Verdict::Invalid(why) => ("invalid", Some(why.as_str())),
        };
        Line {
            time: rfc3339(self.at),
            method: self.method.as_str(),
            path: self.uri.to_string(),
            event_type: self.header("x-webhook-event-type"),
            event_id: self.header("webhook-id"),
            delivery_id: self.header("x-webhook-id"),
            attempt: self.header("webhook-attempt").and_then(|n| n.parse().ok()),
            signature,
            problem,
            bytes: self.body.len(),
            status: self.status,
            body: String::from_utf8_lossy(&self.body).into_owned(),
        }
    }

    fn header(&self, name: &str) -> Option<String> {
        Some(safe(self.headers.get(name)?.as_bytes()))
    }
}
