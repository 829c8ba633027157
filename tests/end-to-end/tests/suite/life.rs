//! Cases from life.

use std::time::Duration;

use end_to_end::client::Connection;
use end_to_end::receiver::{Got, Receiver, Reply};
use end_to_end::until::until;
use end_to_end::verifiers::{Signed, verdicts};
use http::Method;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::world::{SOON, World, github};

async fn good() -> Receiver {
    Receiver::start(vec![Reply::status(200)]).await.unwrap()
}

fn signed(got: &Got, secret: &str) -> Signed {
    Signed {
        headers: got.headers.clone(),
        body: got.body.to_vec(),
        secret: secret.to_owned(),
    }
}

/// Libraries that know the secrets of Standard Webhooks only as `whsec_…`, and the ones of the older form.
fn accepts(verdicts: &std::collections::BTreeMap<String, Option<String>>, library: &str) {
    let (name, refusal) = verdicts
        .iter()
        .find(|(name, _)| name.contains(library))
        .unwrap();
    assert_eq!(*refusal, None, "{name}");
}

#[tokio::test]
async fn invoice_paid_reaches_three_and_every_library_accepts_it() {
    let world = World::new().await;
    let api = world.api();
    let receivers = [good().await, good().await, good().await];
    let secrets = [
        json!({}),
        json!({"secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}),
        json!({"secret": "any string, as the older form has it", "signing": "stripe"}),
    ];
    let mut endpoints = Vec::new();
    for (receiver, mut fields) in receivers.iter().zip(secrets) {
        fields["event_types"] = json!(["invoice.*"]);
        endpoints.push(api.endpoint(&receiver.url(), fields).await.unwrap());
    }
    let invoice = r#"{"object":"invoice","id":"in_1","amount_paid":9990,"customer_name":"Zoë"}"#;
    let body = format!(r#"{{"event_type":"invoice.paid","payload":{invoice}}}"#);
    let reply = api.post(body, &[]).await.unwrap();
    assert_eq!(reply.status, 202, "{reply:?}");
    assert_eq!(
        reply.json().unwrap()["deliveries"]
            .as_array()
            .unwrap()
            .len(),
        3
    );
    let mut requests = Vec::new();
    for (receiver, endpoint) in receivers.iter().zip(&endpoints) {
        let got = receiver.wait_for(1, SOON).await.unwrap();
        assert_eq!(got[0].body, invoice.as_bytes());
        requests.push(signed(&got[0], &endpoint.secret));
    }
    let all = verdicts(&requests).unwrap();
    accepts(&all[0], "standardwebhooks (Python)");
    accepts(&all[1], "standardwebhooks (JavaScript)");
    accepts(&all[2], "stripe (Python)");
    // The older form alone has such secrets.
    for verdicts in &all[..2] {
        assert!(verdicts.values().all(Option::is_none), "{verdicts:?}");
    }
    api.accounted(3, SOON).await.unwrap();
}

#[tokio::test]
async fn an_order_arrives_byte_for_byte() {
    let world = World::new().await;
    let api = world.api();
    let receiver = good().await;
    api.endpoint(&receiver.url(), json!({})).await.unwrap();
    let order = "{ \"total\": 99.90,\t\"id\":9007199254740993, \"tag\":\"a\", \"tag\":\"b\",\r\n \
                 \"name\":\"Caf\\u00e9 é\", \"e\":1.0E+2, \"z\": -0, \"pair\":\"\\ud83d\\ude00 😀\" }";
    let body = format!("{{\"event_type\":\"orders/create\",  \"payload\" : {order} }}");
    let accepted = api.post(body, &[]).await.unwrap().json().unwrap();
    let got = receiver.wait_for(1, SOON).await.unwrap();
    assert_eq!(
        Sha256::digest(&got[0].body),
        Sha256::digest(order.as_bytes())
    );
    assert_eq!(got[0].header("content-type"), "application/json");
    assert_eq!(got[0].header("x-webhook-event-type"), "orders/create");
    let id = accepted["event_id"].as_str().unwrap();
    let path = format!("/api/v1/events/{id}");
    // As it was written: whoever parses it loses digits.
    let shown = until("it is shown", SOON, async || {
        let mut asking = Connection::open(world.server.address()).await?;
        let shown = asking.call(Method::GET, &path, &[], "".into()).await?;
        Ok(if shown.status == 404 {
            Err(format!("{shown:?}"))
        } else {
            Ok(shown)
        })
    });
    let shown = shown.await.unwrap();
    let shown = String::from_utf8(shown.body.to_vec()).unwrap();
    assert!(
        shown.contains("9007199254740993") && shown.contains("99.90"),
        "{shown}"
    );
    api.accounted(1, SOON).await.unwrap();
}

/// GitHub's `push` with as many commits as it takes.
fn push(bytes: usize) -> String {
    let whole: serde_json::Value = serde_json::from_str(&github("push")).unwrap();
    let commit = json!({
        "id": "0d1a26e67d8f5eaf1f6ba5c57fc3c7d91ac0fd1c", "message": "Update README.md",
        "author": {"name": "Codertocat", "email": "21031067+Codertocat@users.noreply.github.com"},
        "added": [], "removed": [], "modified": ["README.md"],
    });
    let mut whole = whole;
    let bare = whole.to_string().len();
    let commits = (bytes - bare) / (commit.to_string().len() + 1);
    whole["commits"] = vec![commit; commits].into();
    whole.to_string()
}

#[tokio::test]
async fn a_large_push_reaches_a_slow_reader_and_a_larger_one_is_refused() {
    let world = World::new().await;
    let api = world.api();
    let pause = Duration::from_millis(40);
    let receiver = Receiver::start_slow(vec![Reply::status(200)], 32 << 10, pause)
        .await
        .unwrap();
    api.endpoint(&receiver.url(), json!({})).await.unwrap();
    let payload = push(900 << 10);
    assert!(payload.len() > 850 << 10);
    let body = format!(r#"{{"event_type":"github.push","payload":{payload}}}"#);
    let accepted = api.post(body, &[]).await.unwrap();
    assert_eq!(accepted.status, 202, "{accepted:?}");
    let got = receiver.wait_for(1, SOON).await.unwrap();
    assert_eq!(
        Sha256::digest(&got[0].body),
        Sha256::digest(payload.as_bytes())
    );
    let larger = push(1_100 << 10);
    let body = format!(r#"{{"event_type":"github.push","payload":{larger}}}"#);
    let refused = api.post(body, &[]).await.unwrap();
    assert_eq!(
        (refused.status.as_u16(), refused.code().as_str()),
        (413, "payload_too_large")
    );
    let closed = api.accounted(1, SOON).await.unwrap();
    assert_eq!(closed["events"]["no_route"], 0, "{closed}");
    assert_eq!(receiver.got().len(), 1);
}

#[tokio::test]
async fn a_producer_that_repeats_after_a_cut_connection() {
    let world = World::new().await;
    let api = world.api();
    let receiver = good().await;
    api.endpoint(&receiver.url(), json!({})).await.unwrap();
    let body = r#"{"event_type":"order.paid","payload":{"order":7}}"#;
    // It sends everything, and never hears what became of it.
    let mut cut = TcpStream::connect(world.server.address()).await.unwrap();
    let head = format!(
        "POST /api/v1/events HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\n\
         idempotency-key: order-7\r\ncontent-length: {}\r\n\r\n{body}",
        world.server.address(),
        body.len()
    );
    cut.write_all(head.as_bytes()).await.unwrap();
    drop(cut);
    let key = [("idempotency-key", "order-7")];
    let first = api.post(body, &key).await.unwrap();
    assert_eq!(first.status, 202, "{first:?}");
    receiver.wait_for(1, SOON).await.unwrap();
    let closed = api.accounted(1, SOON).await.unwrap();
    let again = api.post(body, &key).await.unwrap();
    assert_eq!(again.status, 202, "{again:?}");
    assert_eq!(again.headers["idempotent-replayed"], "true");
    assert_eq!(again.json().unwrap()["duplicate"], true);
    let other = api.post(body.replace('7', "8"), &key).await.unwrap();
    assert_eq!(
        (other.status.as_u16(), other.code().as_str()),
        (409, "idempotency_mismatch")
    );
    api.accounted(1, SOON).await.unwrap();
    // Whichever of the two the router had decided to be the first, one arrived.
    assert_eq!(receiver.got().len(), 1, "{closed}");
    let got = receiver.got();
    assert_eq!(
        got[0].header("webhook-id"),
        again.json().unwrap()["event_id"].as_str().unwrap()
    );
}

#[tokio::test]
async fn githubs_events_arrive_as_they_are() {
    let world = World::new().await;
    let api = world.api();
    let receiver = good().await;
    api.endpoint(&receiver.url(), json!({"event_types": ["github.*"]}))
        .await
        .unwrap();
    let names = [
        "pull_request.opened",
        "issues.opened",
        "star.created",
        "release.published",
        "check_run.completed",
    ];
    for name in names {
        let body = format!(
            r#"{{"event_type":"github.{name}","payload":{}}}"#,
            github(name)
        );
        assert_eq!(api.post(body, &[]).await.unwrap().status, 202, "{name}");
    }
    let unheard = json!({"event_type": "gitlab.push", "payload": 1});
    assert_eq!(api.send(&unheard).await.unwrap()["status"], "no_route");
    let got = receiver.wait_for(names.len(), SOON).await.unwrap();
    for got in &got {
        let name = got
            .header("x-webhook-event-type")
            .strip_prefix("github.")
            .unwrap();
        assert_eq!(got.body, github(name).as_bytes(), "{name}");
    }
    api.accounted(5, SOON).await.unwrap();
    // Deliveries say nothing of it: it is folded from other partitions, perhaps later.
    let nowhere = until("one has no route", SOON, async || {
        let shown = api.look("/api/v1/accounting").await?;
        Ok(
            shown.and_then(|shown| match shown["events"]["no_route"].as_u64() {
                Some(0) => Err(shown.to_string()),
                _ => Ok(shown),
            }),
        )
    });
    let nowhere = nowhere.await.unwrap();
    assert_eq!(nowhere["events"]["no_route"], 1, "{nowhere}");
}
