//! What is written is read back the same; whatever is read, nothing panics.

use crate::any::{bytes, text};
use crate::records::log_record;
use crate::samples;
use bytes::Bytes;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use schemas::record::Record;
use schemas::topics::Topic;
use schemas::{Header, Parts};

fn header() -> BoxedStrategy<Header> {
    let known = select(schemas::headers::ALL.to_vec()).prop_map(str::to_owned);
    let name = prop_oneof![4 => known, 1 => text(), 1 => text().prop_map(|t| format!("ce_{t}"))];
    let value = prop_oneof![
        4 => select(VALUES.to_vec()).prop_map(Bytes::from),
        2 => text().prop_map(Bytes::from),
        1 => bytes(),
    ];
    (name, option::weighted(0.9, value))
        .prop_map(|(name, value)| Header {
            name: name.into(),
            value,
        })
        .boxed()
}

/// Header values that get far.
const VALUES: &[&str] = &[
    "1",
    "1.0",
    "0",
    "[]",
    "a",
    "high",
    "application/cloudevents+json",
    "inbox/0/1",
    r#"{"v":1,"kind":"fence","owner":"a"}"#,
    r#"{"v":1,"kind":"retry"}"#,
    r#"{"v":2}"#,
    r#"{"id":"1","data":[],"type":"a"}"#,
    "2026-01-02T03:04:05Z",
    "ep_01234567-89ab-7000-8000-000000000000",
];

fn hostile() -> BoxedStrategy<Parts> {
    let key = prop_oneof![
        bytes(),
        Just(Bytes::from("ep_01234567-89ab-7000-8000-000000000000"))
    ];
    let value = prop_oneof![bytes(), select(VALUES.to_vec()).prop_map(Bytes::from)];
    (option::of(key), vec(header(), 0..24), option::of(value))
        .prop_map(|(key, headers, value)| Parts {
            key,
            headers,
            value,
        })
        .boxed()
}

fn flipped(bytes: &Bytes, at: usize, bit: u8) -> Bytes {
    let mut bytes = bytes.to_vec();
    if !bytes.is_empty() {
        let at = at % bytes.len();
        bytes[at] ^= 1 << (bit % 8);
    }
    bytes.into()
}

/// A sample with one thing about it changed.
fn damaged(mut parts: Parts, how: u8, at: usize, bit: u8, extra: Header) -> Parts {
    let i = at % parts.headers.len().max(1);
    match how % 7 {
        0 => parts.value = parts.value.map(|value| flipped(&value, at, bit)),
        1 => {
            parts.value = parts
                .value
                .map(|value| value.slice(..at % (value.len() + 1)))
        }
        2 => parts.key = parts.key.map(|key| flipped(&key, at, bit)),
        3 if !parts.headers.is_empty() => {
            let value = parts.headers[i].value.take();
            parts.headers[i].value = value.map(|value| flipped(&value, at, bit));
        }
        4 if !parts.headers.is_empty() => drop(parts.headers.remove(i)),
        5 => parts.value = None,
        _ => parts.headers.insert(i.min(parts.headers.len()), extra),
    }
    parts
}

/// Reads `parts` as every topic's; what is read can be written, and is then read as the same.
fn survives(parts: &Parts) -> Result<(), TestCaseError> {
    for topic in Topic::all() {
        if let Ok(record) = Record::decode(topic, parts) {
            prop_assert_eq!(Record::decode(topic, &record.encode()), Ok(record));
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_is_read_back((topic, record) in log_record()) {
        let parts = record.encode();
        let read = Record::decode(topic, &parts);
        prop_assert_eq!(&read, &Ok(record));
        prop_assert_eq!(read.unwrap().encode(), parts);
    }

    #[test]
    fn any_bytes_are_read_or_refused(parts in hostile()) {
        survives(&parts)?;
    }

    #[test]
    fn any_json_is_read_or_refused(json in vec(select(JSON.to_vec()), 0..24)) {
        let json = Bytes::from(json.concat());
        let headers = vec![Header { name: "postrider".into(), value: Some(json.clone()) }];
        survives(&Parts { key: None, headers, value: Some(json) })?;
    }

    #[test]
    fn a_damaged_record_is_read_or_refused(
        sample in select(samples::all()),
        (how, at, bit) in any::<(u8, usize, u8)>(),
        extra in header(),
    ) {
        let (_, _, record) = sample;
        survives(&damaged(record.encode(), how, at, bit, extra))?;
    }
}

/// Pieces that JSON is made of.
const JSON: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"v\":1,",
    "\"kind\":",
    "\"fence\",",
    "\"owner\":\"a\"",
    "\"",
    "null",
    "1e999",
    "18446744073709551616",
    "-0",
    "\\u0000",
    "\\ud800",
    "\"lane\"",
    "\u{0}",
];
