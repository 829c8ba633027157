//! What is no record of ours is refused, and says why; what a newer program wrote stops the reader.

use bytes::Bytes;
use schemas::accepted::Accepted;
use schemas::attempts::AttemptsRecord;
use schemas::error::{JsonFault, Malformed, Place, Problem};
use schemas::inbox::InboxEvent;
use schemas::progress::ProgressRecord;
use schemas::retry::RetryRecord;
use schemas::{DecodeError, Header, Parts};

use crate::samples;

fn with(mut parts: Parts, name: &'static str, value: &'static str) -> Parts {
    parts.headers.retain(|header| header.name != name);
    parts.headers.push(Header {
        name: name.into(),
        value: Some(Bytes::from(value)),
    });
    parts
}

fn without(mut parts: Parts, name: &str) -> Parts {
    parts.headers.retain(|header| header.name != name);
    parts
}

fn event() -> Parts {
    samples::accepted().encode()
}

fn refusal(parts: &Parts) -> Malformed {
    match Accepted::decode(parts) {
        Err(DecodeError::Malformed(malformed)) => malformed,
        other => panic!("not malformed: {other:?}"),
    }
}

#[test]
fn an_unknown_version_is_told_apart() {
    for version in ["0", "2", "18446744073709551615"] {
        let parts = with(event(), "postrider-v", version);
        let unknown = DecodeError::UnknownVersion {
            found: version.parse().unwrap(),
        };
        assert_eq!(Accepted::decode(&parts), Err(unknown.clone()));
        assert_eq!(InboxEvent::decode(&parts), Err(unknown));
    }
    for version in ["", "one", "01", "+1", "-1", "1.0", "18446744073709551616"] {
        refusal(&with(event(), "postrider-v", version));
    }
}

fn progress(json: &'static str) -> Result<ProgressRecord, DecodeError> {
    let value = Some(Bytes::from(json));
    ProgressRecord::decode(&Parts {
        key: None,
        headers: Vec::new(),
        value,
    })
}

#[test]
fn an_unknown_version_is_told_apart_whatever_else_has_changed() {
    let unknown = |found| Err(DecodeError::UnknownVersion { found });
    assert_eq!(
        progress(r#"{"v":2,"kind":"fence","owner":"a"}"#),
        unknown(2)
    );
    assert_eq!(progress(r#"{"v":2}"#), unknown(2));
    assert_eq!(progress(r#"{"v":2,"kind":"later","x":1e999}"#), unknown(2));
    assert_eq!(
        progress(r#"{"v":2,"nothing":{"as":[1,"before"]}}"#),
        unknown(2)
    );
    assert_eq!(
        progress(r#"{"kind":"fence","owner":"a","v":0}"#),
        unknown(0)
    );
    let parts = with(Parts::default(), "postrider", r#"{"v":7,"kind":"later"}"#);
    assert_eq!(
        RetryRecord::decode(&parts),
        Err(DecodeError::UnknownVersion { found: 7 })
    );
}

#[test]
fn members_may_come_in_any_order() {
    let in_order = progress(r#"{"v":1,"kind":"fence","epoch":9007199254740993,"owner":"a"}"#);
    assert!(in_order.is_ok());
    assert_eq!(
        progress(r#"{"epoch":9007199254740993,"kind":"fence","owner":"a","v":1}"#),
        in_order
    );
    assert_eq!(
        progress(r#"{"v":1,"epoch":9007199254740993,"kind":"fence","owner":"a"}"#),
        in_order
    );
    assert_eq!(
        progress(r#"{"\u0076":1,"kind":"fence","epoch":9007199254740993,"owner":"a"}"#),
        in_order
    );
}

#[test]
fn json_of_another_shape_is_refused() {
    let bad = [
        "",
        "{",
        "null",
        "1",
        "[]",
        "{}",
        r#"{"v":1}"#,
        r#"{"v":"1","kind":"fence","owner":"a"}"#,
        r#"{"v":1.0,"kind":"fence","owner":"a"}"#,
        r#"{"v":-1,"kind":"fence","owner":"a"}"#,
        r#"{"v":1e400,"kind":"fence","owner":"a"}"#,
        r#"{"v":18446744073709551616,"kind":"fence","owner":"a"}"#,
        r#"{"v":1,"kind":1,"owner":"a"}"#,
        r#"{"v":1,"kind":"no such kind","owner":"a"}"#,
        r#"{"v":1,"kind":"fence"}"#,
        r#"{"v":1,"kind":"fence","owner":"a","more":1}"#,
        r#"{"v":1,"kind":"fence","owner":"a","owner":"b"}"#,
        r#"{"v":1,"kind":"fence","owner":"a","v":1}"#,
        r#"{"v":1,"kind":"fence","owner":"a","epoch":18446744073709551616}"#,
        r#"{"v":1,"kind":"fence","owner":"a","epoch":-1}"#,
        r#"{"v":1,"kind":"fence","owner":"a"} x"#,
        "{\"v\":1,\"kind\":\"fence\",\"owner\":\"\u{0}\"}",
        r#"{"v":1,"kind":"fence","owner":"\ud800"}"#,
    ];
    for json in bad {
        assert!(
            matches!(progress(json), Err(DecodeError::Malformed(_))),
            "{json}"
        );
    }
    let deep: &'static str = "[".repeat(100_000).leak();
    assert!(matches!(progress(deep), Err(DecodeError::Malformed(_))));
    assert!(progress(r#"{"v":1,"kind":"fence","owner":"\u0000"}"#).is_ok());
}

#[test]
fn a_refusal_says_where_and_never_what() {
    let Err(DecodeError::Malformed(json)) = progress(r#"{"v":1,"kind":"fence","owner":5}"#) else {
        panic!("not refused");
    };
    let problem = Problem::Json {
        fault: JsonFault::Shape,
        line: 1,
        column: 31,
    };
    assert_eq!(
        json,
        Malformed {
            at: Place::Value,
            problem
        }
    );
    let told = refusal(&with(event(), "tenant", "s e c r e t")).to_string();
    assert!(
        told.contains("tenant") && !told.contains("s e c r e t"),
        "{told}"
    );
    let secret = progress(r#"{"v":1,"kind":"fence","epoch":"s e c r e t"}"#).unwrap_err();
    assert!(!secret.to_string().contains("s e c r e t"), "{secret}");
}

#[test]
fn a_missing_header_is_named() {
    for name in [
        "postrider-v",
        "ce_specversion",
        "ce_id",
        "ce_type",
        "ce_source",
        "tenant",
        "control",
    ] {
        let problem = Problem::Missing;
        assert_eq!(
            refusal(&without(event(), name)),
            Malformed {
                at: Place::Header(name.into()),
                problem
            }
        );
    }
    let keyless = Parts {
        key: None,
        ..event()
    };
    assert_eq!(
        refusal(&keyless),
        Malformed {
            at: Place::Key,
            problem: Problem::Missing
        }
    );
    let tombstone = Parts {
        value: None,
        ..event()
    };
    assert_eq!(
        refusal(&tombstone),
        Malformed {
            at: Place::Value,
            problem: Problem::Missing
        }
    );
    let unkeyed = Parts {
        value: None,
        ..Parts::default()
    };
    let missing = Malformed {
        at: Place::Value,
        problem: Problem::Missing,
    };
    assert_eq!(AttemptsRecord::decode(&unkeyed), Err(missing.into()));
}

#[test]
fn a_null_header_is_none() {
    let mut parts = without(event(), "tenant");
    parts.headers.push(Header {
        name: "tenant".into(),
        value: None,
    });
    assert_eq!(refusal(&parts).problem, Problem::Missing);
}

#[test]
fn a_known_header_that_is_there_twice_is_refused_and_a_strange_one_is_not() {
    for name in ["ce_id", "tenant", "ce_more"] {
        let mut parts = with(event(), name, "x");
        parts.headers.push(Header {
            name: name.into(),
            value: Some(Bytes::from("x")),
        });
        assert_eq!(refusal(&parts).problem, Problem::Repeated, "{name}");
    }
    let mut parts = with(event(), "strange", "\u{0}");
    parts.headers.push(Header {
        name: "strange".into(),
        value: Some(Bytes::from_static(b"\xff")),
    });
    assert_eq!(Accepted::decode(&parts), Ok(samples::accepted()));
}

#[test]
fn a_header_that_breaks_its_rule_is_refused() {
    let long: &'static str = "x".repeat(3_000).leak();
    let bad = [
        ("ce_specversion", "0.3"),
        ("ce_id", ""),
        ("ce_id", "a.b"),
        ("ce_id", "a\0"),
        ("ce_id", long),
        ("ce_type", "order created"),
        ("ce_source", ""),
        ("ce_source", long),
        ("ce_time", "yesterday"),
        ("content-type", "Application/CloudEvents+json"),
        ("content-type", "text/plain\n"),
        ("tags", "a,,b"),
        ("tenant", "a/b"),
        ("ordering-key", ""),
        ("ordering-key", long),
        ("priority", "High"),
        ("control", "-1"),
        ("control", "18446744073709551616"),
        ("deliver-after", "9223372036854775808"),
        ("deliver-after", "1.5"),
        ("deliver-after", "-0"),
        ("deliver-after", "+1"),
        ("origin", "inbox/5"),
        ("origin", "events/5/1"),
        ("origin", "inbox/5/1"),
        ("copied-from", "events/5/1"),
        ("ce_More", "1"),
        ("ce_", "1"),
    ];
    for (name, value) in bad {
        let parts = with(event(), name, value);
        assert!(Accepted::decode(&parts).is_err(), "{name}: {value}");
    }
    for name in [
        "ce_id",
        "tenant",
        "ordering-key",
        "control",
        "origin",
        "ce_more",
    ] {
        let mut parts = without(event(), name);
        let value = Some(Bytes::from_static(b"\xff"));
        parts.headers.push(Header {
            name: name.into(),
            value,
        });
        assert!(Accepted::decode(&parts).is_err(), "{name}");
    }
    let parts = Parts {
        key: Some(Bytes::from("no endpoint")),
        ..event()
    };
    assert_eq!(refusal(&parts).at, Place::Key);
}

#[test]
fn a_trace_that_cannot_be_read_costs_no_event() {
    for bad in [
        "",
        "01-0",
        "00-00000000000000000000000000000000-b7ad6b7169203331-01",
    ] {
        let parts = with(event(), "traceparent", bad);
        assert_eq!(Accepted::decode(&parts), Ok(samples::accepted()), "{bad}");
    }
}

#[test]
fn extension_attributes_are_bounded() {
    let many = |n: usize| {
        let mut parts = event();
        let header = |i| Header {
            name: format!("ce_x{i}").into(),
            value: Some(Bytes::new()),
        };
        parts.headers.extend((0..n).map(header));
        parts
    };
    assert!(Accepted::decode(&many(64)).is_ok());
    assert_eq!(refusal(&many(65)).at, Place::Record);
    assert_eq!(refusal(&many(100_000)).at, Place::Record);
}

#[test]
fn a_payload_is_shared_and_never_looked_at() {
    let payload = Bytes::from(vec![0xff; 1 << 20]);
    let parts = Parts {
        value: Some(payload.clone()),
        ..event()
    };
    let decoded = Accepted::decode(&parts).unwrap();
    assert_eq!(decoded.addressed.payload.as_ptr(), payload.as_ptr());
    assert_eq!(decoded.encode().value.unwrap().as_ptr(), payload.as_ptr());
    let empty = Parts {
        value: Some(Bytes::new()),
        ..event()
    };
    assert_eq!(
        Accepted::decode(&empty).unwrap().addressed.payload,
        Bytes::new()
    );
}
