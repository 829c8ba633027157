//! An event as clients see it.

use projections_port::{Ending, EventRow};
use schemas::event::Priority;
use schemas::ids::EventId;
use schemas::text::{ContentType, EventTime, EventType, OrderingKey, Source, Tags, TraceParent};
use schemas::topics::Topic;
use serde::Serialize;

use super::delivery::ShownDelivery;
use super::payload::{ShownPayload, Stored};
use crate::time::Shown;

/// An event as in lists.
#[derive(Serialize)]
pub(super) struct ShownEvent<'a> {
    id: &'a EventId,
    event_type: &'a EventType,
    source: &'a Source,
    tags: Vec<&'a str>,
    /// `None`: it has more deliveries than a page is judged by.
    status: Option<&'static str>,
    accepted_at: Shown,
    topic: Topic,
    partition: u32,
    offset: u64,
    delivery_count: usize,
    /// The event that this one repeats.
    #[serde(skip_serializing_if = "Option::is_none")]
    first_event_id: Option<&'a EventId>,
}

/// An event with all that is known of it.
#[derive(Serialize)]
pub(super) struct WholeEvent<'a> {
    #[serde(flatten)]
    event: ShownEvent<'a>,
    #[serde(flatten)]
    stored: Option<ShownStored<'a>>,
    /// Retention has passed the record, and the payload with it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    payload_gone: bool,
    deliveries: Vec<ShownDelivery>,
    /// How many more deliveries there are: the list of deliveries has them.
    #[serde(skip_serializing_if = "Option::is_none")]
    deliveries_left_out: Option<usize>,
    #[serde(flatten)]
    payload: ShownPayload,
}

/// What only the record has.
#[derive(Serialize)]
struct ShownStored<'a> {
    time: Option<&'a EventTime>,
    content_type: Option<&'a ContentType>,
    traceparent: Option<&'a TraceParent>,
    ordering_key: Option<&'a OrderingKey>,
    priority: Priority,
}

impl<'a> ShownEvent<'a> {
    /// The event, which stands at `status`.
    pub(super) fn of(row: &'a EventRow, status: Option<&'static str>) -> Self {
        let position = row.acceptance.position();
        let (delivery_count, first_event_id) = match &row.ending {
            Ending::Routed(endpoints) => (endpoints.len(), None),
            Ending::Duplicate(first) | Ending::Conflict(first) => (0, Some(first)),
        };
        let tags = row.tags.iter().flat_map(Tags::iter);
        Self {
            id: &row.id,
            event_type: &row.event_type,
            source: &row.source,
            tags: tags.collect(),
            status,
            accepted_at: Shown(row.accepted_at),
            topic: position.topic,
            partition: position.partition,
            offset: position.offset,
            delivery_count,
            first_event_id,
        }
    }
}

impl<'a> WholeEvent<'a> {
    /// The event with its record, which may be gone, and its deliveries but for `left_out` of them.
    pub(super) fn of(
        event: ShownEvent<'a>,
        stored: Option<&'a Stored>,
        deliveries: Vec<ShownDelivery>,
        left_out: usize,
    ) -> Self {
        let payload = stored.map(|stored| ShownPayload::of(&stored.payload));
        Self {
            event,
            stored: stored.map(ShownStored::of),
            payload_gone: stored.is_none(),
            deliveries,
            deliveries_left_out: (left_out > 0).then_some(left_out),
            payload: payload.unwrap_or_default(),
        }
    }
}

impl<'a> ShownStored<'a> {
    fn of(stored: &'a Stored) -> Self {
        let envelope = &stored.envelope;
        Self {
            time: envelope.time.as_ref(),
            content_type: envelope.content_type.as_ref(),
            traceparent: envelope.trace_parent.as_ref(),
            ordering_key: stored.ordering_key.as_ref(),
            priority: stored.priority,
        }
    }
}
