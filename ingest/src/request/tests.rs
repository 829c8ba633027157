use super::*;
use schemas::event::Priority;

fn at() -> Timestamp {
    Timestamp::from_millis(1_767_323_045_678)
}

fn read_text(body: &str) -> Result<NewEvent, Problem> {
    read(&Bytes::from(body.to_owned()), &HeaderMap::new(), at())
}

fn pointers(problem: &Problem) -> Vec<String> {
    problem
        .errors()
        .iter()
        .map(|error| error.pointer.clone())
        .collect()
}

#[test]
fn every_wrong_field_is_told_at_once() {
    let problem = read_text(
        r#"{"event_type":"a b","payload":1,"endpoint_id":"x","event_id":"a.b","ordering_key":"",
            "priority":"urgent","idempotency_key":7,"deliver_after":-1,"source":[],
            "tags":["a,b"],"shape/of~things":1,"payload":2}"#,
    )
    .unwrap_err();
    assert_eq!(problem.status(), StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(problem.code(), "validation_failed");
    assert_eq!(
        pointers(&problem),
        [
            "/shape~1of~0things",
            "/payload",
            "/event_type",
            "/endpoint_id",
            "/event_id",
            "/ordering_key",
            "/source",
            "/idempotency_key",
            "/priority",
            "/tags",
            "/deliver_after",
        ]
    );
}

#[test]
fn no_event_type_and_no_json_are_400() {
    for body in [
        r#"{"payload":1}"#,
        r#"{"event_type":"","payload":1}"#,
        r#"{"event_type":"  ","payload":1,"priority":"urgent"}"#,
        r#"{"event_type":null,"payload":1}"#,
        "{}",
    ] {
        let problem = read_text(body).unwrap_err();
        assert_eq!(problem.status(), StatusCode::BAD_REQUEST, "{body}");
        assert_eq!(problem.code(), "event_type_missing");
        assert!(pointers(&problem).contains(&"/event_type".to_owned()));
    }
    for body in [
        "",
        "{",
        "[]",
        "1",
        "null",
        r#"{"event_type":"a","payload":01}"#,
        "{}{}",
    ] {
        let problem = read_text(body).unwrap_err();
        assert_eq!(problem.status(), StatusCode::BAD_REQUEST, "{body}");
        assert_eq!(problem.code(), "invalid_json", "{body}");
    }
    let not_utf8 = Bytes::from_static(b"{\"event_type\":\"a\",\"payload\":\"\xff\"}");
    let problem = read(&not_utf8, &HeaderMap::new(), at()).unwrap_err();
    assert_eq!(problem.code(), "invalid_json");
    let deep = format!(
        "{{\"event_type\":\"a\",\"payload\":{}{}}}",
        "[".repeat(64),
        "]".repeat(64)
    );
    assert_eq!(read_text(&deep).unwrap_err().code(), "json_too_deep");
}

#[test]
fn null_says_nothing_but_in_a_payload() {
    let event = read_text(
        r#"{"event_type":"a","payload":null,"endpoint_id":null,"tags":null,"priority":null,
            "deliver_after":null,"tags":[]}"#
            .replace(",\"tags\":[]", "")
            .as_str(),
    )
    .unwrap();
    let plain = NewEvent::new("a".parse().unwrap(), Bytes::from_static(b"null"));
    assert_eq!(event, plain);
}

#[test]
fn the_payload_shares_the_body() {
    let body = Bytes::from_static(br#"{"event_type":"a\u002fb","payload": {"x" : 1.0} }"#);
    let event = read(&body, &HeaderMap::new(), at()).unwrap();
    assert_eq!(event.event_type.as_str(), "a/b");
    assert_eq!(&event.payload[..], br#"{"x" : 1.0}"#);
    assert_eq!(event.payload.as_ptr(), body[36..].as_ptr());
}

#[test]
fn deliver_after_is_a_time_or_seconds_and_bounded() {
    let due = |text: &str| {
        let body = format!(r#"{{"event_type":"a","payload":1,"deliver_after":{text}}}"#);
        read_text(&body).map(|event| event.deliver_after.map(Timestamp::as_millis))
    };
    let now = at().as_millis();
    assert_eq!(due("0"), Ok(None));
    assert_eq!(due("1.5"), Ok(Some(now + 1_500)));
    assert_eq!(due("2592000"), Ok(Some(now + 2_592_000_000)));
    assert_eq!(due("\"2026-01-02T03:04:06Z\""), Ok(Some(1_767_323_046_000)));
    assert_eq!(
        due("\"2026-01-02T04:04:06.5+01:00\""),
        Ok(Some(1_767_323_046_500))
    );
    assert_eq!(due("\"2020-01-02T03:04:06Z\""), Ok(None), "past: at once");
    for bad in [
        "2592000.1",
        "1e300",
        "-1",
        "\"soon\"",
        "true",
        "\"2027-01-02T03:04:06Z\"",
    ] {
        assert!(due(bad).is_err(), "{bad}");
    }
    let both = r#"{"event_type":"a","payload":1,"deliver_after":5,"ordering_key":"k"}"#;
    assert_eq!(pointers(&read_text(both).unwrap_err()), ["/deliver_after"]);
}

#[test]
fn one_key_from_three_places() {
    let read = |header: Option<&str>, members: &str| {
        let mut headers = HeaderMap::new();
        if let Some(header) = header {
            headers.insert(IDEMPOTENCY_KEY, header.parse().unwrap());
        }
        let body = format!(r#"{{"event_type":"a","payload":1{members}}}"#);
        let event = super::read(&Bytes::from(body), &headers, at());
        event.map(|event| event.idempotency_key.map(|key| key.as_str().to_owned()))
    };
    let some = |key: &str| Ok(Some(key.to_owned()));
    assert_eq!(read(None, ""), Ok(None));
    assert_eq!(read(Some("k"), ""), some("k"));
    assert_eq!(read(None, r#","event_id":"k""#), some("k"));
    assert_eq!(
        read(Some("k"), r#","event_id":"k","idempotency_key":"k""#),
        some("k")
    );
    assert!(read(Some("k"), r#","event_id":"l""#).is_err());
    assert!(read(Some("k"), r#","idempotency_key":"l""#).is_err());
    assert!(read(None, r#","event_id":"k","idempotency_key":"l""#).is_err());
    assert!(read(Some(""), "").is_err());
}

#[test]
fn a_trace_that_cannot_be_read_is_dropped() {
    let mut headers = HeaderMap::new();
    headers.insert("traceparent", "nonsense".parse().unwrap());
    headers.insert("tracestate", "vendor=1".parse().unwrap());
    let body = Bytes::from_static(br#"{"event_type":"a","payload":1,"priority":"low"}"#);
    let event = read(&body, &headers, at()).unwrap();
    assert_eq!(event.trace_parent, None);
    assert_eq!(event.trace_state.unwrap().as_str(), "vendor=1");
    assert_eq!(event.priority, Priority::Low);
}
