//! Whether a request's signature is that of a secret.

use anyhow::Result;
use axum::body::Bytes;
use domain::time::Timestamp;
use http::HeaderMap;

/// What is said of a signature.
pub(super) enum Verdict {
    /// No secret was given.
    NotAsked,
    /// It is that of a secret, and fresh.
    Valid,
    /// It is not; why.
    Invalid(String),
}

/// The secrets that are known.
pub(super) struct Secrets(Vec<String>);

impl Secrets {
    /// These.
    pub(super) fn new(secrets: &[String]) -> Result<Self> {
        Ok(Self(secrets.to_vec()))
    }

    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether any of them made the signature.
    pub(super) fn verdict(&self, _headers: &HeaderMap, _body: &Bytes, _now: Timestamp) -> Verdict {
        match self.is_empty() {
            true => Verdict::NotAsked,
            false => Verdict::Invalid("not yet".to_owned()),
        }
    }
}
