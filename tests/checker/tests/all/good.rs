//! A history by hand in which all is well.

use checker::history::*;
use serde_json::{Value, json};

pub(crate) const A: &str = "ep_019b7ca9-8f2e-7000-8000-00000000000a";
pub(crate) const B: &str = "ep_019b7ca9-8f2e-7000-8000-00000000000b";
const ADDRESSED: &str = "evt_019b7ca9-8f2e-7000-8000-000000000001";
const SPREAD: &str = "evt_019b7ca9-8f2e-7000-8000-000000000002";
const AGAIN: &str = "evt_019b7ca9-8f2e-7000-8000-000000000003";
const NOWHERE: &str = "evt_019b7ca9-8f2e-7000-8000-000000000004";

/// The delivery ids, as the checker's own test knows them to be derived.
pub(crate) struct Ids {
    pub(crate) addressed: String,
    pub(crate) spread_a: String,
    pub(crate) spread_b: String,
}

pub(crate) fn ids() -> Ids {
    // Taken from the protocol's derivation by another program.
    Ids {
        addressed: "dlv_00000000-000a-85a7-a57c-17437ef89c4e".to_owned(),
        spread_a: "dlv_00000000-000b-8401-90fc-bca2ab986f77".to_owned(),
        spread_b: "dlv_00000000-000b-81ed-9256-c18ca8da4c35".to_owned(),
    }
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

fn arrival(
    at: i64,
    to: &str,
    ids: (&str, &str),
    number: u64,
    payload: &str,
    status: u16,
) -> Arrival {
    let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    Arrival {
        at,
        url: to.to_owned(),
        headers: vec![
            header("webhook-id", ids.0),
            header("x-webhook-id", ids.1),
            header("webhook-attempt", &number.to_string()),
        ],
        body: payload.as_bytes().to_vec(),
        reply: Reply::Status(status),
        life: Some(1),
    }
}

/// All is well: delivered at once, after a failure and a takeover that repeats one, dead-lettered; a
/// repeat, an event that goes nowhere, a request that was refused.
pub(crate) fn history() -> History {
    let mut history = History::default();
    put(&mut history, "control", 0, endpoint(A, 0, "https://a"));
    put(&mut history, "control", 0, endpoint(B, 1, "https://b"));
    fences(&mut history, 0, 5);
    fences(&mut history, 1, 5);
    inputs(&mut history);
    outcomes(&mut history);
    clients(&mut history);
    receivers(&mut history);
    history.views.push(views());
    for (life, at, what) in [
        (1, 0, Became::Started),
        (1, 30, Became::Crashed),
        (2, 40, Became::Started),
    ] {
        let name = "n1".to_owned();
        history.processes.push(ProcessLine {
            at,
            life,
            name,
            what,
        });
    }
    history
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

fn clients(history: &mut History) {
    let Ids {
        addressed,
        spread_a,
        spread_b,
    } = ids();
    let said = |id: &str, place: (&str, u64), status: &str, deliveries: Value| {
        json!({
        "event_id": id, "status": status, "duplicate": false, "topic": place.0, "partition": 0,
        "offset": place.1, "deliveries": deliveries})
    };
    let to_a = |id: &str| json!({"endpoint_id": A, "delivery_id": id});
    let to_b = json!({"endpoint_id": B, "delivery_id": spread_b});
    let first = said(
        ADDRESSED,
        ("events", 0),
        "accepted",
        json!([to_a(&addressed)]),
    );
    let spread = said(
        SPREAD,
        ("inbox", 0),
        "accepted",
        json!([to_a(&spread_a), to_b]),
    );
    let nowhere = said(NOWHERE, ("inbox", 2), "no_route", json!([]));
    let request = |n: u64, key: Option<&str>, status: u16, body: &Value| Request {
        sent_at: 9,
        payload: format!("{{\"n\":{n}}}").into_bytes(),
        event_type: "order.created".to_owned(),
        endpoint: None,
        key: key.map(str::to_owned),
        answer: Some(Answer {
            at: 17,
            status,
            body: body.to_string().into_bytes(),
        }),
    };
    let addressed = Request {
        endpoint: Some(A.to_owned()),
        ..request(1, None, 202, &first)
    };
    let unheard = Request {
        answer: None,
        ..request(2, Some("k"), 0, &json!({}))
    };
    let strange = Request {
        event_type: "nothing".to_owned(),
        ..request(3, None, 202, &nowhere)
    };
    history.requests = vec![
        addressed,
        unheard,
        request(2, Some("k"), 202, &spread),
        strange,
        request(4, None, 422, &json!({"code": "invalid"})),
    ];
}

fn receivers(history: &mut History) {
    let Ids {
        addressed,
        spread_a,
        spread_b,
    } = ids();
    let second = |arrival: Arrival| Arrival {
        life: Some(2),
        ..arrival
    };
    history.arrivals = vec![
        arrival(20, "https://a", (SPREAD, &spread_a), 1, "{\"n\":2}", 503),
        second(arrival(
            48,
            "https://a",
            (ADDRESSED, &addressed),
            1,
            "{\"n\":1}",
            200,
        )),
        second(arrival(
            49,
            "https://a",
            (SPREAD, &spread_a),
            1,
            "{\"n\":2}",
            503,
        )),
        arrival(61, "https://b", (SPREAD, &spread_b), 1, "{\"n\":2}", 404),
        second(arrival(
            5_070,
            "https://a",
            (SPREAD, &spread_a),
            2,
            "{\"n\":2}",
            200,
        )),
    ];
}

fn views() -> Views {
    let Ids {
        addressed,
        spread_a,
        spread_b,
    } = ids();
    let event = |id: &str, acceptance: &str, at, ending| EventRow {
        id: id.to_owned(),
        tenant: "default".to_owned(),
        acceptance: acceptance.to_owned(),
        accepted_at: at,
        event_type: "order.created".to_owned(),
        ending,
    };
    let to = |ids: &[&str]| Ending::Routed(ids.iter().map(|id| (*id).to_owned()).collect());
    let nowhere = event(NOWHERE, "inbox/0/2", 14, to(&[]));
    let again = Ending::Duplicate(SPREAD.to_owned());
    let counts = |totals: [u64; 3]| Totals {
        deliveries: totals[0],
        delivered: totals[1],
        dead_lettered: totals[2],
        ..Totals::default()
    };
    let totals = [("", [3, 2, 1]), (A, [2, 2, 0]), (B, [1, 0, 1])];
    Views {
        name: "live".to_owned(),
        events: vec![
            event(ADDRESSED, "events/0/0", 10, to(&[A])),
            event(SPREAD, "inbox/0/0", 11, to(&[A, B])),
            event(AGAIN, "inbox/0/1", 12, again),
            EventRow {
                event_type: "nothing".to_owned(),
                ..nowhere
            },
        ],
        deliveries: vec![
            row(
                &addressed,
                (A, ADDRESSED),
                ("events/0/0", 10),
                1,
                ("attempts/0/3", 50),
                &[(1, 200)],
            ),
            row(
                &spread_a,
                (A, SPREAD),
                ("inbox/0/0", 11),
                2,
                ("attempts/0/5", 5_080),
                &[(1, 503), (2, 200)],
            ),
            row(
                &spread_b,
                (B, SPREAD),
                ("inbox/0/0", 11),
                1,
                ("dead-letters/1/1", 62),
                &[(1, 404)],
            ),
        ],
        minutes: vec![
            MinuteRow {
                endpoint: A.to_owned(),
                minute: 0,
                succeeded: 2,
                failed: 1,
                delivered: 2,
                dead_lettered: 0,
            },
            MinuteRow {
                endpoint: B.to_owned(),
                minute: 0,
                succeeded: 0,
                failed: 1,
                delivered: 0,
                dead_lettered: 1,
            },
        ],
        totals: totals
            .into_iter()
            .map(|(name, of)| (name.to_owned(), counts(of)))
            .collect(),
        undelivered: Undelivered {
            no_route: 1,
            duplicate: 1,
            conflict: 0,
        },
    }
}

fn row(
    id: &str,
    (endpoint, event): (&str, &str),
    (acceptance, accepted_at): (&str, i64),
    step: u64,
    (place, since): (&str, i64),
    attempts: &[(u64, u64)],
) -> DeliveryRow {
    let ends_well = attempts.last().is_some_and(|(_, status)| *status == 200);
    let attempt = |&(number, status): &(u64, u64)| AttemptRow {
        number,
        result: if status == 200 { "succeeded" } else { "failed" }.to_owned(),
        status: Some(status),
        has_outcome: true,
    };
    DeliveryRow {
        id: id.to_owned(),
        tenant: "default".to_owned(),
        endpoint: endpoint.to_owned(),
        event: event.to_owned(),
        event_type: "order.created".to_owned(),
        acceptance: acceptance.to_owned(),
        accepted_at,
        step,
        state: if ends_well {
            "delivered"
        } else {
            "dead_lettered"
        }
        .to_owned(),
        reason: (!ends_well).then(|| "permanent_failure".to_owned()),
        next_attempt_at: None,
        place: place.to_owned(),
        since,
        attempts: attempts.iter().map(attempt).collect(),
    }
}
