//! The checker's own reading of records.

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::history::Record;

/// The last value of a header, as text.
pub(crate) fn header<'a>(record: &'a Record, name: &str) -> Option<&'a str> {
    let found = record.headers.iter().rev().find(|(found, _)| found == name);
    found
        .and_then(|(_, value)| value.as_deref())
        .and_then(|value| std::str::from_utf8(value).ok())
}

/// A header that is a number.
pub(crate) fn number(record: &Record, name: &str) -> Option<u64> {
    header(record, name)?.parse().ok()
}

/// The JSON of a record that is nothing else.
pub(crate) fn document(record: &Record) -> Option<Value> {
    serde_json::from_slice(record.value.as_deref()?).ok()
}

/// The JSON beside a payload.
pub(crate) fn beside(record: &Record) -> Option<Value> {
    serde_json::from_str(header(record, "postrider")?).ok()
}

/// The record's key, as text.
pub(crate) fn key(record: &Record) -> &str {
    record
        .key
        .as_deref()
        .and_then(|key| std::str::from_utf8(key).ok())
        .unwrap_or_default()
}

/// The payload; empty where there is none.
pub(crate) fn payload(record: &Record) -> &[u8] {
    record.value.as_deref().unwrap_or_default()
}

/// The text at `path` in `value`; empty where there is none.
pub(crate) fn text<'a>(value: &'a Value, path: &str) -> &'a str {
    value.pointer(path).and_then(Value::as_str).unwrap_or("")
}

/// The number at `path` in `value`.
pub(crate) fn count(value: &Value, path: &str) -> Option<u64> {
    value.pointer(path).and_then(Value::as_u64)
}

/// The time at `path` in `value`.
pub(crate) fn time(value: &Value, path: &str) -> Option<i64> {
    value.pointer(path).and_then(Value::as_i64)
}

/// A position's parts.
pub(crate) fn position(text: &str) -> Option<(&str, u32, u64)> {
    let mut parts = text.split('/');
    let topic = parts.next()?;
    let partition = parts.next()?.parse().ok()?;
    let offset = parts.next()?.parse().ok()?;
    parts.next().is_none().then_some((topic, partition, offset))
}

/// The id of a first delivery of what was accepted `at`, as `DeliveryId` says it is derived: once given out it keeps its
/// meaning.
pub(crate) fn delivery_id(acceptance: &str, at: i64, endpoint: &str) -> Option<String> {
    let (topic, partition, offset) = position(acceptance)?;
    let hex: String = endpoint.strip_prefix("ep_")?.split('-').collect();
    let uuid = u128::from_str_radix(&hex, 16).ok()?;
    let mut hash = Sha256::new();
    hash.update(b"postrider delivery 2\0");
    hash.update([u8::from(topic == "inbox")]);
    hash.update(partition.to_be_bytes());
    hash.update(offset.to_be_bytes());
    hash.update(uuid.to_be_bytes());
    hash.update([0; 16]);
    let digest = hash.finalize();
    let drawn = digest.iter().take(16);
    let drawn = drawn.fold(0, |sum: u128, byte| sum << 8 | u128::from(*byte));
    let millis = u128::try_from(at.clamp(0, (1 << 48) - 1)).ok()?;
    let (middle, last) = (drawn >> 62 & 0xfff, drawn & ((1 << 62) - 1));
    let hex = format!("{millis:012x}8{middle:03x}{:016x}", 2 << 62 | last);
    let (a, b, c) = (&hex[..8], &hex[8..12], &hex[12..16]);
    Some(format!("dlv_{a}-{b}-{c}-{}-{}", &hex[16..20], &hex[20..]))
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_delivery_is_called_as_the_fixtures_call_it() {
        let endpoint = "ep_019b7ca9-8f2e-7000-8000-00000000002a";
        assert_eq!(
            super::delivery_id("inbox/5/9007199254740993", 1_767_323_045_678, endpoint).as_deref(),
            Some("dlv_019b7ca9-8f2e-8beb-a704-ebfe1b35c835")
        );
    }
}
