//! Lanes that lag: the log is the queue.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use dispatcher::{Config, Limits};
use domain::chance::{Chance as _, Seeded};
use schemas::event::Priority;
use serde_json::json;

use crate::receivers::Does;
use crate::world::{World, endpoint, endpoint_id, pass};

/// Small bounds, so that every one of them is met.
fn tight() -> Config {
    Config {
        instance: "a".to_owned(),
        limits: Limits {
            read_records: 16,
            lane_notes: 40,
            fetch_records: 8,
            far_behind: 50,
            ..Limits::default()
        },
        ..Config::default()
    }
}

/// Endpoint 1 hangs until it is told otherwise.
async fn hanging(world: &World) -> Arc<AtomicBool> {
    for number in 1..=2 {
        let mut narrow = endpoint(number, &[1; 30]);
        narrow["max_in_flight"] = json!(4);
        world.put(narrow).await;
    }
    let up = Arc::new(AtomicBool::new(false));
    let is_up = Arc::clone(&up);
    world.receivers.script(endpoint_id(1), move |_, _| {
        if is_up.load(Ordering::SeqCst) {
            Does::Answers(200, Duration::from_millis(1))
        } else {
            Does::Hangs
        }
    });
    up
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_that_hangs_is_no_wait_for_its_neighbour_and_catches_up() {
    let world = World::new(1).await;
    let up = hanging(&world).await;
    let running = world.run("a").await;
    pass(1.0).await;
    for _ in 0..10_000 {
        world.send(1).await;
    }
    pass(2.0).await;
    let sent_at = world.clock_now();
    world.send(2).await;
    pass(1.0).await;
    let got = world.receivers.got_by(endpoint_id(2));
    assert_eq!(got.len(), 1);
    assert!(got[0].at.as_millis() - sent_at < 100);
    up.store(true, Ordering::SeqCst);
    pass(120.0).await;
    for _ in 0..100 {
        world.send(1).await;
    }
    pass(60.0).await;
    let story = world.ended(0).await;
    assert_eq!(story.ends_of(endpoint_id(1)).len(), 10_100);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn with_tight_bounds_and_traffic_that_goes_on_every_lane_goes_live_again() {
    let world = World::with(2, 1, 64).await;
    let up = hanging(&world).await;
    let running = world.run_with(tight()).await;
    for _ in 0..2_000 {
        world.send(1).await;
    }
    pass(5.0).await;
    up.store(true, Ordering::SeqCst);
    for _ in 0..2_000 {
        world.send(1).await;
        world.send(2).await;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    pass(2.0).await;
    let story = world.ended(0).await;
    assert_eq!(story.ends.len(), 6_000);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn crashes_and_an_index_that_breaks_or_has_no_room_lose_nothing() {
    for seed in 0..12 {
        let room = [8, 20, 30, 1_000][usize::try_from(seed % 4).unwrap()];
        let world = World::with(300 + seed, 1, room).await;
        let up = hanging(&world).await;
        let mut chance = Seeded::new(seed);
        let mut running = world.run_with(tight()).await;
        for _ in 0..8 {
            for _ in 0..chance.below(150) {
                let priority = match chance.below(3) {
                    0 => Priority::High,
                    1 => Priority::Low,
                    _ => Priority::Normal,
                };
                let number = 1 + u32::from(chance.one_in(3));
                world.send_as(number, priority, None).await;
            }
            up.store(chance.one_in(2), Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(chance.below(6_000))).await;
            match chance.below(4) {
                0 => {
                    drop(running);
                    running = world.run_with(tight()).await;
                }
                1 => {
                    world.indexes.set_failing(true);
                    pass(0.3).await;
                    world.indexes.set_failing(false);
                }
                2 => {
                    running.stop().await;
                    running = world.run_with(tight()).await;
                }
                _ => {}
            }
        }
        up.store(true, Ordering::SeqCst);
        pass(600.0).await;
        world.ended(0).await;
        running.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_new_owner_does_not_read_the_backlog_first() {
    let world = World::new(4).await;
    let up = hanging(&world).await;
    let running = world.run("a").await;
    for _ in 0..10_000 {
        world.send(1).await;
    }
    pass(10.0).await;
    drop(running);
    up.store(true, Ordering::SeqCst);
    let before = world.receivers.got_by(endpoint_id(1)).len();
    let running = world.run("a").await;
    pass(12.0).await;
    assert!(world.receivers.got_by(endpoint_id(1)).len() > before + 100);
    pass(200.0).await;
    world.ended(0).await;
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn many_that_hang_do_not_fill_the_process() {
    let world = World::new(5).await;
    for number in 1..=101 {
        let mut narrow = endpoint(number, &[1; 30]);
        narrow["max_in_flight"] = json!(4);
        world.put(narrow).await;
    }
    for number in 1..=100 {
        world
            .receivers
            .script(endpoint_id(number), |_, _| Does::Hangs);
    }
    let running = world
        .run_with(Config {
            concurrency: 4_096,
            max_records: 2_000,
            ..tight()
        })
        .await;
    for _ in 0..60 {
        for number in 1..=100 {
            world.send(number).await;
        }
    }
    pass(3.0).await;
    let sent_at = world.clock_now();
    world.send(101).await;
    pass(2.0).await;
    let got = world.receivers.got_by(endpoint_id(101));
    assert_eq!(got.len(), 1, "its neighbours hang");
    assert!(got[0].at.as_millis() - sent_at < 200);
    drop(running);
}
