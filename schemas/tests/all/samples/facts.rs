//! Samples of `control`.

use bytes::Bytes;
use schemas::actor::Actor;
use schemas::control::{
    Algorithm, Change, CircuitSettings, DisabledReason, Endpoint, EndpointChange, EndpointState,
    EventTypeFact, Fact, Key, OnDeadLetter, Ordering, Replay, ReplayState, RetryOn, RetrySettings,
    Schedule, Scope, Secret, Signing,
};
use schemas::ids::KeyId;
use schemas::record::Record;
use schemas::scalar::{At, JsonText, Number, Sealed};
use schemas::topics::Topic;

use super::{AT, LATER, endpoint, other_endpoint, replay_id, tenant};

fn change(replaces: Option<u64>) -> Change {
    let by_hand = replaces.is_none();
    Change {
        tenant: tenant(),
        replaces,
        by: if by_hand {
            Actor::Local
        } else {
            Actor::Dispatcher
        },
        request_id: by_hand.then(|| "req-1".to_owned()),
    }
}

fn secret(id: &str, until: Option<At>) -> Secret {
    Secret {
        id: id.to_owned(),
        sealed: Sealed(Bytes::from_static(b"\x01sealed\xff")),
        until,
    }
}

fn json(text: &str) -> JsonText {
    text.to_owned().try_into().unwrap()
}

fn number(number: f64) -> Number {
    number.try_into().unwrap()
}

fn full_endpoint() -> Endpoint {
    Endpoint {
        change: change(Some(u64::MAX)),
        did: EndpointChange::Disabled,
        id: endpoint(),
        partition: 3,
        created_at: At(AT),
        state: EndpointState::Disabled,
        disabled_reason: Some(DisabledReason::Gone),
        paused: false,
        circuit_resets: 1,
        name: Some("orders".to_owned()),
        url: "https://example.com/hooks".to_owned(),
        event_types: vec!["order.*".to_owned()],
        filter: Some(json(r#"{"data.total": {"$gte": 12345678901234567890123}}"#)),
        ordering: Ordering::Strict,
        ordering_key: Some("/customer/id".to_owned()),
        on_dead_letter: OnDeadLetter::Block,
        max_in_flight: 20,
        rate_limit: Some(50),
        timeout_seconds: 30,
        connect_timeout_seconds: 10,
        retry: RetrySettings {
            schedule: Schedule::Seconds(vec![5, 300, 1_800]),
            jitter: number(0.1),
            retry_on: RetryOn::Transient,
        },
        circuit: Some(CircuitSettings {
            failures: 5,
            window_seconds: 60,
            open_seconds: 300,
        }),
        signing: Signing::Both,
        algorithm: Algorithm::HmacSha256,
        secrets: vec![secret("k2", None), secret("k1", Some(LATER))],
        custom_headers: [("x-token".to_owned(), Sealed(Bytes::from_static(b"\x02")))].into(),
        metadata: [("team".to_owned(), "payments".to_owned())].into(),
    }
}

fn bare_endpoint() -> Endpoint {
    let schedule = Schedule::Geometric {
        initial: number(1.0),
        factor: number(0.1 + 0.2),
        max: number(1e21),
        max_attempts: 8,
    };
    Endpoint {
        change: change(None),
        did: EndpointChange::Created,
        state: EndpointState::Active,
        disabled_reason: None,
        name: None,
        filter: None,
        ordering_key: None,
        rate_limit: None,
        circuit: None,
        retry: RetrySettings {
            schedule,
            jitter: number(0.0),
            retry_on: RetryOn::AnyFailure,
        },
        algorithm: Algorithm::Ed25519,
        ..full_endpoint()
    }
}

fn event_type() -> EventTypeFact {
    EventTypeFact {
        change: change(Some(3)),
        name: "order.created".parse().unwrap(),
        deleted: false,
        description: Some("an order was made".to_owned()),
        schema: Some(json(r#"{"type": "object"}"#)),
        example: Some(json(r#"{"total": 1.10}"#)),
    }
}

fn key() -> Key {
    Key {
        change: change(None),
        id: KeyId::new(AT, 3),
        name: None,
        sha256: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08".to_owned(),
        scopes: vec![Scope::Ingest, Scope::Read, Scope::Admin],
        created_at: At(AT),
        revoked: false,
    }
}

fn replay() -> Replay {
    Replay {
        change: change(None),
        id: replay_id(),
        state: ReplayState::Running,
        from: At(AT),
        to: LATER,
        endpoint: Some(endpoint()),
        event_type: Some("order.created".parse().unwrap()),
        dead_lettered: true,
        filter: Some(json("{}")),
        target_endpoint: Some(other_endpoint()),
        rate_limit: Some(10),
        dry_run: false,
    }
}

fn bare_replay() -> Replay {
    Replay {
        state: ReplayState::Cancelled,
        endpoint: None,
        event_type: None,
        filter: None,
        target_endpoint: None,
        rate_limit: None,
        ..replay()
    }
}

pub(super) fn control() -> Vec<(&'static str, Topic, Record)> {
    let sample = |name, fact: Fact| (name, Topic::Control, Record::from(fact));
    vec![
        sample("control-endpoint", Fact::Endpoint(full_endpoint().into())),
        sample(
            "control-endpoint-created",
            Fact::Endpoint(bare_endpoint().into()),
        ),
        sample("control-event-type", Fact::EventType(event_type())),
        sample("control-key", Fact::Key(key())),
        sample("control-replay", Fact::Replay(replay())),
        sample("control-replay-cancelled", Fact::Replay(bare_replay())),
    ]
}
