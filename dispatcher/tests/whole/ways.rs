//! One delivery at a time: every way that it may end.

use std::time::Duration;

use schemas::control::{DisabledReason, EndpointState};
use schemas::dead_letter::DeadLetterReason;
use schemas::event::Priority;
use schemas::retry::WaitReason;
use serde_json::json;

use crate::oracle::End;
use crate::receivers::Does;
use crate::world::{World, endpoint, endpoint_id, pass};

const NOW: Duration = Duration::ZERO;

fn dead(reason: DeadLetterReason, attempts: u32) -> End {
    End::Dead { reason, attempts }
}

#[tokio::test(start_paused = true)]
async fn an_event_is_sent_once_byte_for_byte_and_its_outcome_is_durable() {
    let world = World::new(1).await;
    world.put(endpoint(1, &[5])).await;
    let running = world.run("a").await;
    pass(1.0).await;
    world.send(1).await;
    pass(0.5).await;
    let got = world.receivers.got();
    assert_eq!(got.len(), 1);
    assert_eq!(got[0].url, "https://example.com/1");
    assert_eq!(got[0].body, got[0].event.as_bytes());
    let story = world.ended(0).await;
    assert_eq!(
        story.ends_of(endpoint_id(1)),
        [End::Delivered { attempts: 1 }]
    );
    running.stop().await;
    assert_eq!(world.receivers.got().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_fails_waits_in_tiers_never_early_and_hardly_late() {
    let world = World::new(2).await;
    world.put(endpoint(1, &[5, 300, 1_800])).await;
    world.receivers.script(endpoint_id(1), |_, before| {
        Does::Answers(if before < 3 { 500 } else { 200 }, Duration::from_millis(3))
    });
    let running = world.run("a").await;
    world.send(1).await;
    pass(3_000.0).await;
    let got = world.receivers.got();
    let numbers: Vec<u32> = got.iter().map(|got| got.number).collect();
    assert_eq!(numbers, [1, 2, 3, 4]);
    for (pair, wait) in got.windows(2).zip([5_000, 300_000, 1_800_000]) {
        let waited = pair[1].at.as_millis() - pair[0].at.as_millis();
        assert!(waited >= wait, "early: {waited} of {wait}");
        assert!(waited <= wait * 11 / 10 + 200, "late: {waited} of {wait}");
    }
    let story = world.ended(0).await;
    assert_eq!(
        story.ends_of(endpoint_id(1)),
        [End::Delivered { attempts: 4 }]
    );
    let mut dues: Vec<i64> = Vec::new();
    for (_, _, wait) in &story.waits {
        if wait.reason == WaitReason::Failed {
            dues.push(wait.due_at.0.as_millis());
        }
    }
    dues.sort_unstable();
    for (due, got) in dues.iter().zip(&got[1..]) {
        let late = got.at.as_millis() - due;
        assert!((0..=100).contains(&late), "{late} ms after it was due");
    }
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_schedule_that_is_through_ends_in_a_dead_letter() {
    let world = World::new(3).await;
    world.put(endpoint(1, &[1, 2])).await;
    world
        .receivers
        .script(endpoint_id(1), |_, _| Does::Answers(503, NOW));
    let running = world.run("a").await;
    world.send(1).await;
    pass(30.0).await;
    let story = world.ended(0).await;
    let end = dead(DeadLetterReason::AttemptsExhausted, 3);
    assert_eq!(story.ends_of(endpoint_id(1)), [end]);
    assert_eq!(world.receivers.got().len(), 3);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_no_attempt_would_change_is_not_tried_again() {
    let world = World::new(4).await;
    for (number, status) in [(1, 404), (2, 301), (3, 410)] {
        world.put(endpoint(number, &[1])).await;
        world
            .receivers
            .script(endpoint_id(number), move |_, _| Does::Answers(status, NOW));
    }
    let running = world.run("a").await;
    for number in [1, 2, 3] {
        world.send(number).await;
    }
    pass(10.0).await;
    world.send(3).await;
    pass(1.0).await;
    let story = world.ended(0).await;
    let permanent = dead(DeadLetterReason::PermanentFailure, 1);
    assert_eq!(story.ends_of(endpoint_id(1)), [permanent]);
    let exhausted = dead(DeadLetterReason::AttemptsExhausted, 2);
    assert_eq!(story.ends_of(endpoint_id(2)), [exhausted]);
    let gone = dead(DeadLetterReason::Gone, 1);
    let disabled = dead(DeadLetterReason::EndpointDisabled, 0);
    assert_eq!(story.ends_of(endpoint_id(3)), [gone, disabled]);
    assert_eq!(world.receivers.got_by(endpoint_id(3)).len(), 1);
    let current = world
        .control
        .read(|state| state.endpoint(&endpoint_id(3)).cloned());
    let current = current.unwrap().endpoint.clone();
    assert_eq!(current.state, EndpointState::Disabled);
    assert_eq!(current.disabled_reason, Some(DisabledReason::Gone));
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_deleted_endpoint_ends_what_waits_and_is_never_dialled_again() {
    let world = World::new(5).await;
    let version = world.put(endpoint(1, &[60])).await;
    world
        .receivers
        .script(endpoint_id(1), |_, _| Does::Answers(500, NOW));
    let running = world.run("a").await;
    world.send(1).await;
    pass(5.0).await;
    let mut deleted = endpoint(1, &[60]);
    deleted["state"] = json!("deleted");
    deleted["did"] = json!("deleted");
    deleted["change"]["replaces"] = json!(version);
    world.put(deleted).await;
    world.send(1).await;
    pass(120.0).await;
    let story = world.ended(0).await;
    let reason = DeadLetterReason::EndpointDeleted;
    assert_eq!(
        story.ends_of(endpoint_id(1)),
        [dead(reason, 1), dead(reason, 0)]
    );
    assert_eq!(world.receivers.got().len(), 1);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_changed_url_holds_for_the_next_attempt() {
    let world = World::new(6).await;
    let version = world.put(endpoint(1, &[10])).await;
    world.receivers.script(endpoint_id(1), |got, _| {
        Does::Answers(if got.url.ends_with("new") { 200 } else { 500 }, NOW)
    });
    let running = world.run("a").await;
    world.send(1).await;
    pass(2.0).await;
    let mut changed = endpoint(1, &[10]);
    changed["url"] = json!("https://example.com/new");
    changed["did"] = json!("updated");
    changed["change"]["replaces"] = json!(version);
    world.put(changed).await;
    pass(15.0).await;
    let urls: Vec<String> = world
        .receivers
        .got()
        .into_iter()
        .map(|got| got.url)
        .collect();
    assert_eq!(urls, ["https://example.com/1", "https://example.com/new"]);
    world.ended(0).await;
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_paused_endpoint_loses_nothing() {
    let world = World::new(7).await;
    let mut paused = endpoint(1, &[5]);
    paused["paused"] = json!(true);
    let version = world.put(paused).await;
    let running = world.run("a").await;
    for _ in 0..3_000 {
        world.send(1).await;
    }
    pass(30.0).await;
    assert_eq!(world.receivers.got().len(), 0);
    let mut resumed = endpoint(1, &[5]);
    resumed["did"] = json!("resumed");
    resumed["change"]["replaces"] = json!(version);
    world.put(resumed).await;
    pass(20.0).await;
    let story = world.ended(0).await;
    assert_eq!(story.ends_of(endpoint_id(1)).len(), 3_000);
    assert_eq!(world.receivers.got().len(), 3_000);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn retry_after_is_kept() {
    let world = World::new(8).await;
    world.put(endpoint(1, &[1])).await;
    world
        .receivers
        .script(endpoint_id(1), |_, before| match before {
            0 => Does::Asks(429, "60"),
            _ => Does::Answers(200, NOW),
        });
    let running = world.run("a").await;
    world.send(1).await;
    pass(1.0).await;
    world.send(1).await;
    pass(200.0).await;
    let got = world.receivers.got();
    assert_eq!(got.len(), 3);
    for again in &got[1..] {
        let waited = again.at.as_millis() - got[0].at.as_millis();
        assert!(waited >= 60_000, "{waited}");
    }
    world.ended(0).await;
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_dead_endpoint_costs_one_probe_at_a_time() {
    let world = World::new(9).await;
    let mut with_circuit = endpoint(1, &[1]);
    with_circuit["circuit"] = json!({"failures": 5, "window_seconds": 60, "open_seconds": 100});
    with_circuit["max_in_flight"] = json!(1);
    world.put(with_circuit).await;
    let up = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let is_up = std::sync::Arc::clone(&up);
    world.receivers.script(endpoint_id(1), move |_, _| {
        let is_up = is_up.load(std::sync::atomic::Ordering::SeqCst);
        Does::Answers(if is_up { 200 } else { 500 }, NOW)
    });
    let running = world.run("a").await;
    for _ in 0..2_000 {
        world.send(1).await;
    }
    pass(50.0).await;
    assert_eq!(world.receivers.got().len(), 5, "it is open");
    pass(300.0).await;
    assert_eq!(world.receivers.got().len(), 8, "a probe each 100 s");
    up.store(true, std::sync::atomic::Ordering::SeqCst);
    pass(3_000.0).await;
    let story = world.ended(0).await;
    let delivered = story.ends_of(endpoint_id(1)).into_iter();
    let delivered = delivered
        .filter(|end| matches!(end, End::Delivered { .. }))
        .count();
    assert!(delivered >= 1_990, "{delivered}");
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn copies_that_a_router_made_twice_are_dropped() {
    let world = World::new(10).await;
    world.put(endpoint(1, &[5])).await;
    let running = world.run("a").await;
    for offset in [0, 1, 0, 1, 2, 1, 2, 3] {
        world.send_as(1, Priority::Normal, Some((offset, 0))).await;
    }
    pass(5.0).await;
    let story = world.ended(0).await;
    assert_eq!(story.ends_of(endpoint_id(1)).len(), 4);
    assert_eq!(world.receivers.got().len(), 4);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn no_more_requests_at_once_than_an_endpoint_takes() {
    let world = World::new(11).await;
    let mut narrow = endpoint(1, &[5]);
    narrow["max_in_flight"] = json!(3);
    world.put(narrow).await;
    world.receivers.script(endpoint_id(1), |_, _| {
        Does::Answers(200, Duration::from_secs(1))
    });
    let running = world.run("a").await;
    for _ in 0..30 {
        world.send(1).await;
    }
    pass(5.5).await;
    let so_far = world.receivers.got().len();
    assert!((15..=18).contains(&so_far), "{so_far}");
    pass(10.0).await;
    world.ended(0).await;
    running.stop().await;
}
