//! What ingest, owners and projections would have left behind.

use std::collections::BTreeMap;

use bytes::Bytes;
use domain::time::{Clock as _, Timestamp};
use eventlog_port::{Appended, EventLog as _, TopicPartition};
use projections_port::row::minute_of;
use projections_port::{
    Advance, AttemptRow, Batch, DeliveryChange, DeliveryRow, DeliveryState, Ending, EventChange,
    EventRow, MinuteRow, Progress, ViewWriter as _, Views as _,
};
use schemas::Parts;
use schemas::attempt::{Attempt, AttemptError, AttemptResult, ErrorClass};
use schemas::attempts::{AttemptsRecord, Succeeded};
use schemas::dead_letter::DeadLetterReason;
use schemas::delivery::{Delivery, Link, Subject};
use schemas::event::{Envelope, Priority};
use schemas::ids::{DeliveryId, EndpointId};
use schemas::inbox::{Door, HttpDoor, InboxEvent, Route, Routes};
use schemas::origin::{Acceptance, Position, Run};
use schemas::scalar::{At, Blob};
use schemas::topics::Topic;

use super::world::{TOPICS, World, partitions};

/// An event to be.
pub(super) struct Seed<'a> {
    pub(super) tenant: &'a str,
    pub(super) id: &'a str,
    pub(super) event_type: &'a str,
    pub(super) payload: &'a str,
    pub(super) to: &'a [&'a str],
}

impl Default for Seed<'_> {
    fn default() -> Self {
        Self {
            tenant: "default",
            id: "order-1",
            event_type: "order.paid",
            payload: "{}",
            to: &[],
        }
    }
}

impl World {
    pub(super) async fn append(&self, topic: Topic, partition: u32, record: Parts) -> Appended {
        let to = TopicPartition::of(topic, partition);
        let appending = self.writer.append(&to, record.into()).await.unwrap();
        appending.await.unwrap()
    }

    /// Accepts an event in `inbox`, and nothing more: the views don't know of it.
    pub(super) async fn accept(&self, seed: &Seed<'_>) -> (EventRow, Vec<DeliveryRow>) {
        let mut endpoints: Vec<EndpointId> = seed.to.iter().map(|id| id.parse().unwrap()).collect();
        endpoints.sort_unstable();
        let record = inbox_event(seed, &endpoints);
        let appended = self.append(Topic::Inbox, 0, record.encode()).await;
        let acceptance = Acceptance::inbox(0, appended.offset);
        let event = EventRow {
            tenant: seed.tenant.parse().unwrap(),
            id: seed.id.parse().unwrap(),
            acceptance,
            accepted_at: appended.appended_at,
            event_type: seed.event_type.parse().unwrap(),
            source: "/shop".parse().unwrap(),
            tags: Some("blue,red".parse().unwrap()),
            ending: Ending::Routed(endpoints.clone()),
        };
        let deliveries = endpoints.iter().map(|id| pending(&event, *id)).collect();
        (event, deliveries)
    }

    /// Writes rows, as they are for the first time.
    pub(super) async fn fold(&self, events: &[EventRow], deliveries: &[DeliveryRow]) {
        let events = events.iter().cloned();
        let deliveries = deliveries.iter().cloned();
        let batch = Batch {
            events: events.map(|row| EventChange { was: None, row }).collect(),
            deliveries: deliveries
                .map(|row| DeliveryChange { was: None, row })
                .collect(),
            ..Batch::default()
        };
        self.views.write(batch).await.unwrap();
    }

    /// Accepts an event and folds it.
    pub(super) async fn seed(&self, seed: &Seed<'_>) -> (EventRow, Vec<DeliveryRow>) {
        let (event, deliveries) = self.accept(seed).await;
        self.fold(std::slice::from_ref(&event), &deliveries).await;
        (event, deliveries)
    }

    /// A delivery goes on to `state`.
    pub(super) async fn becomes(&self, row: &mut DeliveryRow, state: DeliveryState) {
        let was = Some(row.state);
        row.state = state;
        row.step += 1;
        row.since = self.clock.now();
        let row = row.clone();
        let batch = Batch {
            deliveries: vec![DeliveryChange { was, row }],
            ..Batch::default()
        };
        self.views.write(batch).await.unwrap();
    }

    /// An attempt that failed by 500, and then another that was answered in full by 200.
    pub(super) async fn delivered(&self, row: &mut DeliveryRow) {
        let failed = attempt(1, row.since, false);
        row.attempts.push(attempt_row(row.place, failed));
        let good = attempt(2, self.clock.now(), true);
        let record = AttemptsRecord::Succeeded(Succeeded {
            link: Link {
                origin: row.place,
                request: None,
                step: 2,
                epoch: 1,
            },
            subject: Subject {
                tenant: row.tenant.clone(),
                endpoint: row.endpoint,
                event: row.event.clone(),
                event_type: row.event_type.clone(),
            },
            delivery: Delivery::new(row.acceptance, row.accepted_at, row.endpoint, Run::First),
            attempt: good.clone(),
        });
        let appended = self.append(Topic::Attempts, 0, record.encode()).await;
        row.place = Position {
            topic: Topic::Attempts,
            partition: 0,
            offset: appended.offset,
        };
        let mut brief = good;
        brief.headers.clear();
        brief.body = Some(Blob(Bytes::from_static(b"th")));
        row.attempts.push(attempt_row(row.place, brief));
        self.becomes(row, DeliveryState::Delivered).await;
    }

    /// The views say that they hold all of the log.
    pub(super) async fn catch_up(&self) {
        let there = self.views.progress().await.unwrap();
        let mut progress = Vec::new();
        for topic in TOPICS {
            for partition in 0..partitions(topic) {
                let at = TopicPartition::of(topic, partition);
                let offset = self.log.bounds(&at).await.unwrap().end;
                let was = there.get(&(topic, partition)).map_or(0, |to| to.offset);
                progress.push(Advance {
                    topic,
                    partition,
                    from: was,
                    to: Progress {
                        offset,
                        epoch: 1,
                        decided: 0,
                        origins: BTreeMap::new(),
                    },
                });
            }
        }
        let batch = Batch {
            progress,
            ..Batch::default()
        };
        self.views.write(batch).await.unwrap();
    }

    /// Attempts that ended at `endpoint` within the present minute.
    pub(super) async fn minute(&self, endpoint: &str, good: u32, bad: u32) {
        let now = self.clock.now();
        let mut row = MinuteRow::default();
        for number in 0..good + bad {
            row.count(&attempt(number + 1, now, number < good), now);
        }
        let batch = Batch {
            minutes: vec![(endpoint.parse().unwrap(), minute_of(now), row)],
            ..Batch::default()
        };
        self.views.write(batch).await.unwrap();
    }
}

fn inbox_event(seed: &Seed<'_>, endpoints: &[EndpointId]) -> InboxEvent {
    let route = |endpoint: &EndpointId| Route {
        endpoint: *endpoint,
        partition: 0,
        ordering_key: None,
    };
    let routes: Vec<Route> = endpoints.iter().map(route).collect();
    InboxEvent {
        door: Door::Http(HttpDoor {
            tenant: seed.tenant.parse().unwrap(),
            id: seed.id.parse().unwrap(),
            routes: Routes::try_from(routes).unwrap(),
            control: 0,
            idempotency_window: None,
            deliver_after: None,
            copied_from: None,
        }),
        envelope: Envelope {
            event_type: seed.event_type.parse().unwrap(),
            source: "/shop".parse().unwrap(),
            time: None,
            content_type: None,
            trace_parent: None,
            trace_state: None,
            tags: Some("blue,red".parse().unwrap()),
            given_id: None,
            extensions: Vec::new(),
        },
        idempotency_key: None,
        ordering_key: None,
        priority: Priority::Normal,
        payload: Bytes::from(seed.payload.to_owned()),
    }
}

fn pending(event: &EventRow, endpoint: EndpointId) -> DeliveryRow {
    DeliveryRow {
        id: DeliveryId::derive(event.acceptance, event.accepted_at, endpoint, Run::First),
        tenant: event.tenant.clone(),
        endpoint,
        event: event.id.clone(),
        event_type: event.event_type.clone(),
        acceptance: event.acceptance,
        accepted_at: event.accepted_at,
        run: Run::First,
        step: 0,
        state: DeliveryState::Pending,
        place: event.acceptance.position(),
        since: event.accepted_at,
        attempts: Vec::new(),
    }
}

pub(super) fn attempt_row(place: Position, attempt: Attempt) -> AttemptRow {
    AttemptRow {
        epoch: 1,
        place,
        attempt,
        has_outcome: true,
    }
}

pub(super) fn attempt(number: u32, at: Timestamp, is_good: bool) -> Attempt {
    let error = AttemptError {
        class: ErrorClass::Status,
        message: "the receiver answered 500".to_owned(),
    };
    Attempt {
        number,
        started_at: At(at),
        duration_us: 1_500,
        result: if is_good {
            AttemptResult::Succeeded
        } else {
            AttemptResult::Failed
        },
        status: Some(if is_good { 200 } else { 500 }),
        error: (!is_good).then_some(error),
        headers: vec![("server".to_owned(), "x".to_owned())],
        body: Some(Blob(Bytes::from_static(b"thanks"))),
        keys: vec!["sec_1".to_owned()],
        address: Some("192.0.2.1:443".to_owned()),
    }
}

/// It failed for good, by the receiver's word.
pub(super) const DEAD: DeliveryState = DeliveryState::DeadLettered(DeadLetterReason::Gone);
