//! One owner after another.

use std::collections::BTreeMap;
use std::time::Duration;

use eventlog_port::memory::Faults;
use schemas::topics::Topic;
use serde_json::json;
use tokio::time::sleep;

use crate::world::{Does, World};

#[tokio::test(start_paused = true)]
async fn after_a_crash_only_what_was_in_flight_is_sent_again() {
    let world = World::new(1).await;
    let endpoint = world.endpoint(1, json!({"max_in_flight": 4})).await;
    let dispatcher = world.dispatcher("a").await;
    for _ in 0..200 {
        world.accept(endpoint).await;
    }
    world
        .until("half are sent", |r| r.came(endpoint).len() >= 100)
        .await;
    drop(dispatcher);
    let _dispatcher = world.dispatcher("a").await;
    world.outcomes(Topic::Attempts, 200).await;
    let mut times: BTreeMap<String, usize> = BTreeMap::new();
    for came in world.receivers.came(endpoint) {
        *times.entry(came.event).or_default() += 1;
    }
    assert_eq!(times.len(), 200);
    let again: usize = times.values().map(|times| times - 1).sum();
    // What was on the wire, and what had come back and was not durable.
    assert!(again <= 8, "{again} were sent again");
    assert_eq!(world.outcomes(Topic::Attempts, 200).await.len(), 200);
}

#[tokio::test(start_paused = true)]
async fn one_that_is_stopped_leaves_nothing_to_be_sent_again() {
    let world = World::new(1).await;
    let endpoint = world.endpoint(1, json!({})).await;
    let dispatcher = world.dispatcher("a").await;
    for _ in 0..100 {
        world.accept(endpoint).await;
    }
    world
        .until("some are sent", |r| r.came(endpoint).len() >= 30)
        .await;
    dispatcher.stop().await;
    let _dispatcher = world.dispatcher("b").await;
    world.outcomes(Topic::Attempts, 100).await;
    assert_eq!(world.receivers.came(endpoint).len(), 100);
}

#[tokio::test(start_paused = true)]
async fn appends_that_fail_or_land_unknown_lose_and_double_nothing() {
    let world = World::new(1).await;
    let endpoint = world.endpoint(1, json!({})).await;
    world.receivers.set(endpoint, vec![Does::Answer(200)]);
    let _dispatcher = world.dispatcher("a").await;
    sleep(Duration::from_secs(1)).await;
    for round in 0..20 {
        for _ in 0..20 {
            world.accept(endpoint).await;
        }
        world.log.set_faults(Faults {
            refuse_one_in: u64::from(round % 3 == 0) * 10,
            lose_answer_one_in: u64::from(round % 3 == 1) * 10,
            late_one_in: u64::from(round % 3 == 2) * 10,
            late_by: Duration::from_millis(500),
            ..Faults::default()
        });
        sleep(Duration::from_millis(300)).await;
        world.log.set_faults(Faults::default());
    }
    let outcomes = world.outcomes(Topic::Attempts, 400).await;
    let mut origins: Vec<String> = outcomes
        .iter()
        .map(|record| crate::world::said(record)["link"]["origin"].to_string())
        .collect();
    origins.sort_unstable();
    origins.dedup();
    assert_eq!(origins.len(), 400);
    assert_eq!(
        world.receivers.came(endpoint).len(),
        400,
        "only a crash repeats an attempt"
    );
}
