//! Rows are kept as they were written.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use domain::time::Timestamp;
use schemas::dead_letter::DeadLetterReason;
use schemas::ids::{DeliveryId, ReplayId};
use schemas::origin::{Acceptance, Run};
use schemas::topics::{LADDER, Topic};

use super::Fixture;
use super::samples::{
    accepted, advance, at, attempt, change, delivered, delivery, endpoint, event, position, sought,
    tenant,
};
use crate::row::{Accounting, DeliveryState, Ending};
use crate::views::{Batch, EventChange, Figures, Progress, ViewError, ViewWriter};

/// Rows are there once written, and say what was written last.
pub async fn what_was_written_is_read(fixture: &dyn Fixture) {
    let views = fixture.views().await;
    views.write(accepted(1, endpoint(1))).await.unwrap();
    let (a, row) = (tenant("a"), delivery(1, endpoint(1)));
    let found = views.event(&a, &row.event).await.unwrap();
    assert_eq!(found, Some(event(1, endpoint(1))));
    assert_eq!(
        views.delivery(&a, &row.id).await.unwrap(),
        Some(row.clone())
    );
    let row = delivered(row);
    let batch = Batch {
        deliveries: vec![change(Some(DeliveryState::Pending), row.clone())],
        ..Batch::default()
    };
    views.write(batch).await.unwrap();
    assert_eq!(
        views.delivery(&a, &row.id).await.unwrap(),
        Some(row.clone())
    );
    let stored = views.stored(&[sought(&row)]).await.unwrap();
    assert_eq!(stored, std::slice::from_ref(&row));
    let mut blind = sought(&row);
    blind.at = None;
    let unknown = sought(&delivery(2, endpoint(1)));
    assert_eq!(views.stored(&[blind, unknown]).await.unwrap(), [row]);
}

/// Every field of every row survives.
pub async fn a_row_of_everything_comes_back(fixture: &dyn Fixture) {
    let views = fixture.views().await;
    let mut states = vec![
        DeliveryState::Pending,
        DeliveryState::Retrying {
            next_attempt_at: at(9),
        },
        DeliveryState::Delivered,
        DeliveryState::Discarded,
        DeliveryState::Cancelled,
    ];
    states.extend(REASONS.map(DeliveryState::DeadLettered));
    let rows = (0..).zip(states).map(|(n, state)| {
        let mut row = delivery(n, endpoint(n));
        row.state = state;
        row.step = u32::MAX - 1;
        row.run = Run::Replay(ReplayId::new(at(1), u128::MAX));
        row.place = position(Topic::Retry(LADDER[3]), u64::MAX);
        row.attempts = vec![attempt(&row, 1, None), attempt(&row, 2, Some(599))];
        row.attempts[1].has_outcome = false;
        row.attempts[1].attempt.body = None;
        row
    });
    let rows: Vec<_> = rows.collect();
    let mut events: Vec<_> = (0..4).map(|n| event(n, endpoint(n))).collect();
    events[0].ending = Ending::Routed((0..40).map(endpoint).collect());
    events[1].ending = Ending::Duplicate("first".parse().unwrap());
    events[2].ending = Ending::Conflict("x".repeat(255).parse().unwrap());
    events[3].tags = None;
    events[3].acceptance = Acceptance::inbox(u32::MAX, u64::MAX);
    let batch = Batch {
        events: changes(&events),
        deliveries: rows.iter().map(|row| change(None, row.clone())).collect(),
        ..Batch::default()
    };
    views.write(batch).await.unwrap();
    fixture.restart().await;
    let views = fixture.views().await;
    for row in rows {
        assert_eq!(views.stored(&[sought(&row)]).await.unwrap(), [row]);
    }
    for row in events {
        let found = views.event(&row.tenant, &row.id).await.unwrap();
        assert_eq!(found, Some(row));
    }
}

const REASONS: [DeadLetterReason; 6] = [
    DeadLetterReason::AttemptsExhausted,
    DeadLetterReason::PermanentFailure,
    DeadLetterReason::Gone,
    DeadLetterReason::EndpointDeleted,
    DeadLetterReason::EndpointDisabled,
    DeadLetterReason::Expired,
];

fn changes(events: &[crate::row::EventRow]) -> Vec<EventChange> {
    let change = |row: &crate::row::EventRow| EventChange {
        was: None,
        row: row.clone(),
    };
    events.iter().map(change).collect()
}

/// What one tenant has, another doesn't see, by whatever name.
pub async fn nothing_of_another_tenant(fixture: &dyn Fixture) {
    let views = fixture.views().await;
    views.write(accepted(1, endpoint(1))).await.unwrap();
    let row = delivery(1, endpoint(1));
    for other in ["b", "aa", "A", "-"].map(tenant) {
        assert_eq!(views.event(&other, &row.event).await.unwrap(), None);
        assert_eq!(views.delivery(&other, &row.id).await.unwrap(), None);
        let figures = views.figures(&other, &[endpoint(1)]).await.unwrap();
        let nothing = Figures {
            endpoints: vec![Accounting::default()],
            ..Figures::default()
        };
        assert_eq!(figures, nothing);
    }
}

/// An event id that was given twice is the first, and after the window the later first.
pub async fn an_id_given_twice(fixture: &dyn Fixture) {
    let views = fixture.views().await;
    let mut first = event(1, endpoint(1));
    let mut repeat = event(2, endpoint(1));
    let mut later = event(3, endpoint(2));
    for row in [&mut first, &mut repeat, &mut later] {
        row.id = "order-7".parse().unwrap();
    }
    repeat.ending = Ending::Duplicate(first.id.clone());
    let find = async |views: &dyn ViewWriter| {
        let found = views.event(&first.tenant, &first.id).await;
        found.unwrap().unwrap().acceptance
    };
    for (write, wanted) in [(&repeat, &repeat), (&first, &first), (&later, &later)] {
        let batch = Batch {
            events: changes(std::slice::from_ref(write)),
            ..Batch::default()
        };
        views.write(batch).await.unwrap();
        assert_eq!(find(&*views).await, wanted.acceptance);
    }
}

/// A reader that waits for an offset goes on as soon as it is folded, and not before.
pub async fn whoever_waits_is_woken(fixture: &dyn Fixture) {
    let views = fixture.views().await;
    let ends = BTreeMap::from([((Topic::Events, 0), 2), ((Topic::Attempts, 0), 1)]);
    let nothing = BTreeMap::new();
    views.passed(&nothing).await.unwrap();
    let waiting = {
        let (views, ends) = (Arc::clone(&views), ends.clone());
        async move { views.passed(&ends).await }
    };
    let mut waiting = Box::pin(waiting);
    let write = async |advances| {
        let batch = Batch {
            progress: advances,
            ..Batch::default()
        };
        views.write(batch).await.unwrap();
    };
    write(vec![advance(Topic::Events, 0, 2)]).await;
    let early = tokio::time::timeout(Duration::from_millis(5), &mut waiting).await;
    assert!(early.is_err(), "one of two partitions is not there yet");
    write(vec![advance(Topic::Attempts, 0, 1)]).await;
    waiting.await.unwrap();
    let folded = views.progress().await.unwrap();
    assert_eq!(folded[&(Topic::Events, 0)].offset, 2);
}

/// A batch that doesn't begin where the rows end changes nothing.
pub async fn who_is_overtaken_writes_nothing(fixture: &dyn Fixture) {
    let views = fixture.views().await;
    let mut batch = accepted(1, endpoint(1));
    batch.progress = vec![advance(Topic::Events, 0, 2)];
    batch.progress[0].to.origins.insert(3, (9, endpoint(4)));
    batch.progress[0].to.epoch = 5;
    batch.progress[0].to.decided = 6;
    let told = batch.progress[0].to.clone();
    views.write(batch.clone()).await.unwrap();
    batch = accepted(2, endpoint(1));
    batch.progress = vec![advance(Topic::Attempts, 0, 1), advance(Topic::Events, 1, 3)];
    let refused = views.write(batch).await.unwrap_err();
    assert!(matches!(
        refused,
        ViewError::Overtaken {
            there: 2,
            from: 1,
            ..
        }
    ));
    let row = delivery(2, endpoint(1));
    assert_eq!(views.delivery(&tenant("a"), &row.id).await.unwrap(), None);
    let progress: BTreeMap<_, Progress> = views.progress().await.unwrap();
    assert_eq!(progress, BTreeMap::from([((Topic::Events, 0), told)]));
    assert_eq!(views.totals().await.unwrap().0.deliveries, 1);
}

/// What was folded on other rows than those that count is not written to these.
pub async fn a_batch_of_other_rows_is_refused(fixture: &dyn Fixture) {
    let views = fixture.views().await;
    let there = views.generation();
    let batch = |generation| Batch {
        generation: Some(generation),
        ..accepted(1, endpoint(1))
    };
    let refused = views.write(batch(there + 1)).await.unwrap_err();
    assert!(
        matches!(refused, ViewError::Replaced { folded_on, .. } if folded_on == there + 1),
        "{refused}"
    );
    let (a, row) = (tenant("a"), delivery(1, endpoint(1)));
    assert_eq!(views.delivery(&a, &row.id).await.unwrap(), None);
    views.write(batch(there)).await.unwrap();
    assert_eq!(views.delivery(&a, &row.id).await.unwrap(), Some(row));
}

/// Rows that only routes speak of never replace what is known better, and go if they are withdrawn.
pub async fn what_is_only_routed_gives_way(fixture: &dyn Fixture) {
    let views = fixture.views().await;
    let routed = |n| {
        let mut row = delivery(n, endpoint(1));
        row.acceptance = Acceptance::inbox(0, n);
        row.id = DeliveryId::derive(row.acceptance, row.accepted_at, endpoint(1), Run::First);
        row.place = row.acceptance.position();
        row
    };
    let known = delivered(routed(1));
    let first = Batch {
        deliveries: vec![change(None, known.clone())],
        routed: vec![routed(1), routed(2), routed(3)],
        ..Batch::default()
    };
    views.write(first).await.unwrap();
    assert_eq!(views.totals().await.unwrap().0.pending, 2);
    let mut taken_on = routed(3);
    taken_on.place = position(Topic::Events, 8);
    let second = Batch {
        routed: vec![routed(1), routed(2)],
        deliveries: vec![change(None, taken_on.clone())],
        withdrawn: [1, 2, 3].map(|n| sought(&routed(n))).to_vec(),
        ..Batch::default()
    };
    views.write(second).await.unwrap();
    let rows = views.stored(&[1, 2, 3].map(|n| sought(&routed(n)))).await;
    let mut rows = rows.unwrap();
    rows.sort_by_key(|row| row.accepted_at);
    assert_eq!(rows, [known, taken_on]);
    let counts = views.figures(&tenant("a"), &[]).await.unwrap().deliveries;
    assert_eq!(
        (counts.deliveries, counts.pending, counts.delivered),
        (2, 1, 1)
    );
    assert_eq!(counts.unaccounted(), 0);
}

/// Expiry takes what is older, a bounded number at a time, and nothing so old comes back.
pub async fn what_is_old_is_forgotten(fixture: &dyn Fixture) {
    let views = fixture.views().await;
    for n in 0..10 {
        let mut batch = accepted(n, endpoint(1));
        batch.minutes = vec![(endpoint(1), at(n), crate::row::MinuteRow::default())];
        views.write(batch).await.unwrap();
    }
    let mut turns = 0;
    while views.expire(at(5), 3).await.unwrap() {
        turns += 1;
        assert!(turns < 20, "every turn takes some");
    }
    assert!(turns >= 4, "5 events, 5 deliveries, 5 minutes, 3 at a time");
    views.write(accepted(4, endpoint(1))).await.unwrap();
    let a = tenant("a");
    for n in 0..10 {
        let row = delivery(n, endpoint(1));
        let there = n >= 5;
        assert_eq!(views.event(&a, &row.event).await.unwrap().is_some(), there);
        assert_eq!(views.delivery(&a, &row.id).await.unwrap().is_some(), there);
    }
    assert_eq!(
        views.figures(&a, &[]).await.unwrap().deliveries.deliveries,
        5
    );
    let minutes = views.minutes(&endpoint(1), Timestamp::from_millis(0)).await;
    assert!(minutes.unwrap().keys().all(|minute| *minute >= at(5)));
    assert_eq!(views.expired().await.unwrap(), at(5));
}

/// After a clear there is nothing, and folding begins anew.
pub async fn cleared(fixture: &dyn Fixture) {
    let views = fixture.views().await;
    let mut batch = accepted(1, endpoint(1));
    batch.progress = vec![advance(Topic::Events, 0, 2)];
    views.write(batch.clone()).await.unwrap();
    views.clear().await.unwrap();
    assert_eq!(views.dump(None, 10).await.unwrap(), []);
    assert_eq!(views.progress().await.unwrap(), BTreeMap::new());
    assert_eq!(views.totals().await.unwrap().0.deliveries, 0);
    views.write(batch).await.unwrap();
    fixture.restart().await;
    let views = fixture.views().await;
    assert_eq!(views.totals().await.unwrap().0.deliveries, 1);
}

/// What was written before a clean restart is there after it.
pub async fn rows_outlive_a_restart(fixture: &dyn Fixture) {
    let views = fixture.views().await;
    let mut batch = accepted(1, endpoint(1));
    batch.progress = vec![advance(Topic::Events, 0, 2)];
    views.write(batch).await.unwrap();
    views.expire(at(0), 1).await.unwrap();
    let before = views.dump(None, 10).await.unwrap();
    let progress = views.progress().await.unwrap();
    drop(views);
    if fixture.restart().await {
        let views = fixture.views().await;
        assert_eq!(views.dump(None, 10).await.unwrap(), before);
        assert_eq!(views.progress().await.unwrap(), progress);
        assert_eq!(views.expired().await.unwrap(), at(0));
        assert_eq!(views.totals().await.unwrap().0.deliveries, 1);
    }
}
