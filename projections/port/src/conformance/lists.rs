//! Lists, a page at a time.

use schemas::topics::Topic;

use super::Fixture;
use super::samples::{
    accepted, at, attempt, change, delivered, delivery, endpoint, first, position, tenant,
};
use crate::page::{Order, Page, PageRequest};
use crate::row::{DeliveryRow, DeliveryState};
use crate::views::{Batch, Selection, ViewWriter};
use crate::walk::MAX_SCAN;

async fn page(views: &dyn ViewWriter, request: PageRequest) -> Page<DeliveryRow> {
    let selection = Selection::default();
    views
        .deliveries(&tenant("a"), &selection, request)
        .await
        .unwrap()
}

fn offsets(page: &Page<DeliveryRow>) -> Vec<u64> {
    let offset = |row: &DeliveryRow| row.acceptance.position().offset;
    page.rows.iter().map(|(_, row)| offset(row)).collect()
}

/// Pages go on where the last ended, in both orders, and back again.
pub async fn pages_in_both_directions(fixture: &dyn Fixture) {
    let views = fixture.views().await;
    for n in 0..7 {
        views.write(accepted(n, endpoint(1))).await.unwrap();
    }
    for (order, wanted) in [
        (Order::Descending, [vec![6, 5, 4], vec![3, 2, 1], vec![0]]),
        (Order::Ascending, [vec![0, 1, 2], vec![3, 4, 5], vec![6]]),
    ] {
        let one = page(&*views, first(3, order)).await;
        assert_eq!(one.previous, None);
        let behind = PageRequest {
            behind: one.next,
            ..first(3, order)
        };
        let two = page(&*views, behind).await;
        let behind = PageRequest {
            behind: two.next,
            ..first(3, order)
        };
        let three = page(&*views, behind).await;
        assert_eq!([offsets(&one), offsets(&two), offsets(&three)], wanted);
        assert_eq!(three.next, None);
        let before = PageRequest {
            before: three.previous,
            ..first(3, order)
        };
        let back = page(&*views, before).await;
        assert_eq!(offsets(&back), wanted[1]);
        let before = PageRequest {
            before: back.previous,
            ..first(3, order)
        };
        let back = page(&*views, before).await;
        assert_eq!((offsets(&back), back.previous), (wanted[0].clone(), None));
        assert_eq!(back.next, one.next);
    }
}

/// A cursor names a row: what arrives meanwhile neither shifts nor repeats anything.
pub async fn stable_while_rows_arrive(fixture: &dyn Fixture) {
    let views = fixture.views().await;
    for n in [2, 4, 6] {
        views.write(accepted(n, endpoint(1))).await.unwrap();
    }
    let one = page(&*views, first(2, Order::Descending)).await;
    for n in [3, 5, 7, 1] {
        views.write(accepted(n, endpoint(1))).await.unwrap();
    }
    let behind = PageRequest {
        behind: one.next,
        ..first(9, Order::Descending)
    };
    assert_eq!(offsets(&one), [6, 4]);
    assert_eq!(offsets(&page(&*views, behind).await), [3, 2, 1]);
}

/// Each member of a selection leaves out what it should.
pub async fn filters(fixture: &dyn Fixture) {
    let views = fixture.views().await;
    let mut rows: Vec<_> = (0..4).map(|n| delivery(n, endpoint(n % 2))).collect();
    rows[1] = delivered(rows[1].clone());
    rows[2].event_type = "order.made".parse().unwrap();
    let reason = schemas::dead_letter::DeadLetterReason::Gone;
    rows[3].state = DeliveryState::DeadLettered(reason);
    rows[3].attempts = vec![attempt(&rows[3], 1, Some(410))];
    rows[0].place = position(Topic::Events, 0);
    rows[0].attempts = vec![attempt(&rows[0], 1, Some(500))];
    rows[0].attempts[0].has_outcome = false;
    let deliveries = rows.iter().map(|row| change(None, row.clone())).collect();
    let batch = Batch {
        deliveries,
        ..Batch::default()
    };
    views.write(batch).await.unwrap();
    let status = |name: &str| Selection {
        status: Some(name.to_owned()),
        ..Selection::default()
    };
    let none = Selection::default;
    let cases = [
        (none(), vec![0, 1, 2, 3]),
        (
            Selection {
                endpoint: Some(endpoint(1)),
                ..none()
            },
            vec![1, 3],
        ),
        (status("delivered"), vec![1]),
        (status("delivering"), vec![0]),
        (status("pending"), vec![2]),
        (status("dead_lettered"), vec![3]),
        (
            Selection {
                event_type: "order.made".parse().ok(),
                ..none()
            },
            vec![2],
        ),
        (
            Selection {
                status_code: Some(200),
                ..none()
            },
            vec![1],
        ),
        (
            Selection {
                status_code: Some(500),
                ..none()
            },
            vec![],
        ),
        (
            Selection {
                reason: Some(reason),
                ..none()
            },
            vec![3],
        ),
        (
            Selection {
                endpoint: Some(endpoint(0)),
                status_code: Some(200),
                ..none()
            },
            vec![],
        ),
    ];
    for (selection, wanted) in cases {
        let request = first(9, Order::Ascending);
        let page = views.deliveries(&tenant("a"), &selection, request).await;
        assert_eq!(offsets(&page.unwrap()), wanted, "{selection:?}");
    }
}

/// `after` and `before` leave their own moments out.
pub async fn times_are_exclusive(fixture: &dyn Fixture) {
    let views = fixture.views().await;
    let a = tenant("a");
    for n in 0..6 {
        views.write(accepted(n, endpoint(1))).await.unwrap();
    }
    for order in [Order::Ascending, Order::Descending] {
        for endpoint in [None, Some(endpoint(1))] {
            let selection = Selection {
                endpoint,
                after: Some(at(1)),
                before: Some(at(4)),
                ..Selection::default()
            };
            let page = views.deliveries(&a, &selection, first(9, order));
            let mut found = offsets(&page.await.unwrap());
            found.sort_unstable();
            assert_eq!(found, [2, 3]);
            let events = views.events(&a, &selection, first(9, order));
            assert_eq!(events.await.unwrap().rows.len(), 2);
            let upside_down = Selection {
                after: Some(at(4)),
                before: Some(at(1)),
                ..selection
            };
            let page = views.deliveries(&a, &upside_down, first(9, order));
            assert_eq!(offsets(&page.await.unwrap()), Vec::<u64>::new());
        }
    }
}

/// The events of an endpoint, by what became of them, page by page.
pub async fn events_of_an_endpoint(fixture: &dyn Fixture) {
    let views = fixture.views().await;
    for n in 0..9 {
        let mut batch = accepted(n, endpoint(n % 3));
        if n % 2 == 0 {
            batch.deliveries[0].row = delivered(batch.deliveries[0].row.clone());
        }
        views.write(batch).await.unwrap();
    }
    let list = async |selection: &Selection, request| {
        let page = views
            .events(&tenant("a"), selection, request)
            .await
            .unwrap();
        let ids: Vec<_> = page
            .rows
            .iter()
            .map(|(_, row)| row.id.to_string())
            .collect();
        (ids, page.next)
    };
    let mut selection = Selection {
        endpoint: Some(endpoint(1)),
        ..Selection::default()
    };
    let (ids, next) = list(&selection, first(2, Order::Ascending)).await;
    assert_eq!(ids, ["event-1", "event-4"]);
    let behind = PageRequest {
        behind: next,
        ..first(2, Order::Ascending)
    };
    assert_eq!(
        list(&selection, behind).await,
        (vec!["event-7".to_owned()], None)
    );
    selection.status = Some("delivered".to_owned());
    let (ids, _) = list(&selection, first(9, Order::Descending)).await;
    assert_eq!(ids, ["event-4"]);
    selection.endpoint = None;
    selection.tag = Some("green".to_owned());
    let (ids, _) = list(&selection, first(2, Order::Descending)).await;
    assert_eq!(ids, ["event-8", "event-6"]);
    selection.tag = Some("gree".to_owned());
    assert_eq!(
        list(&selection, first(2, Order::Descending)).await.0.len(),
        0
    );
}

/// A filter that hardly anything passes reads a bounded number of rows, and says where it stopped.
pub async fn a_scan_is_bounded(fixture: &dyn Fixture) {
    let views = fixture.views().await;
    let count = MAX_SCAN as u64 + 10;
    let row = |n| {
        let row = delivery(n, endpoint(1));
        if n == count - 1 { delivered(row) } else { row }
    };
    let batch = Batch {
        deliveries: (0..count).map(|n| change(None, row(n))).collect(),
        ..Batch::default()
    };
    views.write(batch).await.unwrap();
    let selection = Selection {
        status: Some("delivered".to_owned()),
        ..Selection::default()
    };
    let request = first(5, Order::Ascending);
    let page = views
        .deliveries(&tenant("a"), &selection, request)
        .await
        .unwrap();
    assert_eq!(offsets(&page), Vec::<u64>::new());
    let behind = PageRequest {
        behind: page.next,
        ..request
    };
    let page = views
        .deliveries(&tenant("a"), &selection, behind)
        .await
        .unwrap();
    assert_eq!((offsets(&page), page.next), (vec![count - 1], None));
}
