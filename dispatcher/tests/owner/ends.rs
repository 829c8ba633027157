//! How deliveries end.

use std::time::Duration;

use schemas::topics::Topic;
use serde_json::json;

use crate::world::{Does, World, said};

#[tokio::test(start_paused = true)]
async fn an_event_is_sent_and_its_outcome_is_in_the_log() {
    let world = World::new(1).await;
    let endpoint = world.endpoint(1, json!({})).await;
    let _dispatcher = world.dispatcher("a").await;
    let id = world.accept(endpoint).await;
    let outcomes = world.outcomes(Topic::Attempts, 1).await;
    let came = world.receivers.came(endpoint);
    assert_eq!(
        (came.len(), came[0].event.as_str(), came[0].attempt),
        (1, id.as_str(), 1)
    );
    assert_eq!(&came[0].body[..], br#"{"n":1}"#);
    let outcome = said(&outcomes[0]);
    assert_eq!(outcome["link"]["origin"], "events/0/0");
    assert_eq!(outcome["link"]["step"], 1);
    assert_eq!(outcome["attempt"]["status"], 200);
}

#[tokio::test(start_paused = true)]
async fn retries_are_never_early_and_end_in_a_dead_letter() {
    let world = World::new(1).await;
    let endpoint = world.endpoint(1, json!({})).await;
    world.receivers.set(endpoint, vec![Does::Answer(500)]);
    let _dispatcher = world.dispatcher("a").await;
    world.accept(endpoint).await;
    let dead = world.outcomes(Topic::DeadLetters, 1).await;
    let came = world.receivers.came(endpoint);
    let attempts: Vec<u32> = came.iter().map(|came| came.attempt).collect();
    assert_eq!(attempts, [1, 2, 3]);
    for (pair, (least, most)) in came.windows(2).zip([(5.0, 5.7), (300.0, 331.0)]) {
        let waited = (pair[1].at - pair[0].at).as_secs_f64();
        assert!(waited >= least && waited <= most, "waited {waited} s");
    }
    let dead = said(&dead[0]);
    assert_eq!(
        (&dead["reason"], &dead["attempts"]),
        (&json!("attempts_exhausted"), &json!(3))
    );
    assert_eq!(dead["attempt"]["status"], 500);
}

#[tokio::test(start_paused = true)]
async fn what_a_receiver_says_decides() {
    let world = World::new(1).await;
    let _dispatcher = world.dispatcher("a").await;
    let gone = world.endpoint(1, json!({})).await;
    world.receivers.set(gone, vec![Does::Answer(410)]);
    let refused = world.endpoint(2, json!({})).await;
    world.receivers.set(refused, vec![Does::Answer(400)]);
    let busy = world.endpoint(3, json!({})).await;
    world
        .receivers
        .set(busy, vec![Does::Wait(429, "60"), Does::Answer(204)]);
    world.accept(gone).await;
    world.accept(refused).await;
    world.accept(busy).await;
    let mut reasons: Vec<String> = world
        .outcomes(Topic::DeadLetters, 2)
        .await
        .iter()
        .map(|record| said(record)["reason"].as_str().unwrap().to_owned())
        .collect();
    reasons.sort_unstable();
    assert_eq!(reasons, ["gone", "permanent_failure"]);
    world.outcomes(Topic::Attempts, 1).await;
    let came = world.receivers.came(busy);
    assert!(came[1].at - came[0].at >= Duration::from_secs(60));
    // The 410 has disabled it: what comes now is not sent.
    world.accept(gone).await;
    let dead = world.outcomes(Topic::DeadLetters, 3).await;
    assert_eq!(said(&dead[2])["reason"], "endpoint_disabled");
    assert_eq!(world.receivers.came(gone).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_deleted_endpoint_ends_what_waits_for_it() {
    let world = World::new(1).await;
    let endpoint = world.endpoint(1, json!({})).await;
    world.receivers.set(endpoint, vec![Does::Refuse]);
    let _dispatcher = world.dispatcher("a").await;
    world.accept(endpoint).await;
    world.outcomes(Topic::Retry("4s".parse().unwrap()), 1).await;
    world
        .endpoint(1, json!({"state": "deleted", "did": "deleted"}))
        .await;
    let dead = world.outcomes(Topic::DeadLetters, 1).await;
    assert_eq!(said(&dead[0])["reason"], "endpoint_deleted");
    assert_eq!(world.receivers.came(endpoint).len(), 1);
}
