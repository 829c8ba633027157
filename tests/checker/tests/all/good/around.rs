//! What clients were told, and what receivers got.

use checker::history::*;
use serde_json::{Value, json};

use super::{A, ADDRESSED, B, Ids, NOWHERE, SPREAD, ids};

pub(super) fn clients(history: &mut History) {
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

pub(super) fn receivers(history: &mut History) {
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
