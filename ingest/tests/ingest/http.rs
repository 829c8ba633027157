//! The HTTP door, request by request.

use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::body::Body;
use eventlog_port::memory::Faults;
use http::{Request, StatusCode};
use http_body_util::BodyExt as _;
use ingest::{Config, Ingest};
use problem::Caller;
use schemas::accepted::Accepted;
use schemas::actor::Actor;
use schemas::control::EndpointState;
use schemas::ids::DeliveryId;
use schemas::inbox::{Door, InboxEvent};
use schemas::origin::{Acceptance, Run};
use schemas::topics::Topic;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::world::{INBOX, World, endpoint, endpoint_id};

struct Reply {
    status: StatusCode,
    headers: http::HeaderMap,
    body: Value,
}

async fn send(ingest: &Ingest, body: impl Into<Body>, headers: &[(&str, &str)]) -> Reply {
    let mut request = Request::post("/api/v1/events").extension(Caller {
        tenant: "default".parse().unwrap(),
        actor: Actor::Local,
    });
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(body.into()).unwrap();
    let response = ingest.http().oneshot(request).await.unwrap();
    let (head, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    Reply {
        status: head.status,
        headers: head.headers,
        body: serde_json::from_slice(&body).unwrap(),
    }
}

fn event(event_type: &str) -> Value {
    json!({"event_type": event_type, "payload": {"n": 1}})
}

async fn post(ingest: &Ingest, body: &Value) -> Reply {
    send(ingest, body.to_string(), &[]).await
}

async fn world() -> (World, Ingest) {
    let mut world = World::new(1).await;
    world.put(endpoint(1, &["order.*"], None)).await;
    world.put(endpoint(2, &[], None)).await;
    world.put(endpoint(3, &["user.made"], None)).await;
    let ingest = world.ingest(Config::default()).await;
    (world, ingest)
}

async fn inbox(world: &World) -> Vec<(u32, u64, InboxEvent)> {
    let mut all = Vec::new();
    for partition in 0..INBOX {
        for record in world.records(Topic::Inbox, partition).await {
            let offset = record.offset;
            let event = InboxEvent::decode(&record.into_parts()).unwrap();
            all.push((partition, offset, event));
        }
    }
    all
}

#[tokio::test(start_paused = true)]
async fn an_addressed_event_is_one_record_where_its_endpoint_lives() {
    let (world, ingest) = world().await;
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let mut body = event("order.paid");
    body["endpoint_id"] = json!(endpoint_id(1));
    body["priority"] = json!("high");
    body["source"] = json!("/shop");
    body["tags"] = json!(["a", "b"]);
    let headers = [("traceparent", trace)];
    let reply = send(&ingest, body.to_string(), &headers).await;
    assert_eq!(reply.status, StatusCode::ACCEPTED, "{}", reply.body);
    let records = world.records(Topic::Events, 1).await;
    let [record] = <[_; 1]>::try_from(records).unwrap();
    let (acceptance, at) = (Acceptance::events(1, 0), record.appended_at);
    let delivery = DeliveryId::derive(acceptance, at, endpoint_id(1), Run::First);
    let id = reply.body["event_id"].as_str().unwrap().to_owned();
    assert_eq!(
        reply.body,
        json!({
            "event_id": id, "status": "accepted", "duplicate": false, "topic": "events",
            "partition": 1, "offset": 0,
            "deliveries": [{"delivery_id": delivery, "endpoint_id": endpoint_id(1)}],
        })
    );
    let accepted = Accepted::decode(&record.into_parts()).unwrap();
    assert_eq!(accepted.routed, None);
    assert_eq!(accepted.control, 3);
    let addressed = accepted.addressed;
    assert_eq!(addressed.id.as_str(), id);
    assert!(addressed.id.uuid().is_some());
    assert_eq!(addressed.endpoint, endpoint_id(1));
    assert_eq!(addressed.priority.as_str(), "high");
    assert_eq!(addressed.envelope.trace_parent.unwrap().as_str(), trace);
    assert_eq!(addressed.envelope.tags.unwrap().as_str(), "a,b");
    assert_eq!(addressed.envelope.source.as_str(), "/shop");
    assert_eq!(inbox(&world).await, []);
}

#[tokio::test(start_paused = true)]
async fn by_subscription_one_record_says_every_route() {
    let (world, ingest) = world().await;
    let reply = post(&ingest, &event("order.paid")).await;
    assert_eq!(reply.status, StatusCode::ACCEPTED);
    let [(partition, offset, stored)] = <[_; 1]>::try_from(inbox(&world).await).unwrap();
    let Door::Http(door) = stored.door else {
        panic!("not ours")
    };
    let to: Vec<_> = door.routes.as_slice().iter().collect();
    assert_eq!(to.len(), 2);
    assert_eq!((to[0].endpoint, to[0].partition), (endpoint_id(1), 1));
    assert_eq!((to[1].endpoint, to[1].partition), (endpoint_id(2), 2));
    assert_eq!(door.idempotency_window, None);
    let acceptance = Acceptance::inbox(partition, offset);
    let accepted_at = world.records(Topic::Inbox, partition).await[0].appended_at;
    let deliveries: Vec<Value> = [1, 2]
        .map(|number| {
            let id = DeliveryId::derive(acceptance, accepted_at, endpoint_id(number), Run::First);
            json!({"delivery_id": id, "endpoint_id": endpoint_id(number)})
        })
        .to_vec();
    assert_eq!(reply.body["deliveries"], json!(deliveries));
    assert_eq!(reply.body["topic"], "inbox");
}

#[tokio::test(start_paused = true)]
async fn what_nobody_subscribes_to_is_stored_all_the_same() {
    let (world, ingest) = world().await;
    let only = endpoint(2, &["never.sent"], Some(1));
    world.put(only).await;
    let reply = post(&ingest, &event("nothing.known")).await;
    assert_eq!(reply.status, StatusCode::ACCEPTED);
    assert_eq!(reply.body["status"], "no_route");
    assert_eq!(reply.body["deliveries"], json!([]));
    assert_eq!(inbox(&world).await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn payloads_arrive_byte_for_byte() {
    let (world, ingest) = world().await;
    let payloads = [
        r#"{"amount": 99.90, "id":9007199254740993,  "a":1,"a":2, "e":"\u00e9","é":"é" }"#,
        "[1.0e+2,\t-0 , \"\\ud800\"]",
        "\"text\"",
        "null",
        "0.10",
    ];
    for payload in payloads {
        let body = format!("{{\"payload\" : {payload} ,\"event_type\":\"a\"}}");
        let reply = send(&ingest, body, &[]).await;
        assert_eq!(reply.status, StatusCode::ACCEPTED, "{}", reply.body);
        let at = reply.body["offset"].as_u64().unwrap();
        let partition = reply.body["partition"].as_u64().unwrap();
        let stored = inbox(&world).await;
        let found = stored
            .iter()
            .find(|(p, o, _)| (u64::from(*p), *o) == (partition, at));
        assert_eq!(found.unwrap().2.payload, payload.as_bytes());
    }
}

#[tokio::test(start_paused = true)]
async fn endpoints_that_cannot_take_it() {
    let (world, ingest) = world().await;
    let mut disabled = endpoint(2, &[], Some(1));
    disabled.state = EndpointState::Disabled;
    world.put(disabled).await;
    for (number, status, code) in [
        (9, StatusCode::NOT_FOUND, "endpoint_not_found"),
        (2, StatusCode::UNPROCESSABLE_ENTITY, "endpoint_inactive"),
        (
            3,
            StatusCode::UNPROCESSABLE_ENTITY,
            "endpoint_not_subscribed",
        ),
    ] {
        let mut body = event("order.paid");
        body["endpoint_id"] = json!(endpoint_id(number));
        let reply = post(&ingest, &body).await;
        assert_eq!(reply.status, status);
        assert_eq!(reply.body["code"], code);
    }
    for partition in 0..4 {
        assert!(world.records(Topic::Events, partition).await.is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn a_repeat_is_answered_with_its_first_and_another_payload_refused() {
    let (world, ingest) = world().await;
    let mut body = event("order.paid");
    body["endpoint_id"] = json!(endpoint_id(1));
    let key = [("idempotency-key", "k1")];
    let first = send(&ingest, body.to_string(), &key).await;
    assert_eq!(first.status, StatusCode::ACCEPTED);
    assert_eq!(first.body["topic"], "inbox");
    assert!(!first.headers.contains_key("idempotent-replayed"));
    let again = send(&ingest, body.to_string(), &key).await;
    assert_eq!(again.status, StatusCode::ACCEPTED);
    assert_eq!(again.headers["idempotent-replayed"], "true");
    let mut expected = first.body.clone();
    expected["duplicate"] = json!(true);
    assert_eq!(again.body, expected);
    let other = body.to_string().replace("{\"n\":1}", "{\"n\": 1}");
    let other = send(&ingest, other, &key).await;
    assert_eq!(other.status, StatusCode::CONFLICT);
    assert_eq!(other.body["code"], "idempotency_mismatch");
    assert_eq!(inbox(&world).await.len(), 1);
    // Once the window is over it is another event.
    tokio::time::advance(Duration::from_secs(24 * 3_600)).await;
    let later = send(&ingest, body.to_string(), &key).await;
    assert_eq!(later.body["duplicate"], false);
    assert_ne!(later.body["event_id"], first.body["event_id"]);
}

#[tokio::test(start_paused = true)]
async fn an_event_id_is_the_key_too() {
    let (world, ingest) = world().await;
    let mut body = event("order.paid");
    body["event_id"] = json!("order-7");
    let first = post(&ingest, &body).await;
    assert_eq!(first.body["event_id"], "order-7");
    assert_eq!(post(&ingest, &body).await.body["duplicate"], true);
    body["idempotency_key"] = json!("order-7");
    assert_eq!(post(&ingest, &body).await.body["duplicate"], true);
    body["idempotency_key"] = json!("other");
    let refused = post(&ingest, &body).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(refused.body["errors"][0]["pointer"], "/idempotency_key");
    let [(_, _, stored)] = <[_; 1]>::try_from(inbox(&world).await).unwrap();
    assert_eq!(stored.idempotency_key.unwrap().as_str(), "order-7");
}

#[tokio::test(start_paused = true)]
async fn with_the_keyed_store_down_events_are_still_taken() {
    let (world, ingest) = world().await;
    world.keys.down.store(true, Ordering::SeqCst);
    let reply = send(&ingest, event("a").to_string(), &[("idempotency-key", "k")]).await;
    assert_eq!(reply.status, StatusCode::ACCEPTED);
}

#[tokio::test(start_paused = true)]
async fn what_the_log_does_not_confirm_is_never_a_202() {
    let (world, ingest) = world().await;
    let cases = [
        (
            Faults {
                refuse_one_in: 1,
                ..Faults::default()
            },
            "log_unavailable",
        ),
        (
            Faults {
                lose_answer_one_in: 1,
                ..Faults::default()
            },
            "log_unconfirmed",
        ),
        (
            Faults {
                vanish_one_in: 1,
                ..Faults::default()
            },
            "log_unconfirmed",
        ),
        (
            Faults {
                latency: Duration::from_secs(1_000),
                ..Faults::default()
            },
            "log_unconfirmed",
        ),
    ];
    for (faults, code) in cases {
        world.log.set_faults(faults);
        let reply = post(&ingest, &event("order.paid")).await;
        assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(reply.body["code"], code);
        assert!(reply.headers.contains_key("retry-after"));
    }
    world.log.set_faults(Faults::default());
    world.log.cut_power();
    let broken = post(&ingest, &event("order.paid")).await;
    assert_eq!(broken.status, StatusCode::SERVICE_UNAVAILABLE);
    let mended = post(&ingest, &event("order.paid")).await;
    assert_eq!(mended.status, StatusCode::ACCEPTED, "a new writer is made");
}

#[tokio::test(start_paused = true)]
async fn a_log_that_takes_no_more_refuses_soon() {
    let (mut world, _) = world().await;
    let config = Config {
        max_in_flight: 2,
        ..Config::default()
    };
    let ingest = world.ingest(config).await;
    world.log.set_faults(Faults {
        latency: Duration::from_secs(5),
        ..Faults::default()
    });
    let begun = tokio::time::Instant::now();
    let body = event("order.paid");
    let replies = futures_util::future::join_all((0..3).map(|_| post(&ingest, &body))).await;
    let statuses: Vec<_> = replies.iter().map(|reply| reply.status.as_u16()).collect();
    assert_eq!(statuses, [202, 202, 503]);
    assert_eq!(replies[2].body["code"], "overloaded");
    assert!(begun.elapsed() >= Duration::from_millis(500));
}

#[tokio::test(start_paused = true)]
async fn what_is_not_built_says_so() {
    let (world, ingest) = world().await;
    let mut ordered = event("a");
    ordered["ordering_key"] = json!("customer-7");
    let reply = post(&ingest, &ordered).await;
    assert_eq!(reply.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(reply.body["code"], "not_supported_yet");
    assert_eq!(reply.body["errors"][0]["pointer"], "/ordering_key");
    let request = Request::post("/api/v1/events/batch").body(Body::empty());
    let response = ingest.http().oneshot(request.unwrap()).await.unwrap();
    assert_eq!(response.status(), StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(inbox(&world).await, []);
}

/// What the envelope of a CloudEvent's record says.
fn said(event: &InboxEvent) -> [Option<&str>; 5] {
    let envelope = &event.envelope;
    [
        Some(envelope.event_type.as_str()),
        Some(envelope.source.as_str()),
        envelope.given_id.as_ref().map(|id| id.as_str()),
        envelope.time.as_ref().map(|time| time.as_str()),
        envelope.content_type.as_ref().map(|text| text.as_str()),
    ]
}

#[tokio::test(start_paused = true)]
async fn a_cloud_event_is_the_same_in_each_mode_and_its_id_is_no_event_id() {
    let data = "{\"n\": 99.90}";
    let time = "2026-11-28T07:00:00.5+01:00";
    let mut records = Vec::new();
    for mode in ["binary", "structured", "batch"] {
        let (world, ingest) = world().await;
        let json = format!(
            r#"{{"specversion":"1.0","id":"42","source":"/shop","type":"order.paid",
                "time":"{time}","region":"eu","data":{data}}}"#
        );
        let reply = match mode {
            "binary" => {
                let headers = [
                    ("ce-specversion", "1.0"),
                    ("ce-id", "42"),
                    ("ce-source", "/shop"),
                    ("ce-type", "order.paid"),
                    ("ce-time", time),
                    ("ce-region", "\"e%75\""),
                ];
                send(&ingest, data, &headers).await
            }
            "structured" => {
                let media_type = "application/cloudevents+json; charset=utf-8";
                send(&ingest, json, &[("content-type", media_type)]).await
            }
            _ => {
                let media_type = "Application/CloudEvents-batch+json";
                send(
                    &ingest,
                    format!("[{json}]"),
                    &[("content-type", media_type)],
                )
                .await
            }
        };
        assert_eq!(reply.status, StatusCode::ACCEPTED, "{mode}: {}", reply.body);
        let answer = if mode == "batch" {
            &reply.body["results"][0]
        } else {
            &reply.body
        };
        assert_eq!(answer["status"], "accepted", "{mode}");
        assert_eq!(answer["deliveries"].as_array().unwrap().len(), 2);
        let [(_, _, event)] = <[_; 1]>::try_from(inbox(&world).await).unwrap();
        let Door::Http(door) = &event.door else {
            panic!("{event:?}")
        };
        assert_eq!(answer["event_id"], door.id.as_str());
        assert_ne!(door.id.as_str(), "42");
        let wanted = ["order.paid", "/shop", "42", time].map(Some);
        assert_eq!(said(&event)[..4], wanted, "{mode}");
        assert_eq!(said(&event)[4], Some("application/json"), "{mode}");
        assert_eq!(event.payload, data, "{mode}");
        let [region] = &event.envelope.extensions[..] else {
            panic!("{event:?}")
        };
        assert_eq!((region.name(), region.value()), ("region", "eu"));
        records.push(event.idempotency_key);
    }
    assert!(
        records
            .iter()
            .all(|key| *key == records[0] && key.is_some())
    );
}

#[tokio::test(start_paused = true)]
async fn a_batch_is_taken_item_by_item() {
    let (world, ingest) = world().await;
    let good = |id: &str| json!({"specversion": "1.0", "id": id, "source": "/shop", "type": "order.paid", "data": 1});
    let mut bad = good("2");
    bad["type"] = Value::Null;
    let batch = json!([good("1"), bad, good("3"), {"no": "event"}]);
    let headers = [("content-type", "application/cloudevents-batch+json")];
    let reply = send(&ingest, batch.to_string(), &headers).await;
    assert_eq!(reply.status, StatusCode::ACCEPTED);
    let statuses: Vec<_> = reply.body["results"].as_array().unwrap().iter().collect();
    let status = |at: usize| statuses[at]["status"].as_str().unwrap();
    assert_eq!(
        [status(0), status(1), status(2), status(3)],
        ["accepted", "refused", "accepted", "refused"]
    );
    assert_eq!(statuses[1]["problem"]["code"], "event_type_missing");
    assert_eq!(statuses[1]["problem"]["errors"][0]["pointer"], "/type");
    let kept: Vec<_> = inbox(&world).await;
    assert_eq!(kept.len(), 2);
    // The same ids again are the same events.
    let again = send(&ingest, batch.to_string(), &headers).await;
    assert_eq!(again.body["results"][0]["duplicate"], true);
    assert_eq!(
        again.body["results"][0]["event_id"],
        statuses[0]["event_id"]
    );
    assert_eq!(inbox(&world).await.len(), 2);
    let none = send(&ingest, "[]", &headers).await;
    assert_eq!(none.status, StatusCode::ACCEPTED);
    assert_eq!(none.body["results"], json!([]));
    let over: Vec<_> = (0..1_001).map(|n| good(&n.to_string())).collect();
    let over = send(&ingest, json!(over).to_string(), &headers).await;
    assert_eq!(over.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(over.body["code"], "batch_too_large");
    let keyed = [headers[0], ("idempotency-key", "k")];
    let keyed = send(&ingest, "[]", &keyed).await;
    assert_eq!(keyed.status, StatusCode::UNPROCESSABLE_ENTITY);
    world.log.set_faults(Faults {
        refuse_one_in: 1,
        ..Faults::default()
    });
    let away = send(&ingest, json!([good("8"), good("9")]).to_string(), &headers).await;
    assert_eq!(away.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(away.headers.contains_key("retry-after"));
}

#[tokio::test(start_paused = true)]
async fn metrics_have_the_names_of_the_interface() {
    let (world, ingest) = world().await;
    post(&ingest, &event("order.paid")).await;
    post(&ingest, &json!({})).await;
    send(&ingest, "{", &[]).await;
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &world.registry).unwrap();
    for line in [
        "events_accepted_total 1",
        "events_rejected_total{reason=\"event_type_missing\"} 1",
        "events_rejected_total{reason=\"invalid_json\"} 1",
        "ingest_duration_seconds_count 1",
        "append_duration_seconds_count 1",
    ] {
        assert!(text.lines().any(|l| l == line), "{line} in\n{text}");
    }
}
