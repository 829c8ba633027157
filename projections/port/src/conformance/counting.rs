//! Accounting, minutes, endpoints, and the dump of everything.

use std::collections::BTreeMap;

use domain::time::Timestamp;
use schemas::attempts::CircuitState;
use schemas::dead_letter::DeadLetterReason;

use super::Fixture;
use super::samples::{accepted, at, attempt, change, delivered, delivery, endpoint, event, tenant};
use crate::row::{
    Accounting, DeliveryState, Ending, EndpointRow, MinuteRow, consecutive_failures, minute_of,
};
use crate::views::{Batch, EventChange, Figures, Undelivered};

/// Deliveries made are the sum over their states, after every batch, of each endpoint and in all.
pub async fn the_sum_is_what_was_made(fixture: &dyn Fixture) {
    let views = fixture.views().await;
    let retrying = DeliveryState::Retrying {
        next_attempt_at: at(9),
    };
    let dead = DeliveryState::DeadLettered(DeadLetterReason::Gone);
    let way = [
        (None, DeliveryState::Pending),
        (Some(DeliveryState::Pending), retrying),
        (Some(retrying), dead),
        (Some(dead), DeliveryState::Discarded),
    ];
    for length in 1..=4 {
        let n = length as u64;
        for (was, state) in &way[..length] {
            let mut row = delivery(n, endpoint(n % 2));
            row.state = *state;
            let batch = Batch {
                deliveries: vec![change(*was, row)],
                ..Batch::default()
            };
            views.write(batch).await.unwrap();
            let counts = views.totals().await.unwrap().0;
            assert_eq!((counts.deliveries, counts.unaccounted()), (n, 0));
        }
    }
    let one_each = Accounting {
        deliveries: 4,
        pending: 1,
        retrying: 1,
        dead_lettered: 1,
        discarded: 1,
        ..Accounting::default()
    };
    let a = tenant("a");
    let odd = Accounting {
        deliveries: 2,
        pending: 1,
        dead_lettered: 1,
        ..Accounting::default()
    };
    let even = Accounting {
        deliveries: 2,
        retrying: 1,
        discarded: 1,
        ..Accounting::default()
    };
    // As they were asked for: one that nobody knows, one twice.
    let asked = [0, 9, 1, 0].map(endpoint);
    let figures = Figures {
        deliveries: one_each,
        endpoints: vec![even, Accounting::default(), odd, even],
        undelivered: Undelivered::default(),
    };
    assert_eq!(views.figures(&a, &asked).await.unwrap(), figures);
    fixture.restart().await;
    let views = fixture.views().await;
    assert_eq!(views.figures(&a, &asked).await.unwrap(), figures);
}

/// No route, duplicate and conflict are counted, and an event that turns out a repeat moves.
pub async fn events_that_went_nowhere(fixture: &dyn Fixture) {
    let views = fixture.views().await;
    let first = || "first".parse().unwrap();
    let change = |n, was, ending| {
        let mut row = event(n, endpoint(1));
        row.ending = ending;
        EventChange { was, row }
    };
    let batch = Batch {
        events: vec![
            change(1, None, Ending::Routed(Vec::new())),
            change(2, None, Ending::Routed(vec![endpoint(1)])),
            change(3, None, Ending::Conflict(first())),
            change(4, None, Ending::Routed(Vec::new())),
        ],
        ..Batch::default()
    };
    views.write(batch).await.unwrap();
    let routed = Ending::Routed(vec![endpoint(1)]);
    let nowhere = Ending::Routed(Vec::new());
    let batch = Batch {
        events: vec![
            change(2, Some(routed), Ending::Duplicate(first())),
            change(4, Some(nowhere), Ending::Duplicate(first())),
        ],
        ..Batch::default()
    };
    views.write(batch).await.unwrap();
    let counts = Undelivered {
        no_route: 1,
        duplicate: 2,
        conflict: 1,
    };
    let of = async |name| views.figures(&tenant(name), &[]).await.unwrap().undelivered;
    assert_eq!(of("a").await, counts);
    assert_eq!(of("b").await, Undelivered::default());
    fixture.restart().await;
    let views = fixture.views().await;
    assert_eq!(views.totals().await.unwrap().1, counts);
}

/// An endpoint's minutes and its own row.
pub async fn of_an_endpoint(fixture: &dyn Fixture) {
    let views = fixture.views().await;
    let row = delivered(delivery(1, endpoint(1)));
    let (good, bad) = (attempt(&row, 1, Some(200)), attempt(&row, 2, Some(500)));
    let mut minutes = BTreeMap::<Timestamp, MinuteRow>::new();
    for (second, attempt) in [(1, &bad), (2, &good), (3, &bad), (65, &bad), (130, &bad)] {
        let minute = minutes.entry(minute_of(at(second))).or_default();
        minute.count(&attempt.attempt, at(second));
    }
    assert_eq!(consecutive_failures(&minutes), 3);
    let stored = EndpointRow {
        circuit: CircuitState::Open,
        probe_at: Some(at(300)),
        last_success: Some(minute_of(at(2))),
    };
    let of = |(minute, row): (&Timestamp, &MinuteRow)| (endpoint(1), *minute, row.clone());
    let batch = Batch {
        minutes: minutes.iter().map(of).collect(),
        endpoints: vec![(endpoint(1), stored)],
        ..Batch::default()
    };
    views.write(batch).await.unwrap();
    let from = Timestamp::from_millis(0);
    assert_eq!(views.minutes(&endpoint(1), from).await.unwrap(), minutes);
    let late = views.minutes(&endpoint(1), at(66)).await.unwrap();
    assert_eq!(late.len(), 2, "the minute of `from` is among them");
    assert_eq!(views.minutes(&endpoint(2), from).await.unwrap().len(), 0);
    let shown = views.endpoint(&endpoint(1)).await.unwrap().unwrap();
    assert_eq!(shown.last_success, Some(at(2)));
    assert_eq!(views.endpoint(&endpoint(2)).await.unwrap(), None);
    let wanted = [endpoint(2), endpoint(1)];
    let found = views.stored_endpoints(&wanted).await.unwrap();
    assert_eq!(found, [None, Some(stored)]);
    let wanted = [(endpoint(1), minute_of(at(65))), (endpoint(2), at(0))];
    let found = views.stored_minutes(&wanted).await.unwrap();
    assert_eq!(
        found,
        [minutes[&minute_of(at(65))].clone(), MinuteRow::default()]
    );
}

/// The dump has every row once, in the order of its keys, however it is cut.
pub async fn everything_is_dumped(fixture: &dyn Fixture) {
    let views = fixture.views().await;
    for n in 0..5 {
        let mut batch = accepted(n, endpoint(n % 2));
        batch.events[0].row.tenant = tenant(["a", "b"][n as usize % 2]);
        batch.minutes = vec![(endpoint(n), minute_of(at(n)), MinuteRow::default())];
        batch.endpoints = vec![(endpoint(n), EndpointRow::default())];
        views.write(batch).await.unwrap();
    }
    let nowhere = EventChange {
        was: None,
        row: crate::row::EventRow {
            ending: Ending::Routed(Vec::new()),
            ..event(9, endpoint(1))
        },
    };
    let batch = Batch {
        events: vec![nowhere],
        ..Batch::default()
    };
    views.write(batch).await.unwrap();
    let whole = views.dump(None, 1_000).await.unwrap();
    assert_eq!(whole.len(), 6 + 5 + 5 + 5 + 2 + 1);
    assert!(whole.windows(2).all(|pair| pair[0].key() < pair[1].key()));
    for limit in [1, 3, 7] {
        let mut rows = Vec::new();
        loop {
            let after = rows.last().map(crate::dump::Row::key);
            let some = views.dump(after.as_ref(), limit).await.unwrap();
            if some.is_empty() {
                break;
            }
            rows.extend(some);
        }
        assert_eq!(rows, whole);
    }
}
