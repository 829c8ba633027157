//! Routers, case by case.

use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use ingest::{Config, Ingest, NewEvent, Receipt};
use schemas::accepted::Accepted;
use schemas::parts::{Header, Parts};
use schemas::quarantine::Quarantined;
use schemas::routed::Routed;
use schemas::topics::Topic;

use crate::oracle::account;
use crate::world::{INBOX, World, endpoint, endpoint_id};

async fn world() -> (World, Ingest) {
    let mut world = World::new(1).await;
    world.put(endpoint(1, &["order.*"], None)).await;
    world.put(endpoint(2, &[], None)).await;
    let ingest = world.ingest(Config::default()).await;
    (world, ingest)
}

fn event(payload: &'static str, key: Option<&str>) -> NewEvent {
    let event_type = "order.paid".parse().unwrap();
    NewEvent {
        idempotency_key: key.map(|key| key.parse().unwrap()),
        ..NewEvent::new(event_type, Bytes::from_static(payload.as_bytes()))
    }
}

async fn accept(ingest: &Ingest, event: NewEvent) -> Receipt {
    let tenant = "default".parse().unwrap();
    ingest.accept(&tenant, event).await.unwrap()
}

/// What a Kafka producer writes in the plain form.
fn plain(payload: &'static str, more: &[(&'static str, &'static str)]) -> Parts {
    let header = |(name, value): &(&'static str, &'static str)| {
        Header::new(name, Bytes::from_static(value.as_bytes()))
    };
    let mut headers = vec![header(&("event-type", "order.paid"))];
    headers.extend(more.iter().map(header));
    Parts {
        key: None,
        headers,
        value: Some(Bytes::from_static(payload.as_bytes())),
    }
}

async fn settle() {
    tokio::time::sleep(Duration::from_secs(10)).await;
}

async fn decisions(world: &World, partition: u32) -> Vec<Routed> {
    let records = world.records(Topic::Routed, partition).await;
    let decode = |record: eventlog_port::Record| Routed::decode(&record.into_parts()).unwrap();
    records.into_iter().map(decode).collect()
}

#[tokio::test(start_paused = true)]
async fn an_event_by_subscription_reaches_each_endpoints_partition_once() {
    let (mut world, ingest) = world().await;
    let receipt = accept(&ingest, event("1", None)).await;
    let router = world.router("a", "postrider-routers").await;
    settle().await;
    router.stop().await;
    let position = receipt.acceptance.position();
    for number in [1, 2] {
        let records = world.records(Topic::Events, number).await;
        let [record] = <[_; 1]>::try_from(records).unwrap();
        let accepted = Accepted::decode(&record.into_parts()).unwrap();
        let from = accepted.routed.unwrap();
        assert_eq!(
            (from.partition, from.offset),
            (position.partition, position.offset)
        );
        assert_eq!(accepted.addressed.endpoint, endpoint_id(number));
        assert_eq!(accepted.addressed.id, receipt.event);
        assert_eq!(accepted.control, 2);
    }
    // Another begins at the commit: nothing is routed again.
    accept(&ingest, event("2", None)).await;
    let router = world.router("b", "postrider-routers").await;
    settle().await;
    router.stop().await;
    let account = account(&world).await;
    account.check("two lives");
    assert_eq!((account.taken.len(), account.dropped), (4, 0));
}

#[tokio::test(start_paused = true)]
async fn a_key_has_one_first_and_repeats_are_decided() {
    let (mut world, _) = world().await;
    // Two processes that don't know of one another.
    let one = world.ingest(Config::default()).await;
    let other = world.ingest(Config::default()).await;
    let third = world.ingest(Config::default()).await;
    let first = accept(&one, event("1", Some("k"))).await;
    let same = accept(&other, event("1", Some("k"))).await;
    let conflicting = accept(&third, event("2", Some("k"))).await;
    assert!(!same.duplicate && !conflicting.duplicate);
    let router = world.router("a", "postrider-routers").await;
    settle().await;
    let partition = first.acceptance.position().partition;
    let decided = decisions(&world, partition).await;
    let [Routed::Duplicate(duplicate), Routed::Conflict(conflict)] = &decided[..] else {
        panic!("{decided:?}")
    };
    assert_eq!(duplicate.event, same.event);
    assert_eq!(duplicate.first_event, first.event);
    assert_eq!(duplicate.first, first.acceptance.position());
    assert_eq!(conflict.event, conflicting.event);
    // By now the row is there: every process answers with the first.
    let again = accept(&third, event("1", Some("k"))).await;
    assert!(again.duplicate);
    assert_eq!(
        (again.event, again.endpoints),
        (first.event, first.endpoints)
    );
    router.stop().await;
    let account = account(&world).await;
    account.check("repeats");
    assert_eq!((account.duplicates, account.conflicts), (1, 1));
    assert_eq!(account.taken.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_kafka_producers_event_is_decided_by_routed() {
    let (mut world, _) = world().await;
    world.write(0, plain("1", &[])).await;
    world
        .write(0, plain("2", &[("idempotency-key", "k")]))
        .await;
    world
        .write(0, plain("2", &[("idempotency-key", "k")]))
        .await;
    world
        .write(0, plain("3", &[("endpoint-id", "nonsense")]))
        .await;
    world.write(0, Parts::default()).await;
    world.write(0, plain("4", &[("priority", "high")])).await;
    let router = world.router("a", "postrider-routers").await;
    settle().await;
    router.stop().await;
    let account = account(&world).await;
    account.check("kafka");
    assert_eq!((account.duplicates, account.unreadable), (1, 2));
    assert_eq!(account.taken.len(), 6);
    let kept = world.records(Topic::Quarantine, 0).await;
    let kept: Vec<_> = kept
        .into_iter()
        .map(|record| Quarantined::decode(&record.into_parts()).unwrap().report)
        .collect();
    let origins: Vec<_> = kept.iter().map(|report| report.origin.offset).collect();
    assert_eq!(origins, [3, 4]);
    assert!(kept[0].why.contains("endpoint-id"), "{}", kept[0].why);
}

#[tokio::test(start_paused = true)]
async fn a_newer_version_stops_its_partition_and_no_other() {
    let (mut world, ingest) = world().await;
    let router = world.router("a", "postrider-routers").await;
    world.write(0, plain("1", &[])).await;
    world.write(0, plain("2", &[("postrider-v", "2")])).await;
    world.write(0, plain("3", &[])).await;
    for _ in 0..20 {
        accept(&ingest, event("4", None)).await;
    }
    settle().await;
    router.stop().await;
    let mut routed = [0; INBOX as usize];
    for (partition, offset, _) in account_of_ours(&world).await {
        assert!(partition != 0 || offset == 0, "{offset}");
        routed[partition as usize] += 1;
    }
    assert!(routed.iter().all(|routed| *routed > 0), "{routed:?}");
    // What came before it is committed; and it stops the next one too.
    let router = world.router("a", "postrider-routers").await;
    settle().await;
    router.stop().await;
    assert_eq!(
        account_of_ours(&world).await.len(),
        routed.iter().sum::<usize>()
    );
}

/// Every route that lies in `events`, copies too.
async fn account_of_ours(world: &World) -> Vec<crate::oracle::Origin> {
    let mut all = Vec::new();
    for partition in 0..crate::world::EVENTS {
        for record in world.records(Topic::Events, partition).await {
            let accepted = Accepted::decode(&record.into_parts()).unwrap();
            let from = accepted.routed.unwrap();
            all.push((from.partition, from.offset, accepted.addressed.endpoint));
        }
    }
    all
}

#[tokio::test(start_paused = true)]
async fn with_the_keyed_store_down_only_what_has_a_key_waits() {
    let (mut world, ingest) = world().await;
    world.keys.down.store(true, Ordering::SeqCst);
    let router = world.router("a", "postrider-routers").await;
    let keyed = accept(&ingest, event("1", Some("k"))).await;
    let waits = keyed.acceptance.position().partition;
    for _ in 0..20 {
        accept(&ingest, event("2", None)).await;
    }
    settle().await;
    let routed = account_of_ours(&world).await;
    assert!(!routed.is_empty());
    assert!(routed.iter().all(|(partition, _, _)| *partition != waits));
    world.keys.down.store(false, Ordering::SeqCst);
    settle().await;
    router.stop().await;
    account(&world).await.check("up again");
}
