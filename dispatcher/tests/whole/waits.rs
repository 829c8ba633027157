//! Waiting: herds, clocks that are set, and the last leave to send.

use std::time::Duration;

use dispatcher::{Config, Limits};
use schemas::topics::Topic;

use crate::receivers::Does;
use crate::world::{World, endpoint, endpoint_id, pass};

const QUICK: Duration = Duration::from_millis(10);

/// How many records the tiers of partition 0 have got, fences among them.
async fn waits(world: &World) -> usize {
    let mut many = 0;
    for tier in Topic::all() {
        if let Topic::Retry(_) = tier {
            many += world.records(tier, 0).await.len();
        }
    }
    many
}

#[tokio::test(start_paused = true)]
async fn retries_that_are_due_together_and_find_no_room_come_back_apart() {
    let world = World::new(1).await;
    world.put(endpoint(1, &[1, 2])).await;
    world.receivers.script(endpoint_id(1), |got, _| {
        Does::Answers(if got.number == 1 { 503 } else { 200 }, QUICK)
    });
    let running = world
        .run_with(Config {
            limits: Limits {
                retries_held: 4,
                ..Limits::default()
            },
            ..Config::default()
        })
        .await;
    for _ in 0..400 {
        world.send(1).await;
    }
    // Four a second find room, and more where they are quick.
    pass(120.0).await;
    let story = world.ended(0).await;
    assert_eq!(story.ends.len(), 400);
    let waits = waits(&world).await;
    assert!(waits < 400 * 12, "{waits} records in the tiers");
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn who_asks_for_time_is_asked_again_once_that_is_over() {
    let world = World::new(2).await;
    world.put(endpoint(1, &[1, 1, 1, 1, 1, 1])).await;
    world.receivers.script(endpoint_id(1), |_, before| {
        if before < 100 {
            Does::Asks(429, "30")
        } else {
            Does::Answers(200, QUICK)
        }
    });
    let running = world.run("a").await;
    for _ in 0..100 {
        world.send(1).await;
    }
    // Five bursts of twenty, each of them asked to wait for half a minute.
    pass(5.0 * 30.0 + 60.0).await;
    world.ended(0).await;
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_log_whose_clock_is_set_back_holds_nothing_up() {
    const HOUR: Duration = Duration::from_secs(3_600);
    for is_crash in [false, true] {
        let world = World::new(3).await;
        world.put(endpoint(1, &[8, 20])).await;
        world.receivers.script(endpoint_id(1), |got, _| {
            Does::Answers(if got.number < 3 { 500 } else { 200 }, QUICK)
        });
        let mut running = world.run("a").await;
        for _ in 0..20 {
            world.send(1).await;
        }
        pass(10.0).await;
        let before = waits(&world).await;
        world.clock.set_back(HOUR);
        world.send(1).await;
        if is_crash {
            drop(running);
            running = world.run("a").await;
        }
        // What was in a tier when the clock was set is the log's to tell: it is late by that.
        pass(60.0).await;
        let (got, after) = (world.receivers.got_by(endpoint_id(1)), waits(&world).await);
        let last = got.last().unwrap();
        assert_eq!((last.number, last.status), (3, Some(200)), "{is_crash}");
        assert!(after < before + 80, "{is_crash}: {} hops", after - before);
        pass(HOUR.as_secs_f64()).await;
        let story = world.ended(0).await;
        assert_eq!(story.ends.len(), 21);
        running.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn owners_share_the_last_leave_to_send() {
    let world = World::with(4, 3, 1 << 20).await;
    for number in 0..3 {
        world.put(endpoint(number, &[1])).await;
        world
            .receivers
            .script(endpoint_id(number), |_, _| Does::Answers(200, QUICK));
    }
    let running = world
        .run_with(Config {
            concurrency: 1,
            ..Config::default()
        })
        .await;
    for n in 0..300 {
        world.send(n % 3).await;
    }
    pass(10.0).await;
    for partition in 0..3 {
        assert_eq!(world.ended(partition).await.ends.len(), 100);
    }
    running.stop().await;
}
