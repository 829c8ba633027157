//! What others than the system have written: events of Kafka producers, and what nobody can read.

use checker::history::*;
use checker::{Limits, check};
use serde_json::{Value, json};

use crate::good::{A, history};

const EVENT: &str = "evt_019b7ca9-8f2e-7000-8000-000000000009";
/// Taken from the protocol's derivation by another program.
const DELIVERY: &str = "dlv_00000000-0046-8b01-927a-962a8ad05ca3";
const PAYLOAD: &[u8] = b"{\"n\":9}";

fn problems(history: &History) -> Vec<String> {
    let found = check(history, &Limits::default());
    found.iter().map(ToString::to_string).collect()
}

fn put(history: &mut History, topic: &str, partition: u32, record: Record) {
    let place = (topic.to_owned(), partition);
    let records = history.partitions.entry(place).or_default();
    let offset = records.len() as u64;
    records.push(Record { offset, ..record });
}

fn headers(of: &[(&str, &str)]) -> Vec<(String, Option<Vec<u8>>)> {
    let header =
        |(name, value): &(&str, &str)| ((*name).to_owned(), Some(value.as_bytes().to_vec()));
    of.iter().map(header).collect()
}

fn document(at: i64, value: &Value) -> Record {
    Record {
        appended_at: at,
        value: Some(value.to_string().into_bytes()),
        ..Record::default()
    }
}

/// The good history, and an event in the plain form that goes to the first endpoint.
fn with_a_producer() -> History {
    let mut history = history();
    // Rows of it would have to be there, too.
    history.views.clear();
    let plain = Record {
        appended_at: 70,
        headers: headers(&[("event-type", "order.created")]),
        value: Some(PAYLOAD.to_vec()),
        ..Record::default()
    };
    put(&mut history, "inbox", 1, plain);
    // The second endpoint takes nothing any more.
    let control = &history.partitions[&("control".to_owned(), 0)];
    let made = control[1].value.as_deref().unwrap();
    let mut disabled: Value = serde_json::from_slice(made).unwrap();
    disabled["state"] = json!("disabled");
    disabled["change"]["replaces"] = json!(1);
    put(&mut history, "control", 0, document(69, &disabled));
    let decided = json!({
        "v": 1, "kind": "routes", "origin": "inbox/1/0", "tenant": "default", "event": EVENT,
        "routes": [{"endpoint": A, "partition": 0}], "control": 3,
    });
    put(&mut history, "routed", 1, document(71, &decided));
    let route = Record {
        appended_at: 72,
        key: Some(A.as_bytes().to_vec()),
        headers: headers(&[
            ("postrider-v", "1"),
            ("ce_id", EVENT),
            ("ce_type", "order.created"),
            ("tenant", "default"),
            ("control", "3"),
            ("origin", "inbox/1/0"),
            ("accepted-at", "70"),
        ]),
        value: Some(PAYLOAD.to_vec()),
        ..Record::default()
    };
    put(&mut history, "events", 0, route);
    let succeeded = json!({
        "v": 1, "kind": "succeeded", "link": {"origin": "events/0/2", "step": 1, "epoch": 2},
        "subject": {"tenant": "default", "endpoint": A, "event": EVENT, "event_type": "order.created"},
        "delivery": {"id": DELIVERY, "acceptance": "inbox/1/0", "accepted_at": 70, "run": "0"},
        "attempt": {"number": 1, "started_at": 0, "duration_us": 10, "result": "succeeded", "status": 200},
    });
    put(&mut history, "attempts", 0, document(80, &succeeded));
    let named = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    history.arrivals.push(Arrival {
        at: 75,
        url: "https://a".to_owned(),
        headers: vec![
            named("webhook-id", EVENT),
            named("x-webhook-id", DELIVERY),
            named("webhook-attempt", "1"),
        ],
        body: PAYLOAD.to_vec(),
        reply: Reply::Status(200),
        life: Some(2),
    });
    history.requests.push(Request {
        payload: PAYLOAD.to_vec(),
        event_type: "order.created".to_owned(),
        ..Request::default()
    });
    history
}

#[test]
fn an_event_of_a_kafka_producer_is_delivered_or_missed() {
    let good = with_a_producer();
    assert_eq!(problems(&good), Vec::<String>::new());
    for (topic, partition) in [("routed", 1), ("events", 0), ("attempts", 0)] {
        let mut lost = good.clone();
        let place = (topic.to_owned(), partition);
        lost.partitions.get_mut(&place).unwrap().pop();
        assert_ne!(problems(&lost), Vec::<String>::new(), "{topic}");
    }
    let mut lost = good.clone();
    lost.arrivals.pop();
    assert_ne!(problems(&lost), Vec::<String>::new(), "the arrival");
    let mut unknown = good;
    unknown.requests.pop();
    assert_ne!(problems(&unknown), Vec::<String>::new(), "nobody sent it");
}

/// The good history, with something in `inbox` that nobody can read, and in quarantine.
fn with_poison(value: Option<&[u8]>, kept: Option<&[u8]>, more: &Value) -> History {
    with_poison_in("inbox", value, kept, more)
}

fn with_poison_in(topic: &str, value: Option<&[u8]>, kept: Option<&[u8]>, more: &Value) -> History {
    let mut history = history();
    let poison = Record {
        appended_at: 30,
        value: value.map(<[u8]>::to_vec),
        ..Record::default()
    };
    put(&mut history, topic, 3, poison);
    put(
        &mut history,
        "attempts",
        1,
        document(30, &json!("of nobody")),
    );
    let attempts = history.partitions[&("attempts".to_owned(), 1)].len() as u64 - 1;
    history.foreign = [
        (topic.to_owned(), 3, 0),
        ("attempts".to_owned(), 1, attempts),
    ]
    .into();
    let origin = format!("{topic}/3/0");
    let mut beside = json!({"v": 1, "kind": "quarantined", "origin": origin, "why": "no form"});
    for (name, value) in more.as_object().unwrap() {
        beside[name] = value.clone();
    }
    let record = Record {
        headers: headers(&[("postrider", &beside.to_string())]),
        value: kept.map(<[u8]>::to_vec),
        ..Record::default()
    };
    put(&mut history, "quarantine", 0, record);
    history
}

#[test]
fn what_nobody_can_read_is_in_quarantine_as_it_was() {
    let none = Vec::<String>::new();
    let whole = json!({"value_length": 3});
    let good = with_poison(Some(b"abc"), Some(b"abc"), &whole);
    assert_eq!(problems(&good), none);
    assert_eq!(
        problems(&with_poison(None, Some(b""), &json!({}))),
        none,
        "a tombstone"
    );
    let cut = json!({"value_length": 3,
        "value_sha256": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"});
    assert_eq!(problems(&with_poison(Some(b"abc"), Some(b"a"), &cut)), none);
    for bad in [
        with_poison(Some(b"abc"), Some(b"abd"), &whole),
        with_poison(Some(b"abc"), Some(b"ab"), &json!({"value_length": 2})),
        with_poison(Some(b"abd"), Some(b"a"), &cut),
        with_poison(Some(b""), Some(b""), &json!({})),
    ] {
        assert_ne!(problems(&bad), none);
    }
    let mut lost = good.clone();
    lost.partitions.remove(&("quarantine".to_owned(), 0));
    assert_ne!(problems(&lost), none);
    let mut known = good;
    known.foreign.clear();
    assert_ne!(
        problems(&known),
        none,
        "what is not said to be of others counts"
    );
}

#[test]
fn wherever_deliveries_begin_it_is_missed_when_it_is_not_in_quarantine() {
    let none = Vec::<String>::new();
    for topic in ["inbox", "events", "retry.4s"] {
        let whole = json!({"value_length": 3});
        let mut history = with_poison_in(topic, Some(b"abc"), Some(b"abc"), &whole);
        if topic == "retry.4s" {
            // Up to here its owner has read.
            for topic in ["progress", topic] {
                let fence = history.partitions[&(topic.to_owned(), 0)][0].clone();
                put(&mut history, topic, 3, fence);
            }
        }
        assert_eq!(problems(&history), none, "{topic}");
        history
            .partitions
            .remove(&("quarantine".to_owned(), 0))
            .unwrap();
        assert_ne!(problems(&history), none, "{topic}");
    }
    let whole = json!({"value_length": 3});
    let mut unread = with_poison_in("retry.4s", Some(b"abc"), Some(b"abc"), &whole);
    unread.partitions.remove(&("quarantine".to_owned(), 0));
    assert_eq!(problems(&unread), none, "its owner has not come to it");
    let mut gone = with_poison(Some(b"abc"), Some(b"abc"), &whole);
    gone.partitions.remove(&("inbox".to_owned(), 3)).unwrap();
    assert_ne!(problems(&gone), none, "it is not where others wrote it");
}

#[test]
fn a_history_is_the_same_when_it_was_written_down() {
    let record = Record {
        key: Some(vec![0xff, 0]),
        headers: vec![
            ("a".to_owned(), None),
            ("b".to_owned(), Some(b"c".to_vec())),
        ],
        value: Some("é".as_bytes().to_vec()),
        ..Record::default()
    };
    let text = serde_json::to_string(&record).unwrap();
    assert_eq!(
        serde_json::from_str::<Record>(&text).unwrap(),
        record,
        "{text}"
    );
}

#[test]
fn a_process_that_lost_its_partition_unseen_repeats_no_more_than_another() {
    // The process that repeats is the one that sent first; in between another had the partition.
    let mut history = history();
    let life = history.arrivals[0].life;
    history.arrivals[2].life = life;
    assert_ne!(problems(&history), Vec::<String>::new());
    let limits = Limits {
        expulsions_are_told: false,
        ..Limits::default()
    };
    let found = check(&history, &limits);
    assert!(
        found.iter().all(|problem| problem.rule != "I3"),
        "{found:?}"
    );
}

#[test]
fn clocks_that_lie_apart_excuse_no_more_than_that() {
    let mut history = history();
    history.arrivals[4].at = 5_060 - 40;
    let of = |apart: i64| {
        let limits = Limits {
            clocks_apart: apart,
            ..Limits::default()
        };
        check(&history, &limits)
    };
    assert_eq!(of(40), Vec::new());
    assert_ne!(of(39), Vec::new());
}
