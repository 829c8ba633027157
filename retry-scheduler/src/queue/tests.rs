use bytes::Bytes;
use eventlog_port::NewRecord;
use schemas::delivery::{Delivery, Link};
use schemas::event::{Addressed, Envelope, Priority};
use schemas::fence::Fence;
use schemas::ids::{EndpointId, EventId};
use schemas::origin::{Acceptance, Position, Run};
use schemas::retry::{Wait, WaitReason};
use schemas::scalar::At;
use schemas::topics::{LADDER, Topic};

use super::*;

const NONE: Timestamp = Timestamp::from_millis(0);

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn addressed() -> Addressed {
    Addressed {
        endpoint: EndpointId::new(NONE, 1),
        tenant: "default".parse().unwrap(),
        id: EventId::new(NONE, 1),
        envelope: Envelope {
            event_type: "order.created".parse().unwrap(),
            source: "postrider".parse().unwrap(),
            time: None,
            content_type: None,
            trace_parent: None,
            trace_state: None,
            tags: None,
            given_id: None,
            extensions: Vec::new(),
        },
        ordering_key: None,
        priority: Priority::Normal,
        payload: Bytes::from_static(b"{}"),
    }
}

fn retry(epoch: u64) -> RetryRecord {
    let delivery = Delivery::new(
        Acceptance::events(0, 7),
        NONE,
        EndpointId::new(NONE, 1),
        Run::First,
    );
    let origin = Position {
        topic: Topic::Events,
        partition: 0,
        offset: 7,
    };
    RetryRecord::Retry(Retry {
        addressed: addressed(),
        wait: Wait {
            link: Link {
                origin,
                request: None,
                step: 1,
                epoch,
            },
            delivery,
            tier: LADDER[0],
            due_at: At(at(5_000)),
            reason: WaitReason::Failed,
            attempts: 1,
            put_off: 0,
            attempt: None,
        },
    })
}

fn fence(epoch: u64) -> RetryRecord {
    RetryRecord::Fence(Fence {
        epoch: Some(epoch),
        owner: "a".to_owned(),
    })
}

fn records(from: u64, records: &[RetryRecord]) -> Vec<Record> {
    let record = |(n, record): (usize, &RetryRecord)| {
        let NewRecord {
            key,
            headers,
            value,
        } = record.encode().into();
        Record {
            offset: from + n as u64,
            appended_at: at(1_000 + n as i64),
            key,
            headers,
            value,
        }
    };
    records.iter().enumerate().map(record).collect()
}

fn queue(settled: u64) -> TierQueue {
    TierQueue::new(LADDER[0], 0, 0, settled, BTreeSet::new())
}

#[test]
fn nothing_is_let_go_before_its_time() {
    let mut queue = queue(3);
    assert_eq!(queue.wants(NONE), Some(0));
    let read = records(0, &[fence(4), retry(4), retry(4)]);
    assert!(queue.read(read, 3, at(1_000)).unwrap().is_empty());
    assert_eq!(queue.wakes_at(), Some(at(2_001)));
    assert!(queue.release(at(2_000)).is_none());
    assert_eq!(queue.release(at(2_001)).unwrap().offset, 1);
    assert!(queue.release(at(2_001)).is_none());
    assert_eq!(queue.below(), 1);
    queue.done(1);
    assert_eq!(queue.below(), 2);
}

#[test]
fn what_a_fence_shuts_out_is_no_input() {
    let mut queue = queue(9);
    let read = records(0, &[retry(1), fence(4), retry(1), retry(4)]);
    queue.read(read, 4, at(1_000)).unwrap();
    let let_go = [(); 3].map(|()| queue.release(at(9_000)).map(|released| released.offset));
    assert_eq!(let_go, [Some(0), Some(3), None]);
    assert_eq!(queue.epoch_below(1), 1);
    assert_eq!(queue.epoch_below(2), 4);
}

#[test]
fn what_is_not_settled_is_not_taken() {
    let mut queue = queue(1);
    queue
        .read(records(0, &[retry(4), retry(4)]), 2, at(1_000))
        .unwrap();
    assert!(queue.release(at(9_000)).is_some());
    assert!(queue.release(at(9_000)).is_none());
    assert_eq!(queue.wants(at(9_000)), None);
    queue.settle(2);
    assert_eq!(queue.wants(at(9_000)), Some(1));
}

#[test]
fn what_is_done_is_passed() {
    let mut queue = TierQueue::new(LADDER[0], 0, 0, 2, BTreeSet::from([0]));
    queue
        .read(records(0, &[retry(4), retry(4)]), 2, at(1_000))
        .unwrap();
    assert_eq!(queue.release(at(9_000)).unwrap().offset, 1);
    queue.done(1);
    assert_eq!(queue.below(), 2);
}

#[test]
fn a_tier_that_waits_long_holds_nothing() {
    let mut queue = TierQueue::new(LADDER[4], 0, 0, 2, BTreeSet::new());
    queue
        .read(records(0, &[fence(1), retry(1)]), 2, at(1_000))
        .unwrap();
    assert!(queue.waiting.is_empty());
    assert_eq!(queue.below(), 1);
    assert_eq!(queue.wants(at(200_000)), None);
    let wakes_at = queue.wakes_at().unwrap();
    assert_eq!(wakes_at, at(1_001 + 256_000 - 500));
    assert_eq!(queue.wants(wakes_at), Some(1));
    queue.read(records(1, &[retry(1)]), 2, wakes_at).unwrap();
    assert!(queue.release(at(257_001)).is_some());
}

#[test]
fn what_nobody_of_ours_wrote_is_open_until_it_is_put_away() {
    let mut queue = queue(1);
    let mut read = records(0, &[retry(4)]);
    read[0].headers.clear();
    let unreadable = queue.read(read, 1, at(1_000)).unwrap();
    assert_eq!(unreadable.len(), 1);
    assert_eq!(queue.below(), 0);
    queue.done(0);
    assert_eq!(queue.below(), 1);
}

/// The answer of an earlier epoch becomes durable in this one, wherever the queue is with its record.
#[test]
fn what_is_done_while_it_waits_is_not_let_go() {
    let mut queue = queue(4);
    queue.done(3);
    let read = records(0, &[retry(4), retry(4), retry(4), retry(4)]);
    queue.read(read, 4, at(1_000)).unwrap();
    queue.done(1);
    assert_eq!(queue.release(at(9_000)).unwrap().offset, 0);
    queue.done(0);
    assert_eq!(queue.release(at(9_000)).unwrap().offset, 2);
    queue.done(2);
    assert!(queue.release(at(9_000)).is_none());
    assert_eq!(queue.below(), 4);
}

/// What was found done stays so, though the queue forgets what waits in front of it, and reads again.
#[test]
fn what_is_done_stays_so_while_the_queue_sleeps() {
    let mut queue = queue(3);
    queue.done(1);
    let read = || records(0, &[retry(4), retry(4), retry(4)]);
    queue.read(read(), 3, at(-9_000)).unwrap();
    assert_eq!(queue.wants(at(2_000)), Some(0), "it has forgotten");
    queue.read(read(), 3, at(2_000)).unwrap();
    let let_go = [(); 3].map(|()| queue.release(at(9_000)).map(|released| released.offset));
    assert_eq!(let_go, [Some(0), Some(2), None]);
}
