//! Events, deliveries, attempts and dead letters by id, and their lists' filters.

use http::StatusCode;
use projections_port::{DeliveryState, Ending};
use schemas::dead_letter::DeadLetterReason;
use serde_json::{Value, json};
use tokio::join;

use super::seeds::{DEAD, Seed};
use super::world::World;

const PAYLOAD: &str =
    r#"{"amount": 99.90, "id":9007199254740993,  "a":1,"a":2, "e":"\u00e9","é":"é" }"#;

#[tokio::test(start_paused = true)]
async fn an_event_has_its_payload_verbatim_its_deliveries_and_their_attempts() {
    let world = World::new().await;
    let (one, two) = (world.endpoint().await, world.endpoint().await);
    let seed = Seed {
        payload: PAYLOAD,
        to: &[&one, &two],
        ..Seed::default()
    };
    let (_, mut deliveries) = world.seed(&seed).await;
    world.advance(1);
    world.delivered(&mut deliveries[0]).await;
    let reply = world.get("/api/v1/events/order-1").await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.text);
    assert!(
        reply.text.contains(&format!("\"payload\":{PAYLOAD}")),
        "{}",
        reply.text
    );
    let event = &reply.body;
    for (member, value) in [
        ("id", json!("order-1")),
        ("event_type", json!("order.paid")),
        ("source", json!("/shop")),
        ("tags", json!(["blue", "red"])),
        ("status", json!("pending")),
        ("accepted_at", json!("2026-01-02T03:04:05.678Z")),
        ("topic", json!("inbox")),
        ("partition", json!(0)),
        ("offset", json!(0)),
        ("delivery_count", json!(2)),
        ("priority", json!("normal")),
    ] {
        assert_eq!(event[member], value, "{member}");
    }
    let shown = &event["deliveries"][0];
    assert_eq!(shown["status"], "delivered");
    assert_eq!(shown["attempt_count"], 2);
    assert_eq!(event["deliveries"][1]["status"], "pending");
    assert_eq!(event["deliveries"][1]["attempts"], json!([]));
    world.becomes(&mut deliveries[1], DEAD).await;
    let event = world.got("/api/v1/events/order-1").await;
    assert_eq!(event["status"], "partial");
    assert_eq!(event["deliveries"][1]["reason"], "gone");
}

#[tokio::test(start_paused = true)]
async fn a_delivery_has_its_attempts_in_full_out_of_the_log() {
    let world = World::new().await;
    let one = world.endpoint().await;
    let seed = Seed {
        to: &[&one],
        ..Seed::default()
    };
    let (_, mut deliveries) = world.seed(&seed).await;
    world.advance(1);
    world.delivered(&mut deliveries[0]).await;
    let path = format!("/api/v1/deliveries/{}", deliveries[0].id);
    let delivery = world.got(&path).await;
    assert_eq!(
        delivery["attempts"][1],
        json!({
            "number": 2, "started_at": "2026-01-02T03:04:06.678Z", "duration_ms": 1.5,
            "outcome": "succeeded", "status_code": 200,
            "response_headers": [{"name": "server", "value": "x"}], "response_body": "thanks",
            "signing_keys": ["sec_1"], "address": "192.0.2.1:443",
        })
    );
    assert_eq!(delivery["attempts"][0]["error"]["class"], "status");
    assert_eq!(delivery["attempts"][0]["outcome"], "failed");
    let list = world.got("/api/v1/deliveries").await;
    let brief = &list["data"][0]["last_attempt"];
    assert_eq!(brief["number"], 2);
    assert_eq!(brief["response_body"], json!(null), "lists have no bodies");
    let bare = path.replace("dlv_", "");
    assert_eq!(world.got(&bare).await, delivery);
}

#[tokio::test(start_paused = true)]
async fn a_dead_letter_is_found_by_its_delivery() {
    let world = World::new().await;
    let one = world.endpoint().await;
    let seed = Seed {
        payload: PAYLOAD,
        to: &[&one],
        ..Seed::default()
    };
    let (_, mut deliveries) = world.seed(&seed).await;
    world.catch_up().await;
    let path = format!("/api/v1/dlq/{}", deliveries[0].id);
    assert_eq!(world.get(&path).await.code(), "not_found", "not yet dead");
    world.advance(5);
    world.becomes(&mut deliveries[0], DEAD).await;
    let reply = world.get(&path).await;
    assert!(reply.text.contains(PAYLOAD), "{}", reply.text);
    assert_eq!(reply.body["reason"], "gone");
    assert_eq!(reply.body["dead_lettered_at"], "2026-01-02T03:04:10.678Z");
    for (query, found) in [
        ("", 1),
        ("?reason=gone", 1),
        ("?reason=expired", 0),
        ("?event_type=order.paid", 1),
        ("?event_type=user.made", 0),
    ] {
        let list = world.got(&format!("/api/v1/dlq{query}")).await;
        assert_eq!(list["data"].as_array().unwrap().len(), found, "{query}");
    }
    let of_endpoint = world.got(&format!("/api/v1/dlq?endpoint_id={one}")).await;
    assert_eq!(of_endpoint["data"][0]["id"], reply.body["id"]);
}

#[tokio::test(start_paused = true)]
async fn what_was_accepted_just_now_is_waited_for() {
    let world = World::new().await;
    let one = world.endpoint().await;
    let seed = Seed {
        to: &[&one],
        ..Seed::default()
    };
    let (event, deliveries) = world.accept(&seed).await;
    let path = format!("/api/v1/deliveries/{}", deliveries[0].id);
    let fold = async {
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        world.fold(std::slice::from_ref(&event), &deliveries).await;
        world.catch_up().await;
    };
    let (event, delivery, ()) = join!(world.get("/api/v1/events/order-1"), world.get(&path), fold);
    assert_eq!(
        (event.status, delivery.status),
        (StatusCode::OK, StatusCode::OK)
    );
}

#[tokio::test(start_paused = true)]
async fn a_404_is_given_at_once_when_the_views_are_there_and_within_half_a_second_when_not() {
    let world = World::new().await;
    let before = tokio::time::Instant::now();
    assert_eq!(world.get("/api/v1/events/none").await.code(), "not_found");
    assert_eq!(before.elapsed().as_millis(), 0, "an empty log is all there");
    let seed = Seed::default();
    world.accept(&seed).await;
    assert_eq!(world.get("/api/v1/events/none").await.code(), "not_found");
    assert_eq!(before.elapsed().as_millis(), 500);
    world.catch_up().await;
    assert_eq!(world.get("/api/v1/events/none").await.code(), "not_found");
    assert_eq!(before.elapsed().as_millis(), 500);
}

#[tokio::test(start_paused = true)]
async fn whoever_asks_for_a_repeat_gets_the_first() {
    let world = World::new().await;
    let (first, _) = world.seed(&Seed::default()).await;
    let again = Seed {
        id: "order-1-again",
        ..Seed::default()
    };
    let (mut row, _) = world.accept(&again).await;
    row.ending = Ending::Duplicate(first.id.clone());
    world.fold(&[row], &[]).await;
    let shown = world.got("/api/v1/events/order-1-again").await;
    assert_eq!(shown["id"], "order-1");
    assert_eq!(shown["status"], "no_route");
    let list = world.got("/api/v1/events?status=duplicate").await;
    assert_eq!(list["data"][0]["id"], "order-1-again");
    assert_eq!(list["data"][0]["first_event_id"], "order-1");
}

#[tokio::test(start_paused = true)]
async fn the_attempts_of_an_event_are_a_list_in_both_orders() {
    let world = World::new().await;
    let (one, two) = (world.endpoint().await, world.endpoint().await);
    let seed = Seed {
        to: &[&one, &two],
        ..Seed::default()
    };
    let (_, mut deliveries) = world.seed(&seed).await;
    for row in &mut deliveries {
        world.delivered(row).await;
    }
    let whole = |list: &Value| -> Vec<(String, u64)> {
        let rows = list["data"].as_array().unwrap().iter();
        rows.map(|row| {
            let id = row["delivery_id"].as_str().unwrap().to_owned();
            (id, row["number"].as_u64().unwrap())
        })
        .collect()
    };
    let path = "/api/v1/events/order-1/attempts";
    let mut up = whole(&world.got(&format!("{path}?order=asc")).await);
    let ids = [deliveries[0].id.to_string(), deliveries[1].id.to_string()];
    let expected: Vec<_> = ids
        .iter()
        .flat_map(|id| [(id.clone(), 1), (id.clone(), 2)])
        .collect();
    assert_eq!(up, expected);
    up.reverse();
    assert_eq!(whole(&world.got(path).await), up);
    // Page by page, there and back.
    let mut walked = Vec::new();
    let mut next = format!("{path}?limit=3");
    loop {
        let page = world.got(&next).await;
        walked.extend(whole(&page));
        match page["next_cursor"].as_str() {
            Some(cursor) => next = format!("{path}?limit=3&cursor={cursor}"),
            None => {
                let back = page["prev_cursor"].as_str().unwrap();
                let page = world.got(&format!("{path}?limit=3&cursor={back}")).await;
                assert_eq!(whole(&page), up[..3]);
                assert_eq!(page["prev_cursor"], json!(null));
                break;
            }
        }
    }
    assert_eq!(walked, up);
}

#[tokio::test(start_paused = true)]
async fn deliveries_and_events_are_filtered() {
    let world = World::new().await;
    let (one, two) = (world.endpoint().await, world.endpoint().await);
    let first = Seed {
        to: &[&one, &two],
        ..Seed::default()
    };
    let (_, mut deliveries) = world.seed(&first).await;
    world.advance(10);
    let second = Seed {
        id: "user-1",
        event_type: "user.made",
        to: &[&two],
        ..Seed::default()
    };
    let (_, mut later) = world.seed(&second).await;
    for row in &mut deliveries {
        world.delivered(row).await;
    }
    let at = world.clock_in(7);
    let waits = DeliveryState::Retrying {
        next_attempt_at: at,
    };
    world.becomes(&mut later[0], waits).await;
    for (path, query, found) in [
        ("events", String::new(), 2),
        ("events", "?event_type=user.made".to_owned(), 1),
        ("events", "?status=delivered".to_owned(), 1),
        ("events", "?status=failed".to_owned(), 0),
        ("events", format!("?endpoint_id={one}"), 1),
        ("events", format!("?endpoint_id={two}"), 2),
        ("events", "?source=/shop".to_owned(), 2),
        ("events", "?source=/other".to_owned(), 0),
        ("events", "?tag=red".to_owned(), 2),
        ("events", "?tag=green".to_owned(), 0),
        ("events", "?after=2026-01-02T03:04:05.678Z".to_owned(), 1),
        ("events", "?before=2026-01-02T03:04:05.678Z".to_owned(), 0),
        ("deliveries", String::new(), 3),
        ("deliveries", format!("?endpoint_id={two}"), 2),
        ("deliveries", "?status=retrying".to_owned(), 1),
        ("deliveries", "?status=delivered".to_owned(), 2),
        ("deliveries", "?status_code=200".to_owned(), 2),
        ("deliveries", "?status_code=404".to_owned(), 0),
        ("deliveries", "?event_type=user.made".to_owned(), 1),
        (
            "deliveries",
            "?before=2026-01-02T03:04:15.678Z".to_owned(),
            2,
        ),
    ] {
        let list = world.got(&format!("/api/v1/{path}{query}")).await;
        assert_eq!(
            list["data"].as_array().unwrap().len(),
            found,
            "{path}{query}"
        );
    }
    let retrying = world.got("/api/v1/deliveries?status=retrying").await;
    assert_eq!(
        retrying["data"][0]["next_attempt_at"],
        "2026-01-02T03:04:22.678Z"
    );
}

#[tokio::test(start_paused = true)]
async fn nobody_reads_what_is_another_tenants() {
    let world = World::new().await;
    let one = world.endpoint().await;
    let seed = Seed {
        to: &[&one],
        ..Seed::default()
    };
    let (_, mut deliveries) = world.seed(&seed).await;
    world.becomes(&mut deliveries[0], DEAD).await;
    world.catch_up().await;
    let id = deliveries[0].id;
    for path in [
        "events/order-1".to_owned(),
        "events/order-1/attempts".to_owned(),
        format!("deliveries/{id}"),
        format!("dlq/{id}"),
    ] {
        let path = format!("/api/v1/{path}");
        assert_eq!(world.get(&path).await.status, StatusCode::OK, "{path}");
        let reply = world.ask_as("other", "GET", &path, "", &[]).await;
        assert_eq!(reply.code(), "not_found", "{path}");
    }
    for list in ["events", "deliveries", "dlq"] {
        for query in [String::new(), format!("?endpoint_id={one}")] {
            let path = format!("/api/v1/{list}{query}");
            let reply = world.ask_as("other", "GET", &path, "", &[]).await;
            assert_eq!(reply.body["data"], json!([]), "{path}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn every_reason_of_a_dead_letter_is_shown_by_its_name() {
    let world = World::new().await;
    let one = world.endpoint().await;
    for (index, (reason, name)) in [
        (DeadLetterReason::AttemptsExhausted, "attempts_exhausted"),
        (DeadLetterReason::PermanentFailure, "permanent_failure"),
        (DeadLetterReason::EndpointDeleted, "endpoint_deleted"),
        (DeadLetterReason::EndpointDisabled, "endpoint_disabled"),
        (DeadLetterReason::Expired, "expired"),
    ]
    .into_iter()
    .enumerate()
    {
        let id = format!("order-{index}");
        let seed = Seed {
            id: &id,
            to: &[&one],
            ..Seed::default()
        };
        let (_, mut deliveries) = world.seed(&seed).await;
        world
            .becomes(&mut deliveries[0], DeliveryState::DeadLettered(reason))
            .await;
        let list = world.got(&format!("/api/v1/dlq?reason={name}")).await;
        assert_eq!(list["data"][0]["event_id"], id.as_str());
        assert_eq!(list["data"].as_array().unwrap().len(), 1);
    }
}
