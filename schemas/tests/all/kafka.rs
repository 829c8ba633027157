//! The forms in which Kafka producers write to `inbox`.

use bytes::Bytes;
use schemas::error::{Malformed, Place, Problem};
use schemas::event::Priority;
use schemas::inbox::{Door, InboxEvent};
use schemas::{DecodeError, Header, Parts};

use crate::samples;

fn record(headers: &[(&str, &str)], value: &'static str) -> Parts {
    let header = |(name, value): &(&str, &str)| Header {
        name: (*name).into(),
        value: Some(Bytes::copy_from_slice(value.as_bytes())),
    };
    let headers = headers.iter().map(header).collect();
    Parts {
        key: None,
        headers,
        value: Some(Bytes::from_static(value.as_bytes())),
    }
}

fn read(headers: &[(&str, &str)], value: &'static str) -> Result<InboxEvent, DecodeError> {
    InboxEvent::decode(&record(headers, value))
}

fn endpoint() -> String {
    samples::endpoint().to_string()
}

#[test]
fn the_plain_form() {
    let headers = [
        ("event-type", "order.created"),
        ("endpoint-id", &endpoint()),
        ("idempotency-key", "k"),
        ("ordering-key", "o"),
        ("priority", "low"),
    ];
    let event = read(&headers, "not even JSON").unwrap();
    assert_eq!(
        event.door,
        Door::Kafka {
            endpoint: Some(samples::endpoint())
        }
    );
    assert_eq!(event.envelope.event_type.as_str(), "order.created");
    assert_eq!(event.envelope.source.as_str(), schemas::inbox::PLAIN_SOURCE);
    assert_eq!(event.idempotency_key.unwrap().as_str(), "k");
    assert_eq!(event.ordering_key.unwrap().as_str(), "o");
    assert_eq!(event.priority, Priority::Low);
    assert_eq!(event.payload, "not even JSON");

    let least = read(&[("event-type", "a")], "").unwrap();
    assert_eq!((least.idempotency_key, least.ordering_key), (None, None));
    assert_eq!(least.door, Door::Kafka { endpoint: None });
}

#[test]
fn a_cloud_event_in_binary_mode() {
    let headers = [
        ("ce_specversion", "1.0"),
        ("ce_id", "urn:a.b/1"),
        ("ce_type", "order.created"),
        ("ce_source", "https://example.com/"),
        ("ce_time", "2026-01-02t03:04:05+01:00"),
        ("ce_subject", "s"),
        ("ce_orderingkey", "o"),
        ("ce_endpointid", &endpoint()),
        ("ce_priority", "high"),
        (
            "ce_traceparent",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        ),
        ("content-type", "application/json; charset=utf-8"),
    ];
    let event = read(&headers, "{}").unwrap();
    assert_eq!(
        event.envelope.given_id.as_ref().unwrap().as_str(),
        "urn:a.b/1"
    );
    assert_eq!(
        event.idempotency_key.unwrap().as_str(),
        "ce/20/https://example.com//urn:a.b/1"
    );
    assert_eq!(event.ordering_key.unwrap().as_str(), "o");
    assert_eq!(event.priority, Priority::High);
    assert!(event.envelope.trace_parent.is_some());
    let [subject] = &event.envelope.extensions[..] else {
        panic!("one extension")
    };
    assert_eq!((subject.name(), subject.value()), ("subject", "s"));

    let mut keyed = headers.to_vec();
    keyed.push(("idempotency-key", "mine"));
    assert_eq!(
        read(&keyed, "{}")
            .unwrap()
            .idempotency_key
            .unwrap()
            .as_str(),
        "mine"
    );
    keyed.push(("ce_idempotencykey", "mine too"));
    let twice = Malformed {
        at: Place::Header("idempotency-key".into()),
        problem: Problem::Repeated,
    };
    assert_eq!(read(&keyed, "{}"), Err(twice.into()));
}

const STRUCTURED: (&str, &str) = (
    "content-type",
    "application/cloudevents+json; charset=UTF-8",
);

#[test]
fn a_cloud_event_in_structured_mode() {
    let value = r#"{"specversion":"1.0","id":"1","type":"a.b","source":"/s","number":7,"flag":true,
        "nothing":null,"orderingkey":"o","data":{"big": 12345678901234567890123, "x":1.10}}"#;
    let parts = record(&[STRUCTURED, ("endpoint-id", &endpoint())], value);
    let event = InboxEvent::decode(&parts).unwrap();
    assert_eq!(
        event.payload,
        r#"{"big": 12345678901234567890123, "x":1.10}"#
    );
    assert!(
        parts
            .value
            .unwrap()
            .as_ptr_range()
            .contains(&event.payload.as_ptr()),
        "shared"
    );
    assert_eq!(
        event.door,
        Door::Kafka {
            endpoint: Some(samples::endpoint())
        }
    );
    assert_eq!(event.ordering_key.unwrap().as_str(), "o");
    let extensions: Vec<_> = event
        .envelope
        .extensions
        .iter()
        .map(|e| (e.name(), e.value()))
        .collect();
    assert_eq!(extensions, [("number", "7"), ("flag", "true")]);
}

#[test]
fn structured_data_that_is_no_json() {
    let read = |value| read(&[STRUCTURED], value).map(|event| event.payload);
    let text = r#"{"specversion":"1.0","id":"1","type":"a","source":"/","datacontenttype":"text/xml","data":"<a\/>\u0000"}"#;
    assert_eq!(read(text).unwrap(), "<a/>\0");
    let json = r#"{"specversion":"1.0","id":"1","type":"a","source":"/","data":"<a\/>"}"#;
    assert_eq!(read(json).unwrap(), r#""<a\/>""#);
    let bytes = r#"{"specversion":"1.0","id":"1","type":"a","source":"/","data_base64":"AP8="}"#;
    assert_eq!(read(bytes).unwrap(), &b"\x00\xff"[..]);
}

/// Data is optional (CloudEvents 1.0.2, "Event Data").
#[test]
fn structured_events_without_data_have_an_empty_payload() {
    for value in [
        r#"{"specversion":"1.0","id":"1","type":"a","source":"/"}"#,
        r#"{"specversion":"1.0","id":"1","type":"a","source":"/","data":null}"#,
    ] {
        assert_eq!(read(&[STRUCTURED], value).unwrap().payload, "");
    }
}

#[test]
fn structured_events_that_are_refused() {
    let bad = [
        "",
        "[]",
        "{}",
        r#"{"specversion":"1.0","id":"1","type":"a","source":"/","data":1,"data_base64":""}"#,
        r#"{"specversion":"1.0","id":"1","type":"a","source":"/","data":1,"data":1}"#,
        r#"{"specversion":"1.0","id":"1","id":"2","type":"a","source":"/","data":1}"#,
        r#"{"specversion":"1.0","id":{},"type":"a","source":"/","data":1}"#,
        r#"{"specversion":"1.0","id":"1","type":"a","source":"/","data_base64":"?"}"#,
        r#"{"specversion":"1.0","id":"1","type":"a","source":"/","data_base64":1}"#,
        r#"{"specversion":"1.0","id":"1","type":"a","source":"/","Data":1}"#,
        r#"{"specversion":"1.0","id":"1","type":"a","source":"/","data":1,"x":"\ud800"}"#,
        r#"{"specversion":"1.0","id":"1","type":"a","source":"/","data":1,"datacontenttype":"application/cloudevents"}"#,
    ];
    for value in bad {
        let result = read(&[STRUCTURED], value);
        assert!(
            matches!(result, Err(DecodeError::Malformed(_))),
            "{value}: {result:?}"
        );
    }
    let batch = read(
        &[("content-type", "application/cloudevents-batch+json")],
        "[]",
    );
    assert!(batch.is_err());
    let tombstone = Parts {
        value: None,
        ..record(&[STRUCTURED], "")
    };
    assert!(InboxEvent::decode(&tombstone).is_err());
}

#[test]
fn what_is_none_of_them_is_refused() {
    let unknown = Malformed {
        at: Place::Record,
        problem: Problem::NoKnownForm,
    };
    assert_eq!(read(&[], "{}"), Err(unknown.clone().into()));
    assert_eq!(InboxEvent::decode(&Parts::default()), Err(unknown.into()));
    let tombstone = Parts {
        value: None,
        ..record(&[("event-type", "a")], "")
    };
    let missing = Malformed {
        at: Place::Value,
        problem: Problem::Missing,
    };
    assert_eq!(InboxEvent::decode(&tombstone), Err(missing.into()));
    for (name, value) in [("event-type", ""), ("endpoint-id", "x"), ("priority", "1")] {
        let mut headers = vec![("event-type", "a")];
        headers.retain(|(other, _)| *other != name);
        headers.push((name, value));
        assert!(read(&headers, "").is_err(), "{name}");
    }
}

#[test]
fn a_kafka_producer_reaches_no_field_of_ours() {
    let forged = [
        ("event-type", "a"),
        ("tenant", "somebody-else"),
        ("routes", "[]"),
        ("given-id", "g"),
        ("control", "99"),
    ];
    let event = read(&forged, "").unwrap();
    assert_eq!(event, read(&[("event-type", "a")], "").unwrap());
}
