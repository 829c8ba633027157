//! Whether a request's signature is that of a secret.

use anyhow::Result;
use axum::body::Bytes;
use domain::signing::{Secret, verify_standard, verify_stripe};
use domain::time::Timestamp;
use http::HeaderMap;

use crate::exit::WrongUse;

/// How old a signature may be, either way, in seconds.
const TOLERANCE: i64 = 300;

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
pub(super) struct Secrets(Vec<Secret>);

impl Secrets {
    /// These.
    ///
    /// # Errors
    /// When one can be none; it is not quoted.
    pub(super) fn new(secrets: &[String]) -> Result<Self> {
        let parsed = secrets.iter().map(|text| {
            Secret::parse(text).map_err(|error| WrongUse(format!("--secret: {error}")).into())
        });
        parsed.collect::<Result<_>>().map(Self)
    }

    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether any of them made the signature: Standard Webhooks' form where it is there, else the
    /// older one.
    pub(super) fn verdict(&self, headers: &HeaderMap, body: &Bytes, now: Timestamp) -> Verdict {
        if self.is_empty() {
            return Verdict::NotAsked;
        }
        let secrets: Vec<_> = self.0.iter().collect();
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let now = now.as_millis().div_euclid(1_000);
        let standard = (
            text("webhook-id"),
            text("webhook-timestamp"),
            text("webhook-signature"),
        );
        let verified = match (standard, text("x-webhook-signature")) {
            ((Some(id), Some(timestamp), Some(signatures)), _) => {
                verify_standard(&secrets, id, timestamp, signatures, body, now, TOLERANCE)
            }
            (_, Some(header)) => verify_stripe(&secrets, header, body, now, TOLERANCE),
            _ => return Verdict::Invalid("there is no signature".to_owned()),
        };
        match verified {
            Ok(_) => Verdict::Valid,
            Err(error) => Verdict::Invalid(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use domain::signing::standard;
    use http::HeaderValue;

    use super::*;

    #[test]
    fn only_what_a_secret_signed_is_valid() {
        let text = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        let secrets = Secrets::new(&[text.to_owned()]).unwrap();
        let signature = standard(&secrets.0[0], "evt_1", 1_000, b"{}");
        let mut headers = HeaderMap::new();
        headers.insert("webhook-id", HeaderValue::from_static("evt_1"));
        headers.insert("webhook-timestamp", HeaderValue::from_static("1000"));
        headers.insert("webhook-signature", signature.parse().unwrap());
        let at = |body: &'static [u8], seconds: i64| {
            let now = Timestamp::from_millis(seconds * 1_000);
            secrets.verdict(&headers, &Bytes::from_static(body), now)
        };
        assert!(matches!(at(b"{}", 1_010), Verdict::Valid));
        assert!(matches!(at(b"{ }", 1_010), Verdict::Invalid(_)));
        assert!(matches!(at(b"{}", 2_000), Verdict::Invalid(_)));
        let none = secrets.verdict(&HeaderMap::new(), &Bytes::new(), Timestamp::from_millis(0));
        assert!(matches!(none, Verdict::Invalid(_)));
    }
}
