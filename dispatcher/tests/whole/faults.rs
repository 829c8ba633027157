//! Crashes, logs that refuse and lie, partitions that go and come: each input has one outcome, and
//! everything ends.

use std::time::Duration;

use dispatcher::Config;
use domain::chance::{Chance as _, Seeded};
use eventlog_port::memory::Faults;
use schemas::topics::Topic;

use crate::oracle::End;
use crate::receivers::Does;
use crate::world::{World, endpoint, endpoint_id, pass};

/// Endpoints that answer well, fail now and then, hang, and are always down.
async fn endpoints(world: &World) {
    for number in 1..=4 {
        world.put(endpoint(number, &[1, 2, 4])).await;
    }
    let quick = Duration::from_millis(2);
    world.receivers.script(endpoint_id(2), move |_, before| {
        Does::Answers(if before % 3 == 0 { 500 } else { 200 }, quick)
    });
    world
        .receivers
        .script(endpoint_id(3), |_, before| match before % 7 {
            0 => Does::Hangs,
            _ => Does::Answers(200, Duration::from_millis(400)),
        });
    world
        .receivers
        .script(endpoint_id(4), |_, _| Does::Answers(500, Duration::ZERO));
}

async fn send_some(world: &World, chance: &mut Seeded, events: u64) {
    for _ in 0..events {
        let number = 1 + u32::try_from(chance.below(4)).unwrap();
        world.send(number).await;
        if chance.one_in(4) {
            tokio::time::sleep(Duration::from_millis(chance.below(200))).await;
        }
    }
}

/// How often receivers got what they had answered with a 2xx before.
fn repeats(world: &World) -> usize {
    let mut seen = std::collections::BTreeSet::new();
    let got = world.receivers.got().into_iter();
    got.filter(|got| got.status.is_some_and(|status| status < 300))
        .filter(|got| !seen.insert((got.endpoint, got.event.clone())))
        .count()
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_in_between_repeats_nothing() {
    let world = World::new(1).await;
    endpoints(&world).await;
    let mut chance = Seeded::new(1);
    for _ in 0..4 {
        let running = world.run("a").await;
        send_some(&world, &mut chance, 60).await;
        running.stop().await;
    }
    let running = world.run("b").await;
    pass(200.0).await;
    let story = world.ended(0).await;
    assert_eq!(story.ends.len(), 240);
    assert_eq!(repeats(&world), 0);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn crashes_at_any_moment_lose_nothing_and_end_nothing_twice() {
    for seed in 0..12 {
        let world = World::new(seed).await;
        endpoints(&world).await;
        let mut chance = Seeded::new(seed);
        for _ in 0..6 {
            let running = world.run("a").await;
            send_some(&world, &mut chance, 30).await;
            tokio::time::sleep(Duration::from_millis(chance.below(3_000))).await;
            drop(running);
            if chance.one_in(2) {
                world.log.cut_power();
            }
        }
        let running = world.run("a").await;
        pass(300.0).await;
        world.ended(0).await;
        let repeated = repeats(&world);
        assert!(repeated <= 6 * 80, "seed {seed}: {repeated}");
        running.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_log_that_refuses_and_lies_has_each_outcome_once() {
    for seed in 0..12 {
        let world = World::new(100 + seed).await;
        endpoints(&world).await;
        let mut chance = Seeded::new(seed);
        let running = world.run("a").await;
        pass(2.0).await;
        world.log.set_faults(Faults {
            latency: Duration::from_millis(5),
            refuse_one_in: 60,
            lose_answer_one_in: 60,
            vanish_one_in: 60,
            late_one_in: 60,
            late_by: Duration::from_millis(700),
        });
        send_some(&world, &mut chance, 150).await;
        pass(20.0).await;
        world.log.set_faults(Faults::default());
        pass(300.0).await;
        let story = world.ended(0).await;
        assert!(story.epochs.len() > 1, "seed {seed}: nothing went wrong");
        running.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_owner_that_is_expelled_leaves_no_second_outcome() {
    for seed in 0..8 {
        let world = World::new(200 + seed).await;
        endpoints(&world).await;
        let mut chance = Seeded::new(seed);
        let a = world.run("a").await;
        let b = world.run("b").await;
        for _ in 0..6 {
            send_some(&world, &mut chance, 20).await;
            let which = if chance.one_in(2) { "a" } else { "b" };
            world.log.expel("postrider-dispatchers", "events", which);
            tokio::time::sleep(Duration::from_millis(chance.below(4_000))).await;
        }
        pass(300.0).await;
        world.ended(0).await;
        a.stop().await;
        b.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_partition_that_is_taken_away_and_given_back_has_nothing_sent_again() {
    for seed in 0..8 {
        let world = World::new(300 + seed).await;
        world.put(endpoint(1, &[1, 2, 4])).await;
        let slow = Duration::from_millis(700);
        world
            .receivers
            .script(endpoint_id(1), move |_, _| Does::Answers(200, slow));
        let running = world.run("a").await;
        pass(2.0).await;
        // What is out, and what has come back and isn't in the log yet.
        world.log.set_faults(Faults {
            latency: Duration::from_millis(900),
            ..Faults::default()
        });
        let mut chance = Seeded::new(seed);
        for _ in 0..4 {
            for _ in 0..20 {
                world.send(1).await;
            }
            let until_then = 1_000 + chance.below(2_500);
            tokio::time::sleep(Duration::from_millis(until_then)).await;
            world.log.expel("postrider-dispatchers", "events", "a");
            pass(20.0).await;
        }
        world.log.set_faults(Faults::default());
        pass(100.0).await;
        let story = world.ended(0).await;
        assert_eq!(story.ends.len(), 80);
        assert!(story.epochs.len() > 4, "seed {seed}: it was never away");
        assert_eq!(repeats(&world), 0, "seed {seed}");
        running.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn slow_appends_hold_nothing_up_for_good() {
    let world = World::new(7).await;
    endpoints(&world).await;
    world.log.set_faults(Faults {
        latency: Duration::from_secs(3),
        ..Faults::default()
    });
    let running = world.run("a").await;
    send_some(&world, &mut Seeded::new(1), 40).await;
    pass(300.0).await;
    world.ended(0).await;
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn one_seed_has_one_history() {
    async fn history() -> String {
        let world = World::new(42).await;
        endpoints(&world).await;
        let mut chance = Seeded::new(3);
        let running = world.run("a").await;
        send_some(&world, &mut chance, 40).await;
        drop(running);
        let running = world.run("a").await;
        send_some(&world, &mut chance, 40).await;
        pass(60.0).await;
        running.stop().await;
        let mut text = String::new();
        for topic in Topic::all() {
            text += &format!("{topic} {:?}\n", world.records(topic, 0).await);
        }
        text
    }
    assert_eq!(history().await, history().await);
}

#[tokio::test(start_paused = true)]
async fn a_chain_of_owners_reads_little() {
    let world = World::new(8).await;
    world.put(endpoint(1, &[1])).await;
    for n in 0..20 {
        let running = world
            .run_with(Config {
                instance: "a".to_owned(),
                ..Config::default()
            })
            .await;
        for _ in 0..50 {
            world.send(1).await;
        }
        pass(3.0).await;
        if n % 2 == 0 {
            running.stop().await;
        }
    }
    let running = world.run("a").await;
    pass(15.0).await;
    let story = world.ended(0).await;
    let ends = story.ends_of(endpoint_id(1));
    assert_eq!(ends, [End::Delivered { attempts: 1 }; 1_000]);
    running.stop().await;
}
