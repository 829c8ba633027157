//! Secrets never leave the program. What a command prints has passed through here, whatever the
//! record: a secret is known by the name of its header or JSON field, or by its own beginning.

mod json;
mod names;
mod tokens;

use bytes::Bytes;
use eventlog_port::{Header, Record};

/// What stands where a secret stood.
const REDACTED: &str = "[redacted]";

/// Takes the secrets out of a record. Whether there were any.
pub(crate) fn redact(record: &mut Record) -> bool {
    let mut found = false;
    for bytes in [&mut record.key, &mut record.value] {
        found |= redact_bytes(bytes);
    }
    for header in &mut record.headers {
        found |= redact_header(header);
    }
    found
}

fn redact_header(header: &mut Header) -> bool {
    if !names::is_secret(header.name()) {
        return redact_bytes(&mut header.value);
    }
    let has_value = header.value.as_ref().is_some_and(|value| !value.is_empty());
    if has_value {
        header.value = Some(Bytes::from_static(REDACTED.as_bytes()));
    }
    has_value
}

fn redact_bytes(bytes: &mut Option<Bytes>) -> bool {
    let redacted = bytes.as_deref().and_then(redacted);
    let found = redacted.is_some();
    if let Some(redacted) = redacted {
        *bytes = Some(redacted.into());
    }
    found
}

/// The bytes without the secrets in them; `None` when there were none.
fn redacted(bytes: &[u8]) -> Option<Vec<u8>> {
    let fields = if json::may_be_json(bytes) {
        json::redacted(bytes)
    } else {
        None
    };
    let tokens = tokens::redacted(fields.as_deref().unwrap_or(bytes));
    tokens.or(fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(name: &'static str, value: &'static str) -> Header {
        Header::new(name, value)
    }

    fn record(headers: Vec<Header>, value: &'static str) -> Record {
        Record {
            offset: 0,
            appended_at: domain::time::Timestamp::from_millis(0),
            key: Some(Bytes::from_static(b"whsec_QUJD")),
            headers,
            value: Some(Bytes::from_static(value.as_bytes())),
        }
    }

    #[test]
    fn keys_headers_and_values_lose_their_secrets() {
        let headers = vec![
            header("Authorization", "Bearer abc"),
            header("postrider", r#"{"secret":"abc"}"#),
            header("ce_id", "1"),
            header("x-api-key", ""),
        ];
        let mut record = record(headers, r#"{"password":"abc","n":1.0}"#);
        assert!(redact(&mut record));
        let text = format!("{record:?}");
        assert!(!text.contains("abc") && !text.contains("QUJD"), "{text}");
        assert_eq!(
            record.value.unwrap(),
            r#"{"password":"[redacted]","n":1.0}"#
        );
        assert_eq!(record.headers[2], header("ce_id", "1"));
        assert_eq!(record.headers[3], header("x-api-key", ""));
    }

    #[test]
    fn a_record_without_secrets_is_left_alone() {
        let mut plain = record(vec![header("a", "b")], "{\"n\": 1e400 , \"k\":[]}");
        plain.key = None;
        let before = plain.clone();
        assert!(!redact(&mut plain));
        assert_eq!(plain, before);
    }
}
