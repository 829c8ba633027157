//! What the log has.

use checker::history::*;
use serde_json::{Value, json};

use super::{A, ADDRESSED, AGAIN, B, Ids, NOWHERE, SPREAD, ids};

pub(super) fn written(history: &mut History) {
    put(history, "control", 0, endpoint(A, 0, "https://a"));
    put(history, "control", 0, endpoint(B, 1, "https://b"));
    fences(history, 0, 5);
    fences(history, 1, 5);
    inputs(history);
    outcomes(history);
}

fn put(history: &mut History, topic: &str, partition: u32, mut record: Record) {
    let records = history
        .partitions
        .entry((topic.to_owned(), partition))
        .or_default();
    record.offset = records.len() as u64;
    records.push(record);
}

fn text(value: &str) -> Option<Vec<u8>> {
    Some(value.as_bytes().to_vec())
}

fn document(at: i64, value: &Value) -> Record {
    Record {
        appended_at: at,
        value: text(&value.to_string()),
        ..Record::default()
    }
}

fn event(at: i64, key: &str, id: &str, payload: &str, more: &[(&str, &str)]) -> Record {
    let mut headers = vec![
        ("postrider-v".to_owned(), text("1")),
        ("ce_specversion".to_owned(), text("1.0")),
        ("ce_id".to_owned(), text(id)),
        ("ce_type".to_owned(), text("order.created")),
        ("ce_source".to_owned(), text("postrider")),
        ("tenant".to_owned(), text("default")),
        ("control".to_owned(), text("2")),
    ];
    headers.extend(more.iter().map(|(n, v)| ((*n).to_owned(), text(v))));
    Record {
        offset: 0,
        appended_at: at,
        key: text(key),
        headers,
        value: text(payload),
    }
}

fn endpoint(id: &str, partition: u32, url: &str) -> Record {
    let fact = json!({
        "v": 1, "kind": "endpoint", "change": {"tenant": "default", "by": "local"},
        "did": "created", "id": id, "partition": partition, "created_at": 0, "state": "active",
        "paused": false, "url": url, "event_types": ["order.*"],
        "retry": {"schedule": {"seconds": [5, 300]}, "jitter": 0.1, "retry_on": "transient"},
    });
    document(0, &fact)
}

fn attempt(number: u64, status: u64) -> Value {
    let result = if status == 200 { "succeeded" } else { "failed" };
    json!({"number": number, "started_at": 0, "duration_us": 10, "result": result, "status": status})
}

fn link(origin: &str, step: u64, epoch: u64) -> Value {
    json!({"origin": origin, "step": step, "epoch": epoch})
}

fn delivery(id: &str, acceptance: &str, at: i64) -> Value {
    json!({"id": id, "acceptance": acceptance, "accepted_at": at, "run": "0"})
}

fn subject(event: &str) -> Value {
    json!({"tenant": "default", "endpoint": A, "event": event, "event_type": "order.created"})
}

fn fence(epoch: u64) -> Value {
    json!({"v": 1, "kind": "fence", "epoch": epoch, "owner": "n1"})
}

fn beside(at: i64, key: &str, id: &str, payload: &str, json: &Value) -> Record {
    event(at, key, id, payload, &[("postrider", &json.to_string())])
}

fn fences(history: &mut History, partition: u32, at: i64) {
    let place = history.partitions.get(&("progress".to_owned(), partition));
    let epoch = place.map_or(0, |records| records.len() as u64);
    let own = json!({"v": 1, "kind": "fence", "owner": "n1"});
    put(history, "progress", partition, document(at, &own));
    put(history, "attempts", partition, document(at, &fence(epoch)));
    for topic in ["retry.4s", "dead-letters"] {
        let headers = vec![("postrider".to_owned(), text(&fence(epoch).to_string()))];
        let record = Record {
            appended_at: at,
            headers,
            value: text(""),
            ..Record::default()
        };
        put(history, topic, partition, record);
    }
}

fn inputs(history: &mut History) {
    let routes =
        json!([{"endpoint": A, "partition": 0}, {"endpoint": B, "partition": 1}]).to_string();
    let of_key = [
        ("idempotency-key", "k"),
        ("idempotency-window", "1000"),
        ("routes", &*routes),
    ];
    put(
        history,
        "events",
        0,
        event(10, A, ADDRESSED, "{\"n\":1}", &[]),
    );
    put(
        history,
        "inbox",
        0,
        event(11, "k", SPREAD, "{\"n\":2}", &of_key),
    );
    put(
        history,
        "inbox",
        0,
        event(12, "k", AGAIN, "{\"n\":2}", &of_key),
    );
    let duplicate = json!({
        "v": 1, "kind": "duplicate", "origin": "inbox/0/1", "tenant": "default", "event": AGAIN,
        "first": "inbox/0/0", "first_event": SPREAD,
    });
    put(history, "routed", 0, document(13, &duplicate));
    let mut strange = event(14, NOWHERE, NOWHERE, "{\"n\":3}", &[("routes", "[]")]);
    strange
        .headers
        .iter_mut()
        .find(|(n, _)| n == "ce_type")
        .unwrap()
        .1 = text("nothing");
    put(history, "inbox", 0, strange);
    let origin = [("origin", "inbox/0/0"), ("accepted-at", "11")];
    put(
        history,
        "events",
        0,
        event(15, A, SPREAD, "{\"n\":2}", &origin),
    );
    put(
        history,
        "events",
        1,
        event(15, B, SPREAD, "{\"n\":2}", &origin),
    );
    // A router that runs twice.
    put(
        history,
        "events",
        1,
        event(16, B, SPREAD, "{\"n\":2}", &origin),
    );
}

fn outcomes(history: &mut History) {
    let Ids {
        addressed,
        spread_a,
        spread_b,
    } = ids();
    let starts = json!({"v": 1, "kind": "starts", "epoch": 0, "started_at": 20, "starts": [
        {"delivery": spread_a, "origin": "events/0/1", "number": 1}]});
    put(history, "attempts", 0, document(21, &starts));
    let checkpoint = json!({"v": 1, "kind": "checkpoint", "epoch": 0, "set_from": 1, "log_time": 21,
        "inputs": [{"topic": "events", "below": 0}], "outputs": [], "origins": []});
    put(history, "progress", 0, document(22, &checkpoint));
    fences(history, 0, 45);
    let succeeded = json!({"v": 1, "kind": "succeeded", "link": link("events/0/0", 1, 2),
        "subject": subject(ADDRESSED), "delivery": delivery(&addressed, "events/0/0", 10),
        "attempt": attempt(1, 200)});
    put(history, "attempts", 0, document(50, &succeeded));
    // Of the epoch before, too late: it counts for nothing.
    put(
        history,
        "attempts",
        0,
        document(51, &{
            let mut late = succeeded.clone();
            late["link"]["epoch"] = json!(0);
            late
        }),
    );
    let retry = json!({"v": 1, "kind": "retry", "link": link("events/0/1", 1, 2),
        "delivery": delivery(&spread_a, "inbox/0/0", 11), "tier": "4s", "due_at": 5_060,
        "reason": "failed", "attempts": 1, "put_off": 0, "attempt": attempt(1, 503)});
    put(
        history,
        "retry.4s",
        0,
        beside(60, A, SPREAD, "{\"n\":2}", &retry),
    );
    let again = json!({"v": 1, "kind": "succeeded", "link": link("retry.4s/0/2", 2, 2),
        "subject": subject(SPREAD), "delivery": delivery(&spread_a, "inbox/0/0", 11),
        "attempt": attempt(2, 200)});
    put(history, "attempts", 0, document(5_080, &again));
    let dead = json!({"v": 1, "kind": "dead_letter", "link": link("events/1/0", 1, 0),
        "delivery": delivery(&spread_b, "inbox/0/0", 11), "reason": "permanent_failure",
        "attempts": 1, "attempt": attempt(1, 404)});
    put(
        history,
        "dead-letters",
        1,
        beside(62, B, SPREAD, "{\"n\":2}", &dead),
    );
}
