//! A record as a file that people can read: one line a part.
//!
//! ```text
//! topic events
//! key ep_…
//! header ce_id evt_…
//! header-null x           Kafka's null
//! value {"v":1,…}         UTF-8 without line breaks
//! value64 AAEC            any other bytes, base64
//! ```
//! A record without a key or without a value has no such line.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use schemas::topics::Topic;
use schemas::{Header, Parts};

pub(crate) fn write(topic: Topic, parts: &Parts) -> String {
    let mut text = format!("topic {topic}\n");
    if let Some(key) = &parts.key {
        line(&mut text, "key", "", key);
    }
    for Header { name, value } in &parts.headers {
        match value {
            Some(value) => line(&mut text, "header", &format!("{name} "), value),
            None => writeln!(text, "header-null {name}").unwrap(),
        }
    }
    if let Some(value) = &parts.value {
        line(&mut text, "value", "", value);
    }
    text
}

fn line(to: &mut String, part: &str, name: &str, bytes: &[u8]) {
    match std::str::from_utf8(bytes) {
        Ok(text) if !text.contains(['\n', '\r']) => writeln!(to, "{part} {name}{text}").unwrap(),
        Ok(_) | Err(_) => writeln!(to, "{part}64 {name}{}", BASE64.encode(bytes)).unwrap(),
    }
}

pub(crate) fn read(text: &str) -> (Topic, Parts) {
    let mut topic = None;
    let mut parts = Parts::default();
    for line in text.split_terminator('\n') {
        let (part, rest) = line.split_once(' ').unwrap();
        match part {
            "topic" => topic = Some(rest.parse().unwrap()),
            "key" | "key64" => parts.key = Some(bytes(part, rest)),
            "value" | "value64" => parts.value = Some(bytes(part, rest)),
            "header" | "header64" => {
                let (name, value) = rest.split_once(' ').unwrap();
                let value = Some(bytes(part, value));
                parts.headers.push(Header {
                    name: name.into(),
                    value,
                });
            }
            "header-null" => parts.headers.push(Header {
                name: rest.into(),
                value: None,
            }),
            other => panic!("no part of a record: {other}"),
        }
    }
    (topic.unwrap(), parts)
}

fn bytes(part: &str, text: &str) -> Bytes {
    if part.ends_with("64") {
        BASE64.decode(text).unwrap().into()
    } else {
        Bytes::copy_from_slice(text.as_bytes())
    }
}

#[test]
fn a_fixture_keeps_every_byte() {
    let header = |value| Header {
        name: "x".into(),
        value,
    };
    let parts = Parts {
        key: Some(Bytes::from_static(b"\xff\x00")),
        headers: vec![
            header(None),
            header(Some(Bytes::new())),
            header(Some("a b\n".into())),
        ],
        value: Some(Bytes::new()),
    };
    assert_eq!(read(&write(Topic::Inbox, &parts)), (Topic::Inbox, parts));
    let nothing = Parts::default();
    assert_eq!(
        read(&write(Topic::Inbox, &nothing)),
        (Topic::Inbox, nothing)
    );
}
