use super::*;

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        headers.append(*name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    headers
}

#[test]
fn the_media_type_decides_the_mode() {
    for (pairs, wanted) in [
        (&[][..], None),
        (&[("content-type", "application/json")], None),
        (&[("ce-specversion", "1.0")], Some(Mode::Binary)),
        (
            &[
                ("ce-specversion", "1.0"),
                ("content-type", "application/json"),
            ],
            Some(Mode::Binary),
        ),
        (
            &[
                ("ce-specversion", "1.0"),
                ("content-type", "application/cloudevents+json"),
            ],
            Some(Mode::Structured),
        ),
        (
            &[(
                "content-type",
                "Application/CloudEvents+JSON ; charset=utf-8",
            )],
            Some(Mode::Structured),
        ),
        (
            &[("content-type", "application/cloudevents-batch+json")],
            Some(Mode::Batch),
        ),
        (
            &[("content-type", "application/cloudevents+avro")],
            Some(Mode::Other),
        ),
    ] {
        assert_eq!(Mode::of(&headers(pairs)), wanted, "{pairs:?}");
    }
}

const PLAIN: [(&str, &str); 4] = [
    ("ce-specversion", "1.0"),
    ("ce-id", "1"),
    ("ce-source", "/s"),
    ("ce-type", "a.b"),
];

/// A binary event with these headers instead of, or besides, the plain ones.
fn binary_with(pairs: &[(&'static str, &str)], body: &'static str) -> Result<NewEvent, Problem> {
    let replaced = |name: &str| pairs.iter().any(|(other, _)| *other == name);
    let mut all: Vec<_> = PLAIN.into_iter().filter(|(n, _)| !replaced(n)).collect();
    // Empty: left out.
    all.extend(pairs.iter().filter(|(_, value)| !value.is_empty()));
    one(
        Mode::Binary,
        &headers(&all),
        Bytes::from_static(body.as_bytes()),
    )
}

#[test]
fn attributes_are_unquoted_and_percent_decoded_once() {
    for (written, read) in [
        ("/shop", "/shop"),
        ("/caf%C3%A9", "/café"),
        ("/caf\u{e9}", "/caf\u{e9}"),
        ("%2541", "%41"),
        ("\"a \\\"b\\\" \\\\\"", "a \"b\" \\"),
        ("\"", "\""),
        ("50%", "50%"),
    ] {
        let event = binary_with(&[("ce-source", written)], "1").unwrap();
        assert_eq!(event.source.unwrap().as_str(), read);
    }
}

#[test]
fn what_a_binary_event_breaks_is_named() {
    for (pairs, body, code, detail) in [
        (
            &[("ce-type", "")][..],
            "1",
            "event_type_missing",
            "the header ce-type is missing",
        ),
        (
            &[("ce-id", "")],
            "1",
            "validation_failed",
            "the header ce-id is missing",
        ),
        (
            &[("ce-specversion", "0.3")],
            "1",
            "validation_failed",
            "the header ce-specversion must be 1.0",
        ),
        (
            &[("ce-source", "%FF")],
            "1",
            "validation_failed",
            "the header ce-source is not UTF-8",
        ),
        (
            &[("ce-time", "yesterday")],
            "1",
            "validation_failed",
            "the header ce-time a time reads as RFC 3339 has it: 2026-01-02T03:04:05Z",
        ),
        (
            &[("ce-source", "/a"), ("ce-source", "/b")],
            "1",
            "validation_failed",
            "the header ce-source is given twice",
        ),
        (
            &[("ce-priority", "top")],
            "1",
            "validation_failed",
            "the header ce-priority must be low, normal or high",
        ),
        (&[], "{", "invalid_json", ""),
        (
            &[("ce-orderingkey", "k")],
            "1",
            "not_supported_yet",
            "orderingkey is not supported yet",
        ),
    ] {
        let problem = binary_with(pairs, body).unwrap_err();
        assert_eq!(problem.code(), code, "{problem:?}");
        if let [error] = problem.errors()
            && !detail.is_empty()
        {
            assert_eq!(error.detail, detail);
        }
    }
}

#[test]
fn data_need_not_be_json_and_need_not_be() {
    let text = binary_with(&[("content-type", "text/plain")], "{").unwrap();
    assert_eq!(text.payload, "{");
    let none = binary_with(&[], "").unwrap();
    assert_eq!(none.payload, "");
    let json = r#"{"specversion":"1.0","id":"1","source":"/s","type":"a.b"}"#;
    let none = one(Mode::Structured, &HeaderMap::new(), json.into()).unwrap();
    assert_eq!(none.payload, "");
}

#[test]
fn what_a_structured_event_breaks_has_a_pointer() {
    for (json, code, pointer) in [
        ("[]", "validation_failed", ""),
        ("{", "invalid_json", ""),
        (r#"{"specversion":"1.0"}"#, "validation_failed", "/id"),
        (
            r#"{"specversion":"1.0","id":"1","source":"/s"}"#,
            "event_type_missing",
            "/type",
        ),
        (
            r#"{"specversion":"1.0","id":"1","source":"/s","type":"a","x":{}}"#,
            "validation_failed",
            "/x",
        ),
        (
            r#"{"specversion":"1.0","id":"1","source":"/s","type":"a","endpointid":"nobody"}"#,
            "validation_failed",
            "/endpointid",
        ),
        (
            r#"{"specversion":"1.0","id":"1","source":"/s","type":"a","datacontenttype":""}"#,
            "validation_failed",
            "/datacontenttype",
        ),
    ] {
        let problem = one(Mode::Structured, &HeaderMap::new(), json.into()).unwrap_err();
        assert_eq!(problem.code(), code, "{json}: {problem:?}");
        assert_eq!(problem.errors()[0].pointer, pointer, "{json}: {problem:?}");
    }
    let other = one(Mode::Other, &HeaderMap::new(), "x".into()).unwrap_err();
    assert_eq!(other.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE);
}

#[test]
fn an_idempotency_key_of_the_request_is_the_events() {
    let keyed = binary_with(&[("idempotency-key", "mine")], "1").unwrap();
    assert_eq!(keyed.idempotency_key.unwrap().as_str(), "mine");
    let own = binary_with(&[], "1").unwrap();
    assert_eq!(own.idempotency_key.unwrap().as_str(), "ce/2//s/1");
}
