//! Receivers that answer everything a receiver can: each delivery ends as the rules say.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use end_to_end::receiver::{Answering, Got, Receiver, Reply};
use serde_json::{Value, json};

use crate::world::{SOON, World};

/// How a delivery should end.
#[derive(Clone, Copy)]
struct End {
    status: &'static str,
    reason: Option<&'static str>,
    attempts: usize,
}

const DELIVERED: End = End {
    status: "delivered",
    reason: None,
    attempts: 1,
};
const RETRIED: End = End {
    attempts: 2,
    ..DELIVERED
};
const EXHAUSTED: End = End {
    status: "dead_lettered",
    reason: Some("attempts_exhausted"),
    attempts: 2,
};
const PERMANENT: End = End {
    reason: Some("permanent_failure"),
    attempts: 1,
    ..EXHAUSTED
};

/// A delivery as it ended, and what its receiver got.
struct Ended {
    shown: Value,
    got: Vec<Got>,
    endpoint: Value,
}

impl Ended {
    fn last(&self) -> &Value {
        self.shown["attempts"].as_array().unwrap().last().unwrap()
    }
}

/// Sends one event to a receiver with `script`, and checks its end.
async fn meets(world: &World, script: Vec<Reply>, fields: Value, end: End) -> Ended {
    let what = format!("{script:?}");
    let receiver = Receiver::start(script).await.unwrap();
    meets_receiver(world, &what, &receiver, fields, end).await
}

async fn meets_receiver(
    world: &World,
    what: &str,
    receiver: &Receiver,
    fields: Value,
    end: End,
) -> Ended {
    let api = world.api();
    let endpoint = api.endpoint(&receiver.url(), fields).await.unwrap();
    let delivery = api.send_to(&endpoint, "order.paid").await.unwrap();
    let shown = api.ended(&delivery, SOON).await.unwrap();
    assert_eq!(shown["status"], end.status, "{what}: {shown}");
    assert_eq!(shown["reason"].as_str(), end.reason, "{what}: {shown}");
    assert_eq!(shown["attempt_count"], end.attempts, "{what}: {shown}");
    let got = receiver.got();
    assert_eq!(got.len(), end.attempts, "{what}: {got:?}");
    let ids: Vec<_> = got.iter().map(|got| got.header("webhook-id")).collect();
    assert!(
        ids.iter().all(|id| *id == shown["event_id"]),
        "{what}: {ids:?}"
    );
    let path = format!("/api/v1/endpoints/{}", endpoint.id);
    let endpoint = api.get(&path).await.unwrap();
    Ended {
        shown,
        got,
        endpoint,
    }
}

async fn closes(world: &World, made: u64) {
    let closed = world.api().accounted(made, SOON).await;
    closed.unwrap_or_else(|error| panic!("{error:#}\n{}", world.server.said()));
}

#[tokio::test]
async fn good_answers_deliver() {
    let world = World::new().await;
    for status in [200, 201, 204] {
        let ended = meets(&world, vec![Reply::status(status)], json!({}), DELIVERED).await;
        assert_eq!(ended.last()["status_code"], status);
        assert_eq!(ended.last()["outcome"], "succeeded");
    }
    closes(&world, 3).await;
}

#[tokio::test]
async fn what_no_attempt_would_change_is_dead_at_once() {
    let world = World::new().await;
    for status in [400, 401, 404, 422] {
        let script = vec![Reply::status(status)];
        let ended = meets(&world, script, json!({}), PERMANENT).await;
        assert_eq!(ended.endpoint["is_active"], true);
    }
    let any = json!({"retry": {"schedule": [1], "jitter": 0.0, "retry_on": "any_failure"}});
    let script = vec![Reply::status(404), Reply::status(200)];
    meets(&world, script, any, RETRIED).await;
    closes(&world, 5).await;
}

#[tokio::test]
async fn what_may_pass_is_tried_again() {
    let world = World::new().await;
    for first in [
        Reply::status(408),
        Reply::status(425),
        Reply::status(429),
        Reply::status(500),
        Reply::status(503),
        Reply::Reset,
        Reply::HalfAHead,
    ] {
        let script = vec![first, Reply::status(200)];
        let ended = meets(&world, script, json!({}), RETRIED).await;
        let [first, second] = &ended.got[..] else {
            panic!()
        };
        assert!(second.at - first.at >= Duration::from_secs(1), "early");
        assert_eq!(first.body, second.body);
        assert_eq!(
            (
                first.header("webhook-attempt"),
                second.header("webhook-attempt")
            ),
            ("1", "2")
        );
    }
    let always = meets(&world, vec![Reply::status(500)], json!({}), EXHAUSTED).await;
    assert_eq!(always.last()["status_code"], 500);
    let letters = world.api().get("/api/v1/dlq").await.unwrap();
    assert_eq!(letters["data"].as_array().unwrap().len(), 1, "{letters}");
    assert_eq!(letters["data"][0]["reason"], "attempts_exhausted");
    closes(&world, 8).await;
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let world = World::new().await;
    let elsewhere = Receiver::start(vec![Reply::status(200)]).await.unwrap();
    for status in [301, 302, 307, 308] {
        let script = vec![Reply::with(status, "location", elsewhere.url())];
        let ended = meets(&world, script, json!({}), EXHAUSTED).await;
        assert_eq!(ended.last()["status_code"], status);
    }
    assert!(elsewhere.got().is_empty());
    closes(&world, 4).await;
}

#[tokio::test]
async fn gone_disables() {
    let world = World::new().await;
    let gone = End {
        reason: Some("gone"),
        ..PERMANENT
    };
    let ended = meets(&world, vec![Reply::status(410)], json!({}), gone).await;
    let id = ended.endpoint["id"].as_str().unwrap().to_owned();
    let disabled = end_to_end::until::until("it is disabled", SOON, async || {
        let shown = world.api().get(&format!("/api/v1/endpoints/{id}")).await?;
        Ok(if shown["is_active"] == false {
            Ok(shown)
        } else {
            Err(shown.to_string())
        })
    });
    assert_eq!(disabled.await.unwrap()["disabled_reason"], "gone");
    let event = json!({"event_type": "order.paid", "endpoint_id": id, "payload": 1});
    let refused = world.api().post(event.to_string(), &[]).await.unwrap();
    assert_eq!(
        (refused.status.as_u16(), refused.code().as_str()),
        (422, "endpoint_inactive")
    );
    closes(&world, 1).await;
}

#[allow(
    clippy::disallowed_methods,
    reason = "a date means the machine's clock to the server, too"
)]
fn now() -> SystemTime {
    SystemTime::now()
}

/// Stands for a date that is near when the request arrives.
const A_DATE: &str = "a date";

#[tokio::test]
async fn retry_after_is_heard_within_reason() {
    let world = World::new().await;
    for (after, least) in [
        ("3", Duration::from_secs(3)),
        // In whole seconds: of its four at least three are left.
        (A_DATE, Duration::from_secs(3)),
        ("soon", Duration::from_secs(1)),
        ("-5", Duration::from_secs(1)),
        ("0", Duration::from_secs(1)),
        ("Thu, 01 Jan 1970 00:00:00 GMT", Duration::from_secs(1)),
    ] {
        let answering: Answering = Arc::new(move |got| match got.header("webhook-attempt") {
            "1" if after == A_DATE => {
                let date = httpdate::fmt_http_date(now() + Duration::from_secs(4));
                Reply::with(429, "retry-after", date)
            }
            "1" => Reply::with(429, "retry-after", after),
            _ => Reply::status(200),
        });
        let receiver = Receiver::start_asking(answering).await.unwrap();
        let ended = meets_receiver(&world, after, &receiver, json!({}), RETRIED).await;
        let waited = ended.got[1].at - ended.got[0].at;
        assert!(waited >= least, "{after}: {waited:?}");
        // How long exactly is a table in the domain; an hour, or a day, is none of these.
        assert!(
            waited < least + Duration::from_secs(20),
            "{after}: {waited:?}"
        );
    }
    closes(&world, 6).await;
}

#[tokio::test]
async fn one_that_never_ends_its_answer_is_given_up() {
    let world = World::new().await;
    for reply in [Reply::Hang, Reply::Drip] {
        let fields = json!({"timeout_seconds": 1});
        let ended = meets(&world, vec![reply.clone()], fields, EXHAUSTED).await;
        assert_eq!(ended.last()["error"]["class"], "timeout", "{reply:?}");
        let took = ended.last()["duration_ms"].as_f64().unwrap();
        assert!((1_000.0..3_000.0).contains(&took), "{reply:?}: {took} ms");
    }
    closes(&world, 2).await;
}

#[tokio::test]
async fn of_ten_megabytes_sixteen_kibibytes_are_kept() {
    let world = World::new().await;
    let ended = meets(&world, vec![Reply::Large(10_000_000)], json!({}), DELIVERED).await;
    let kept = ended.last()["response_body"].as_str().unwrap();
    assert_eq!(kept.len(), 16 << 10);
    closes(&world, 1).await;
}

#[tokio::test]
async fn nobody_there_is_a_failure_to_connect() {
    let world = World::new().await;
    let receiver = Receiver::start(vec![Reply::status(200)]).await.unwrap();
    let url = receiver.url();
    drop(receiver);
    let api = world.api();
    let endpoint = api.endpoint(&url, json!({})).await.unwrap();
    let delivery = api.send_to(&endpoint, "order.paid").await.unwrap();
    let shown = api.ended(&delivery, SOON).await.unwrap();
    assert_eq!(shown["reason"], "attempts_exhausted", "{shown}");
    assert_eq!(shown["attempts"][0]["error"]["class"], "connect", "{shown}");
    closes(&world, 1).await;
}
