//! Endpoints that can't keep up, and their neighbours.

use std::time::Duration;

use schemas::topics::Topic;
use serde_json::json;
use tokio::time::Instant;

use crate::world::{Does, World};

#[tokio::test(start_paused = true)]
async fn a_lane_that_lags_is_caught_up_and_its_neighbour_never_waits() {
    let mut world = World::new(1).await;
    world.config.limits.lane_notes = 700;
    let dead = world
        .endpoint(
            1,
            json!({"max_in_flight": 2, "timeout_seconds": 2, "connect_timeout_seconds": 1,
        "retry": {"schedule": {"seconds": vec![60; 50]}, "jitter": 0.0, "retry_on": "transient"}}),
        )
        .await;
    let good = world.endpoint(2, json!({})).await;
    let mut does = vec![Does::Hang; 20];
    does.push(Does::Answer(200));
    world.receivers.set(dead, does);
    let dispatcher = world.dispatcher("a").await;
    for _ in 0..3_000 {
        world.accept(dead).await;
    }
    let begun = Instant::now();
    world.accept(good).await;
    world
        .until("the neighbour has it", |r| r.came(good).len() == 1)
        .await;
    assert!(begun.elapsed() < Duration::from_secs(1));
    // A new owner in the middle of it, and an index that is lost.
    drop(dispatcher);
    let _dispatcher = world.dispatcher("a").await;
    world.outcomes(Topic::Attempts, 3_001).await;
    assert_eq!(world.outcomes(Topic::Attempts, 3_001).await.len(), 3_001);
}

#[tokio::test(start_paused = true)]
async fn a_dead_endpoint_costs_a_probe_now_and_then() {
    let world = World::new(1).await;
    let dead = world.endpoint(1, json!({
        "circuit": {"failures": 5, "window_seconds": 60, "open_seconds": 300},
        "retry": {"schedule": {"seconds": vec![60; 90]}, "jitter": 0.0, "retry_on": "transient"},
    })).await;
    world.receivers.set(dead, vec![Does::Refuse]);
    let _dispatcher = world.dispatcher("a").await;
    for _ in 0..2_000 {
        world.accept(dead).await;
    }
    tokio::time::sleep(Duration::from_secs(3_600)).await;
    let tried = world.receivers.came(dead).len();
    // As many as were out when it opened, and one each five minutes.
    assert!((10..40).contains(&tried), "{tried} requests");
    world.receivers.set(dead, vec![Does::Answer(200)]);
    world.outcomes(Topic::Attempts, 2_000).await;
}
