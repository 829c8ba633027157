//! What a router writes, from what it read. Pure: the same record twice makes the same records twice.

use schemas::accepted::{Accepted, RoutedFrom};
use schemas::event::Addressed;
use schemas::ids::EventId;
use schemas::inbox::{Door, InboxEvent, Route};
use schemas::parts::Parts;
use schemas::quarantine::Quarantined;
use schemas::scalar::At;
use schemas::text::TenantId;

use super::decide::{Incoming, Terms};
use crate::limits::QUARANTINED_VALUE;

/// What all routes of one record have in common.
pub(crate) struct Routing<'a> {
    pub(crate) event: &'a InboxEvent,
    pub(crate) tenant: &'a TenantId,
    pub(crate) id: &'a EventId,
    pub(crate) control: u64,
    pub(crate) from: RoutedFrom,
}

impl Routing<'_> {
    /// The record of `events` for one endpoint.
    pub(crate) fn to(&self, route: &Route) -> Parts {
        let (deliver_after, copied_from) = match &self.event.door {
            Door::Http(http) => (http.deliver_after, http.copied_from),
            Door::Kafka { .. } => (None, None),
        };
        let accepted = Accepted {
            addressed: Addressed {
                endpoint: route.endpoint,
                tenant: self.tenant.clone(),
                id: self.id.clone(),
                envelope: self.event.envelope.clone(),
                ordering_key: route.ordering_key.clone(),
                priority: self.event.priority,
                payload: self.event.payload.clone(),
            },
            routed: Some(self.from),
            control: self.control,
            deliver_after,
            copied_from,
        };
        accepted.encode()
    }
}

/// The record of `quarantine` for one that can't be read, with the reason that was decided.
pub(crate) fn quarantined(incoming: &Incoming, why: &str, terms: &Terms) -> Parts {
    let malformed = schemas::Malformed {
        at: schemas::error::Place::Record,
        problem: schemas::error::Problem::NoKnownForm,
    };
    let mut kept = Quarantined::of(
        &incoming.parts,
        incoming.origin(terms),
        At(incoming.appended_at),
        &malformed,
        QUARANTINED_VALUE,
    );
    why.clone_into(&mut kept.report.why);
    kept.encode()
}

/// As [`quarantined`], of what somebody else wrote to `routed`.
pub(crate) fn foreign_decision(
    parts: &Parts,
    place: u64,
    appended_at: domain::time::Timestamp,
    why: &schemas::Malformed,
    terms: &Terms,
) -> Parts {
    let origin = schemas::origin::Position {
        topic: schemas::topics::Topic::Routed,
        partition: terms.partition,
        offset: place,
    };
    Quarantined::of(parts, origin, At(appended_at), why, QUARANTINED_VALUE).encode()
}
