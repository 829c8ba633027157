//! One record of each kind, as fixtures keep them.

mod facts;
mod orders;
mod outcomes;

use bytes::Bytes;
use domain::time::Timestamp;
use schemas::Parts;
use schemas::accepted::{Accepted, CopiedFrom, RoutedFrom};
use schemas::delivery::Delivery;
use schemas::event::{Addressed, Envelope, Extension, Priority};
use schemas::fence::Fence;
use schemas::ids::{EndpointId, EventId, ReplayId};
use schemas::inbox::{Door, HttpDoor, InboxEvent, Route};
use schemas::origin::{Acceptance, Position, Run};
use schemas::quarantine::Quarantined;
use schemas::record::Record;
use schemas::scalar::At;
use schemas::text::{EventTime, TenantId};
use schemas::topics::Topic;

/// 2026-01-02T03:04:05.678Z.
pub(crate) const AT: Timestamp = Timestamp::from_millis(1_767_323_045_678);

const LATER: At = At(Timestamp::from_millis(1_767_323_050_678));

/// A payload that is no UTF-8, holds a NUL and a line break.
const BYTES: &[u8] = b"\x00\xff\n{}";

pub(crate) fn endpoint() -> EndpointId {
    EndpointId::new(AT, 0x2a)
}

fn other_endpoint() -> EndpointId {
    EndpointId::new(AT, 0x2b)
}

fn event() -> EventId {
    EventId::new(AT, 7)
}

fn replay_id() -> ReplayId {
    ReplayId::new(AT, 9)
}

fn tenant() -> TenantId {
    "default".parse().unwrap()
}

fn at(text: &str) -> Position {
    text.parse().unwrap()
}

fn acceptance() -> Acceptance {
    Acceptance::inbox(5, 9_007_199_254_740_993)
}

pub(crate) fn bare_envelope() -> Envelope {
    Envelope {
        event_type: "order.created".parse().unwrap(),
        source: "postrider".parse().unwrap(),
        time: None,
        content_type: None,
        trace_parent: None,
        trace_state: None,
        tags: None,
        given_id: None,
        extensions: Vec::new(),
    }
}

fn full_envelope() -> Envelope {
    Envelope {
        time: Some(EventTime::new(AT)),
        content_type: Some("application/json".parse().unwrap()),
        trace_parent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
            .parse()
            .ok(),
        trace_state: "vendor=1".parse().ok(),
        tags: Some("eu,größe".parse().unwrap()),
        given_id: Some("A234-1234".parse().unwrap()),
        extensions: vec![Extension::new("subject", "orders/7".into()).unwrap()],
        ..bare_envelope()
    }
}

pub(crate) fn bare() -> Addressed {
    Addressed {
        endpoint: endpoint(),
        tenant: tenant(),
        id: event(),
        envelope: bare_envelope(),
        ordering_key: None,
        priority: Priority::Normal,
        payload: Bytes::from_static(br#"{"id":12345678901234567890123,"total":1.10}"#),
    }
}

fn full() -> Addressed {
    Addressed {
        id: "order-7_a".parse().unwrap(),
        envelope: full_envelope(),
        ordering_key: Some("customer\0 7".parse().unwrap()),
        priority: Priority::High,
        payload: Bytes::from_static(BYTES),
        ..bare()
    }
}

pub(crate) fn accepted() -> Accepted {
    Accepted {
        addressed: bare(),
        routed: None,
        control: 12,
        deliver_after: None,
        copied_from: None,
    }
}

fn routed_event() -> Accepted {
    Accepted {
        addressed: full(),
        routed: Some(RoutedFrom {
            partition: 5,
            offset: u64::MAX,
            accepted_at: AT,
        }),
        control: 12,
        deliver_after: Some(LATER.0),
        copied_from: Some(CopiedFrom {
            replay: replay_id(),
            position: at("dead-letters/3/8"),
        }),
    }
}

fn routes() -> Vec<Route> {
    vec![
        Route {
            endpoint: endpoint(),
            partition: 3,
            ordering_key: None,
        },
        Route {
            endpoint: other_endpoint(),
            partition: 0,
            ordering_key: "c\0".parse().ok(),
        },
    ]
}

fn http(routes: Vec<Route>) -> InboxEvent {
    InboxEvent {
        door: Door::Http(HttpDoor {
            tenant: tenant(),
            id: event(),
            routes: routes.try_into().unwrap(),
            control: 12,
            idempotency_window: Some(86_400_000),
            deliver_after: None,
            copied_from: None,
        }),
        envelope: bare_envelope(),
        idempotency_key: Some("order-7".parse().unwrap()),
        ordering_key: Some("customer-7".parse().unwrap()),
        priority: Priority::Low,
        payload: Bytes::new(),
    }
}

pub(crate) fn kafka() -> InboxEvent {
    InboxEvent {
        door: Door::Kafka {
            endpoint: Some(endpoint()),
        },
        envelope: full_envelope(),
        ..http(Vec::new())
    }
}

fn kafka_plain() -> InboxEvent {
    let envelope = Envelope {
        source: "kafka".parse().unwrap(),
        ..bare_envelope()
    };
    InboxEvent {
        door: Door::Kafka { endpoint: None },
        envelope,
        ..http(Vec::new())
    }
}

fn delivery(run: Run) -> Delivery {
    Delivery::new(acceptance(), AT, endpoint(), run)
}

fn fence(epoch: Option<u64>) -> Fence {
    Fence {
        epoch,
        owner: "postrider-0".to_owned(),
    }
}

fn quarantined(parts: &Parts, max_value: usize) -> Quarantined {
    let why = InboxEvent::decode(parts).unwrap_err();
    let schemas::DecodeError::Malformed(why) = why else {
        panic!("not malformed: {why}")
    };
    Quarantined::of(parts, at("inbox/5/77"), At(AT), &why, max_value)
}

fn foreign() -> Parts {
    let header = |name: &str, value| schemas::Header {
        name: name.into(),
        value,
    };
    Parts {
        key: Some(Bytes::from_static(b"\xfe")),
        headers: vec![
            header("a", None),
            header("b", Some(Bytes::from_static(b"\xff"))),
        ],
        value: Some(Bytes::from_static(BYTES)),
    }
}

/// Every sample with the name of its fixture and its topic.
pub(crate) fn all() -> Vec<(&'static str, Topic, Record)> {
    let mut all = events();
    all.extend(outcomes::attempts());
    all.extend(outcomes::waiting_and_dead());
    all.extend(orders::requests_and_routed());
    all.extend(orders::progress());
    all.extend(facts::control());
    all.push((
        "quarantine-cut",
        Topic::Quarantine,
        quarantined(&foreign(), 2).into(),
    ));
    let tombstone = Parts {
        key: None,
        value: None,
        ..foreign()
    };
    all.push((
        "quarantine-tombstone",
        Topic::Quarantine,
        quarantined(&tombstone, 9).into(),
    ));
    all
}

fn events() -> Vec<(&'static str, Topic, Record)> {
    let mut no_key = InboxEvent {
        idempotency_key: None,
        ordering_key: None,
        ..http(Vec::new())
    };
    if let Door::Http(http) = &mut no_key.door {
        http.idempotency_window = None;
    }
    vec![
        ("events-addressed", Topic::Events, accepted().into()),
        ("events-routed", Topic::Events, routed_event().into()),
        ("inbox-http", Topic::Inbox, http(routes()).into()),
        ("inbox-http-no-route", Topic::Inbox, no_key.into()),
        ("inbox-kafka-cloudevent", Topic::Inbox, kafka().into()),
        ("inbox-kafka-plain", Topic::Inbox, kafka_plain().into()),
    ]
}
