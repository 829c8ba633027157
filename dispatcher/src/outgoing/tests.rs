use std::collections::BTreeMap;
use std::sync::Arc;

use control::Current;
use domain::chance::Seeded;
use domain::sealing::{self, Sealer};
use domain::signing::Secret;
use schemas::actor::Actor;
use schemas::control::{
    Algorithm, Change, EndpointChange, EndpointState, OnDeadLetter, Ordering, RetryOn,
    RetrySettings, Schedule,
};
use schemas::event::Priority;
use schemas::ids::EndpointId;
use schemas::origin::{Acceptance, Run};
use schemas::scalar::{At, Sealed};

use super::*;

const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_999);
const LATER: Timestamp = Timestamp::from_millis(1_700_000_001_000);
const NEW: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const OLD: &str = "any string";

fn id() -> EndpointId {
    EndpointId::new(NOW, 1)
}

fn sealer() -> Sealer {
    Sealer::new([1; 32])
}

fn sealed(what: &str, text: &str) -> Sealed {
    let context = sealing::context(&id().to_string(), what);
    let sealed = sealer().seal(text.as_bytes(), &context, &mut Seeded::new(1));
    Sealed(sealed.into())
}

fn secret(id: &str, text: &str, until: Option<Timestamp>) -> schemas::control::Secret {
    schemas::control::Secret {
        id: id.to_owned(),
        sealed: sealed(id, text),
        until: until.map(At),
    }
}

fn endpoint() -> Endpoint {
    Endpoint {
        change: Change {
            tenant: "default".parse().unwrap(),
            replaces: None,
            by: Actor::Local,
            request_id: None,
        },
        did: EndpointChange::Created,
        id: id(),
        partition: 0,
        created_at: At(NOW),
        state: EndpointState::Active,
        disabled_reason: None,
        paused: false,
        circuit_resets: 0,
        name: None,
        url: "https://example.com/".to_owned(),
        event_types: Vec::new(),
        filter: None,
        ordering: Ordering::None,
        ordering_key: None,
        on_dead_letter: OnDeadLetter::Continue,
        max_in_flight: 20,
        rate_limit: None,
        timeout_seconds: 30,
        connect_timeout_seconds: 10,
        retry: RetrySettings {
            schedule: Schedule::Seconds(vec![5]),
            jitter: 0.1.try_into().unwrap(),
            retry_on: RetryOn::Transient,
        },
        circuit: None,
        signing: Signing::Both,
        algorithm: Algorithm::HmacSha256,
        secrets: vec![secret("k2", NEW, None), secret("k1", OLD, Some(LATER))],
        custom_headers: BTreeMap::new(),
        metadata: BTreeMap::new(),
    }
}

fn event(id: &str) -> Addressed {
    Addressed {
        endpoint: self::id(),
        tenant: "default".parse().unwrap(),
        id: id.parse().unwrap(),
        envelope: Envelope {
            event_type: "order.paid".parse().unwrap(),
            source: "postrider".parse().unwrap(),
            time: None,
            content_type: None,
            trace_parent: None,
            trace_state: None,
            tags: None,
            given_id: None,
            extensions: Vec::new(),
        },
        ordering_key: None,
        priority: Priority::Normal,
        payload: Bytes::from_static(br#"{"test": 2432232314}"#),
    }
}

fn delivery() -> DeliveryId {
    DeliveryId::derive(
        Acceptance::events(0, 7),
        Timestamp::from_millis(1),
        id(),
        Run::First,
    )
}

fn made(event: &Addressed, endpoint: &Endpoint, number: u32, now: Timestamp) -> Outgoing {
    let secrets = OpenedSecrets::open(&sealer(), endpoint).unwrap();
    outgoing(event, &delivery(), endpoint, &secrets, number, now)
}

fn text(outgoing: &Outgoing, name: &str) -> String {
    let value = outgoing.headers.get(name);
    value.map_or_else(String::new, |value| value.to_str().unwrap().to_owned())
}

#[test]
fn all_headers_of_an_attempt() {
    let made = made(
        &event("evt_01234567-89ab-7000-8000-000000000007"),
        &endpoint(),
        3,
        NOW,
    );
    let (new, old) = (Secret::parse(NEW).unwrap(), Secret::parse(OLD).unwrap());
    let id = "evt_01234567-89ab-7000-8000-000000000007";
    let body = br#"{"test": 2432232314}"#;
    let at = 1_700_000_000;
    let sign = |secret| signing::standard(secret, id, at, body);
    let expected: BTreeMap<&str, String> = [
        ("content-type", "application/json".to_owned()),
        (
            "user-agent",
            format!("Postrider/{}", env!("CARGO_PKG_VERSION")),
        ),
        ("webhook-id", id.to_owned()),
        ("webhook-timestamp", "1700000000".to_owned()),
        (
            "webhook-signature",
            format!("{} {}", sign(&new), sign(&old)),
        ),
        ("webhook-attempt", "3".to_owned()),
        (
            "x-webhook-signature",
            signing::stripe([&new, &old], at, body),
        ),
        ("x-webhook-id", delivery().to_string()),
        ("x-webhook-event-id", id["evt_".len()..].to_owned()),
        ("x-webhook-event-type", "order.paid".to_owned()),
        ("x-webhook-timestamp", "1700000000".to_owned()),
        ("idempotency-key", id.to_owned()),
        ("traceparent", text(&made, "traceparent")),
    ]
    .into();
    let found: BTreeMap<&str, String> = made
        .headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.to_str().unwrap().to_owned()))
        .collect();
    assert_eq!(found, expected);
    assert_eq!(made.keys, ["k2", "k1"]);
    assert!(
        text(&made, "traceparent")
            .parse::<schemas::text::TraceParent>()
            .is_ok()
    );
}

#[test]
fn a_key_signs_until_its_end_and_not_after() {
    let endpoint = endpoint();
    let signatures = |now| {
        let made = made(&event("a"), &endpoint, 1, now);
        let standard = text(&made, "webhook-signature").split(' ').count();
        let older = text(&made, "x-webhook-signature").matches("v1=").count();
        (made.keys.len(), standard, older)
    };
    assert_eq!(signatures(NOW), (2, 2, 2));
    assert_eq!(signatures(LATER), (1, 1, 1));
}

#[test]
fn the_forms_that_were_asked_for() {
    for (signing, standard, older) in [
        (Signing::Standard, true, false),
        (Signing::Stripe, false, true),
        (Signing::Both, true, true),
    ] {
        let made = made(
            &event("a"),
            &Endpoint {
                signing,
                ..endpoint()
            },
            1,
            NOW,
        );
        assert_eq!(made.headers.contains_key("webhook-signature"), standard);
        assert_eq!(made.headers.contains_key("x-webhook-signature"), older);
        assert_eq!(text(&made, "webhook-id"), "a");
        assert_eq!(
            text(&made, "x-webhook-event-id"),
            "a",
            "the caller's id as given"
        );
    }
}

#[test]
fn custom_headers_are_added_and_replace_nothing() {
    let custom = |name: &str, value: &str| {
        let what = format!("header:{}", name.to_ascii_lowercase());
        (name.to_owned(), sealed(&what, value))
    };
    let endpoint = Endpoint {
        custom_headers: [
            custom("Authorization", "Bearer x"),
            custom("Content-Type", "text/plain"),
            custom("Content-Length", "7"),
            custom("Host", "example.org"),
            custom("User-Agent", "curl"),
            custom("Webhook-Id", "no"),
            custom("X-Webhook-Signature", "no"),
        ]
        .into(),
        ..endpoint()
    };
    let made = made(&event("a"), &endpoint, 1, NOW);
    assert_eq!(text(&made, "authorization"), "Bearer x");
    assert!(made.headers["authorization"].is_sensitive());
    assert_eq!(text(&made, "content-type"), "application/json");
    assert_eq!(text(&made, "webhook-id"), "a");
    assert!(text(&made, "user-agent").starts_with("Postrider/"));
    assert!(text(&made, "x-webhook-signature").starts_with("t="));
    assert!(!made.headers.contains_key("host") && !made.headers.contains_key("content-length"));
    assert_eq!(made.headers.len(), made.headers.keys_len(), "none twice");
}

#[test]
fn what_the_payload_is_called() {
    for (given, expected) in [
        (None, "application/json"),
        (Some("application/json"), "application/json"),
        (Some("Application/JSON; charset=utf-8"), "application/json"),
        (Some("application/json-seq"), "application/json-seq"),
        (Some("text/xml"), "text/xml"),
    ] {
        let mut event = event("a");
        event.envelope.content_type = given.map(|text| text.parse().unwrap());
        let made = made(&event, &endpoint(), 1, NOW);
        assert_eq!(text(&made, "content-type"), expected, "{given:?}");
    }
}

#[test]
fn a_trace_is_handed_on_or_begun() {
    let mut event = event("a");
    let begun = |number| text(&made(&event, &endpoint(), number, NOW), "traceparent");
    assert_eq!(begun(1), begun(1));
    assert_ne!(begun(1), begun(2), "each attempt is a span");
    assert_eq!(begun(1)[..36], begun(2)[..36], "of one trace");
    let given = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    event.envelope.trace_parent = Some(given.parse().unwrap());
    event.envelope.trace_state = Some("a=1".parse().unwrap());
    let made = made(&event, &endpoint(), 2, NOW);
    assert_eq!(text(&made, "traceparent"), given);
    assert_eq!(text(&made, "tracestate"), "a=1");
}

#[test]
fn secrets_are_opened_once_a_version() {
    let opener = Opener::new(sealer());
    let current = |version, endpoint| Current { version, endpoint };
    let first = opener.open(&current(1, endpoint())).unwrap();
    let again = opener.open(&current(1, endpoint())).unwrap();
    assert!(Arc::ptr_eq(&first, &again));
    let rotated = Endpoint {
        secrets: vec![secret("k3", NEW, None)],
        ..endpoint()
    };
    let next = opener.open(&current(2, rotated)).unwrap();
    let ids = |opened: &OpenedSecrets| -> Vec<String> {
        opened.valid_at(NOW).map(|key| key.id.clone()).collect()
    };
    assert_eq!(ids(&next), ["k3"]);
    assert_eq!(ids(&first), ["k2", "k1"]);
    assert_eq!(format!("{next:?} {opener:?}").find("whsec"), None);
}

#[test]
fn what_can_t_be_opened_says_so() {
    let open =
        |endpoint: &Endpoint, sealer: Sealer| OpenedSecrets::open(&sealer, endpoint).unwrap_err();
    let other_key = open(&endpoint(), Sealer::new([2; 32]));
    assert!(
        matches!(other_key, OpenError::NotOurs { ref what, .. } if what == "k2"),
        "{other_key}"
    );
    let moved = Endpoint {
        id: EndpointId::new(NOW, 2),
        ..endpoint()
    };
    assert!(matches!(open(&moved, sealer()), OpenError::NotOurs { .. }));
    let bad = |text| Endpoint {
        secrets: vec![secret("k", text, None)],
        ..endpoint()
    };
    assert!(matches!(
        open(&bad("whsec_?"), sealer()),
        OpenError::Unusable { .. }
    ));
    let header = [("x-a".to_owned(), sealed("header:x-a", "a\nb"))].into();
    let bad = Endpoint {
        custom_headers: header,
        ..endpoint()
    };
    assert!(matches!(open(&bad, sealer()), OpenError::Unusable { .. }));
    let ed25519 = Endpoint {
        algorithm: Algorithm::Ed25519,
        ..endpoint()
    };
    assert!(matches!(
        open(&ed25519, sealer()),
        OpenError::Algorithm { .. }
    ));
}
