//! Statistics and accounts.

use projections_port::{DeliveryState, ViewWriter as _};
use serde_json::json;

use super::seeds::{DEAD, Seed};
use super::world::World;

#[tokio::test(start_paused = true)]
async fn accounts_close_over_deleted_endpoints_too() {
    let world = World::new().await;
    let (one, two) = (world.endpoint().await, world.endpoint().await);
    let states = [
        DeliveryState::Delivered,
        DEAD,
        DeliveryState::Discarded,
        DeliveryState::Cancelled,
        DeliveryState::Retrying {
            next_attempt_at: world.clock_in(5),
        },
    ];
    for (index, state) in states.into_iter().enumerate() {
        let id = format!("order-{index}");
        let seed = Seed {
            id: &id,
            to: &[&one, &two],
            ..Seed::default()
        };
        let (_, mut deliveries) = world.seed(&seed).await;
        world.becomes(&mut deliveries[0], state).await;
    }
    let nowhere = Seed {
        id: "nowhere",
        ..Seed::default()
    };
    world.seed(&nowhere).await;
    let path = format!("/api/v1/endpoints/{two}");
    world.ask("DELETE", &path, "").await;
    world.catch_up().await;
    let accounting = world.got("/api/v1/accounting").await;
    let all = json!({
        "made": 10, "pending": 5, "retrying": 1, "delivered": 1, "dead_lettered": 1, "discarded": 1,
        "cancelled": 1, "unaccounted": 0,
    });
    assert_eq!(accounting["deliveries"], all);
    assert_eq!(
        accounting["events"],
        json!({"no_route": 1, "duplicate": 0, "idempotency_conflict": 0})
    );
    assert_eq!(accounting["is_exact"], true);
    let endpoints = accounting["endpoints"].as_array().unwrap();
    let made = endpoints.iter().map(|of| of["made"].as_u64().unwrap());
    assert_eq!(made.collect::<Vec<_>>(), [5, 5]);
    let inbox = json!({"topic": "inbox", "partition": 0, "offset": 6});
    assert!(accounting["as_of"].as_array().unwrap().contains(&inbox));
    let only = world
        .got(&format!("/api/v1/accounting?endpoint_id={two}"))
        .await;
    assert_eq!(only["endpoints"][0]["pending"], 5);
    let stats = world.got("/api/v1/stats").await;
    assert_eq!(stats["deliveries"], all);
    assert_eq!(
        stats["endpoints"],
        json!({"total": 1, "active": 1, "disabled": 0, "paused": 0})
    );
    let other = world
        .ask_as("other", "GET", "/api/v1/accounting", "", &[])
        .await;
    assert_eq!(other.body["deliveries"]["made"], 0);
    assert_eq!(other.body["endpoints"], json!([]));
    let of_another = format!("/api/v1/accounting?endpoint_id={one}");
    let other = world.ask_as("other", "GET", &of_another, "", &[]).await;
    assert_eq!(other.body["endpoints"][0]["made"], 0);
}

/// Counts of a write that readers are not told of yet are above the offsets.
#[tokio::test(start_paused = true)]
async fn the_accounting_is_not_exact_while_a_write_is_half_done() {
    let world = World::new().await;
    let one = world.endpoint().await;
    let to = [one.as_str()];
    let seed = |id| Seed {
        id,
        to: &to,
        ..Seed::default()
    };
    world.seed(&seed("told")).await;
    world.catch_up().await;
    assert_eq!(world.got("/api/v1/accounting").await["is_exact"], true);
    world.views.tell_no_more();
    world.seed(&seed("half-done")).await;
    let accounting = world.got("/api/v1/accounting").await;
    assert_eq!(accounting["deliveries"]["made"], 2);
    assert_eq!(accounting["is_exact"], false);
    world.views.settle().await.unwrap();
    assert_eq!(world.got("/api/v1/accounting").await["is_exact"], true);
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_says_how_it_does() {
    let world = World::new().await;
    let one = world.endpoint().await;
    let path = format!("/api/v1/endpoints/{one}/stats");
    let idle = world.got(&path).await;
    assert_eq!(
        (&idle["health"], &idle["latency_ms"], &idle["circuit_state"]),
        (&json!("idle"), &json!(null), &json!("closed"))
    );
    world.minute(&one, 95, 5).await;
    world.advance(2 * 3_600);
    world.minute(&one, 9, 1).await;
    let stats = world.got(&path).await;
    assert_eq!(
        stats["attempts_1h"],
        json!({"succeeded": 9, "failed": 1, "success_rate": 0.9})
    );
    assert_eq!(stats["attempts_24h"]["succeeded"], 104);
    assert_eq!(stats["health"], "degraded");
    assert_eq!(stats["latency_ms"]["mean"], 1.5);
    world.advance(23 * 3_600);
    let later = world.got(&path).await;
    assert_eq!(later["attempts_1h"]["success_rate"], json!(null));
    assert_eq!(later["attempts_24h"]["succeeded"], 9);
}
