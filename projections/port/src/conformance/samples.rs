//! Rows to try a store with.

use bytes::Bytes;
use domain::time::Timestamp;
use schemas::attempt::{Attempt, AttemptError, AttemptResult, ErrorClass};
use schemas::ids::{DeliveryId, EndpointId};
use schemas::origin::{Acceptance, Position, Run};
use schemas::scalar::{At, Blob};
use schemas::text::TenantId;
use schemas::topics::Topic;

use crate::page::{Order, PageRequest};
use crate::row::{AttemptRow, DeliveryRow, DeliveryState, Ending, EventRow};
use crate::views::{Advance, Batch, DeliveryChange, EventChange, Progress, Sought};

/// The moment of acceptance `n`.
#[must_use]
pub const fn at(n: u64) -> Timestamp {
    Timestamp::from_millis(1_000_000 + n as i64 * 1_000)
}

/// The tenant called `name`.
#[must_use]
pub fn tenant(name: &str) -> TenantId {
    name.parse().unwrap()
}

/// Endpoint `n`.
#[must_use]
pub fn endpoint(n: u64) -> EndpointId {
    EndpointId::new(Timestamp::from_millis(1), u128::from(n))
}

/// A position in partition 0 of `topic`.
#[must_use]
pub const fn position(topic: Topic, offset: u64) -> Position {
    Position {
        topic,
        partition: 0,
        offset,
    }
}

/// Event `n` of tenant `a`, to `endpoint`, accepted in `events`.
#[must_use]
pub fn event(n: u64, endpoint: EndpointId) -> EventRow {
    EventRow {
        tenant: tenant("a"),
        id: format!("event-{n}").parse().unwrap(),
        acceptance: Acceptance::events(0, n),
        accepted_at: at(n),
        event_type: "invoice.paid".parse().unwrap(),
        source: "shop".parse().unwrap(),
        tags: Some("blue,green".parse().unwrap()),
        ending: Ending::Routed(vec![endpoint]),
    }
}

/// The delivery of event `n` to `endpoint`, as it is when it has just been accepted.
#[must_use]
pub fn delivery(n: u64, endpoint: EndpointId) -> DeliveryRow {
    let acceptance = Acceptance::events(0, n);
    DeliveryRow {
        id: DeliveryId::derive(acceptance, at(n), endpoint, Run::First),
        tenant: tenant("a"),
        endpoint,
        event: format!("event-{n}").parse().unwrap(),
        event_type: "invoice.paid".parse().unwrap(),
        acceptance,
        accepted_at: at(n),
        run: Run::First,
        step: 0,
        state: DeliveryState::Pending,
        place: acceptance.position(),
        since: at(n),
        attempts: Vec::new(),
    }
}

/// `row`, delivered with its first attempt.
#[must_use]
pub fn delivered(mut row: DeliveryRow) -> DeliveryRow {
    row.step = 1;
    row.state = DeliveryState::Delivered;
    row.place = position(Topic::Attempts, row.acceptance.position().offset);
    row.since = row
        .accepted_at
        .saturating_add(std::time::Duration::from_millis(20));
    row.attempts = vec![attempt(&row, 1, Some(200))];
    row
}

/// An attempt with an answer, or with an error where `status` is `None`.
#[must_use]
pub fn attempt(row: &DeliveryRow, number: u32, status: Option<u16>) -> AttemptRow {
    let ok = status.is_some_and(|status| status < 300);
    let error = AttemptError {
        class: ErrorClass::Timeout,
        message: "nothing within 30 s".to_owned(),
    };
    AttemptRow {
        epoch: 7,
        place: row.place,
        attempt: Attempt {
            number,
            started_at: At(row.accepted_at),
            duration_us: 1_234,
            result: if ok {
                AttemptResult::Succeeded
            } else {
                AttemptResult::Failed
            },
            status,
            error: status.is_none().then_some(error),
            headers: Vec::new(),
            body: Some(Blob(Bytes::from_static(b"\xffok"))),
            keys: vec!["key-1".to_owned()],
            address: Some("192.0.2.1:443".to_owned()),
        },
        has_outcome: true,
    }
}

/// Event `n`, its delivery to `endpoint`, and nothing before.
#[must_use]
pub fn accepted(n: u64, endpoint: EndpointId) -> Batch {
    Batch {
        events: vec![EventChange {
            was: None,
            row: event(n, endpoint),
        }],
        deliveries: vec![change(None, delivery(n, endpoint))],
        ..Batch::default()
    }
}

/// A changed delivery.
#[must_use]
pub const fn change(was: Option<DeliveryState>, row: DeliveryRow) -> DeliveryChange {
    DeliveryChange { was, row }
}

/// A step of partition 0 of `topic`.
#[must_use]
pub fn advance(topic: Topic, from: u64, to: u64) -> Advance {
    Advance {
        topic,
        partition: 0,
        from,
        to: Progress {
            offset: to,
            ..Progress::default()
        },
    }
}

/// What a fold seeks when it knows where a row is.
#[must_use]
pub fn sought(row: &DeliveryRow) -> Sought {
    Sought {
        id: row.id,
        at: Some((row.tenant.clone(), row.cursor())),
    }
}

/// The first page of `limit` rows.
#[must_use]
pub const fn first(limit: usize, order: Order) -> PageRequest {
    PageRequest {
        limit,
        order,
        behind: None,
        before: None,
    }
}
