//! `custom_headers`. Values may be credentials: no answer and no error quotes one.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "JSON has no kinds of values to come: what isn't taken is refused"
)]

use domain::custom_headers::{BadHeader, MAX, check};
use domain::sealing::OVERHEAD;
use serde_json::{Map, Value};

use super::draft::HeaderValue;
use super::faults::pointer;
use super::read::Reading;
use crate::limits::MAX_CUSTOM_HEADERS;

/// What stands for a value in answers.
pub(super) const MASK: &str = "***";

pub(super) fn custom_headers(reading: &mut Reading<'_>, at: &str, value: &Value) {
    match value {
        Value::Null => reading.draft.custom_headers.clear(),
        Value::Object(given) => merge(reading, at, given),
        _ => reading.faults.invalid(at, "must be an object of texts"),
    }
}

fn merge(reading: &mut Reading<'_>, at: &str, given: &Map<String, Value>) {
    let mut seen = std::collections::BTreeSet::new();
    for (name, value) in given {
        let lower = name.to_ascii_lowercase();
        let at = pointer(at, name);
        if !seen.insert(lower.clone()) {
            reading
                .faults
                .invalid(at, "is given twice: names are alike without case");
            continue;
        }
        match value {
            Value::Null => drop(reading.draft.custom_headers.remove(&lower)),
            Value::String(text) => match refused(&lower, text) {
                None => {
                    let given = HeaderValue::Given(text.clone());
                    reading.draft.custom_headers.insert(lower, given);
                }
                Some(why) => reading.faults.invalid(at, why),
            },
            _ => reading.faults.invalid(at, "must be a text"),
        }
    }
    let headers = &reading.draft.custom_headers;
    if headers.len() > MAX {
        reading
            .faults
            .invalid(at, format!("must be at most {MAX} headers"));
    }
    let length = |value: &HeaderValue| match value {
        HeaderValue::Given(text) => text.len(),
        HeaderValue::Kept(sealed) => sealed.0.len().saturating_sub(OVERHEAD),
    };
    let bytes: usize = headers
        .iter()
        .map(|(name, value)| name.len() + length(value))
        .sum();
    if bytes > MAX_CUSTOM_HEADERS {
        let rule = format!("must come to at most {MAX_CUSTOM_HEADERS} bytes, names and values");
        reading.faults.invalid(at, rule);
    }
}

/// Why a header can't be added.
fn refused(name: &str, value: &str) -> Option<String> {
    if value == MASK {
        // Somebody sends back what was shown: it would replace the value by its mask.
        return Some("has the mask as its value, which reads show in place of it".to_owned());
    }
    check(name, value)
        .err()
        .map(|bad: BadHeader| bad.to_string())
}
