//! What becomes of a record of `inbox` (`docs/protocol.md`, R6 to R8). Pure.

use std::collections::BTreeSet;
use std::time::Duration;

use domain::time::Timestamp;
use projections_port::{First, KeyScope};
use schemas::error::{Malformed, Place, Problem};
use schemas::ids::{EndpointId, EventId};
use schemas::inbox::{Door, InboxEvent, Routes};
use schemas::origin::Position;
use schemas::parts::Parts;
use schemas::routed::{Repeated, Routed, RoutesFound, Unreadable};
use schemas::text::TenantId;
use schemas::topics::Topic;
use sha2::{Digest as _, Sha256};

use crate::idempotency::{Judgement, judge};
use crate::plan::Found;

/// What a router judges by, besides the record.
#[derive(Clone, Debug)]
pub(crate) struct Terms {
    /// The partition of `inbox`.
    pub(crate) partition: u32,
    /// Whose a Kafka producer's event is.
    pub(crate) kafka_tenant: TenantId,
    /// The window of a Kafka producer's key; a record of ours states its own.
    pub(crate) kafka_window: Duration,
    /// The largest record of a Kafka producer that can be routed, in bytes.
    pub(crate) kafka_limit: usize,
}

/// A record of `inbox`, read.
#[derive(Debug)]
pub(crate) struct Incoming {
    pub(crate) offset: u64,
    pub(crate) appended_at: Timestamp,
    /// The record itself.
    pub(crate) parts: Parts,
    /// What it says, or why it can't be read.
    pub(crate) event: Result<InboxEvent, Malformed>,
}

impl Incoming {
    /// A record as it was read; one of somebody else's that is too large to be routed can't be read.
    pub(crate) fn new(
        offset: u64,
        appended_at: Timestamp,
        parts: Parts,
        event: Result<InboxEvent, Malformed>,
        terms: &Terms,
    ) -> Self {
        let event = event.and_then(|event| match event.door {
            Door::Kafka { .. } if size(&parts) > terms.kafka_limit => Err(Malformed {
                at: Place::Record,
                problem: Problem::Invalid("is too large to be routed"),
            }),
            Door::Kafka { .. } | Door::Http(_) => Ok(event),
        });
        Self {
            offset,
            appended_at,
            parts,
            event,
        }
    }

    pub(crate) fn origin(&self, terms: &Terms) -> Position {
        Position {
            topic: Topic::Inbox,
            partition: terms.partition,
            offset: self.offset,
        }
    }

    /// The key that it is looked up by.
    pub(crate) fn scope(&self, terms: &Terms) -> Option<KeyScope> {
        let event = self.event.as_ref().ok()?;
        let tenant = match &event.door {
            Door::Http(http) => &http.tenant,
            Door::Kafka { .. } => &terms.kafka_tenant,
        };
        Some(KeyScope {
            tenant: tenant.clone(),
            partition: terms.partition,
            key: event.idempotency_key.clone()?,
        })
    }

    /// Whether its endpoints have to be found here.
    pub(crate) fn needs_control(&self) -> bool {
        let door = self.event.as_ref().map(|event| &event.door);
        matches!(door, Ok(Door::Kafka { .. }))
    }

    /// The row that says it was the first of its key.
    pub(crate) fn row(&self, event: &InboxEvent, terms: &Terms) -> First {
        First {
            offset: self.offset,
            appended_at: self.appended_at,
            payload_sha256: Sha256::digest(&event.payload).into(),
            event: self.event_id(event, terms),
        }
    }

    pub(crate) fn event_id(&self, event: &InboxEvent, terms: &Terms) -> EventId {
        match &event.door {
            Door::Http(http) => http.id.clone(),
            Door::Kafka { .. } => EventId::of_inbox(terms.partition, self.offset, self.appended_at),
        }
    }
}

fn size(parts: &Parts) -> usize {
    let optional = |bytes: Option<&bytes::Bytes>| bytes.map_or(0, bytes::Bytes::len);
    let headers = parts.headers.iter();
    let headers: usize = headers
        .map(|header| header.name.len() + optional(header.value.as_ref()))
        .sum();
    headers + optional(parts.key.as_ref()) + optional(parts.value.as_ref())
}

/// How many records from the front may be decided together: as many as have different keys (R7).
pub(crate) fn wave(batch: &[Incoming], terms: &Terms) -> usize {
    let mut keys = BTreeSet::new();
    batch
        .iter()
        .take_while(|incoming| incoming.scope(terms).is_none_or(|scope| keys.insert(scope)))
        .count()
}

/// What a router makes of a record.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Verdict {
    /// It says its routes itself, and they hold. With a row to write where it is a first that has none.
    Says(Option<First>),
    /// `routed` has to decide: this, unless something is decided there already.
    Ask(Routed),
}

/// Judges a record by the latest row at or below its offset. `find` finds the endpoints of a Kafka
/// producer's event, by what is known now.
pub(crate) fn decide(
    incoming: &Incoming,
    row: Option<&First>,
    terms: &Terms,
    find: impl FnOnce(&InboxEvent, Option<EndpointId>) -> Found,
) -> Verdict {
    let origin = incoming.origin(terms);
    let event = match &incoming.event {
        Ok(event) => event,
        Err(malformed) => {
            let why = malformed.to_string();
            return Verdict::Ask(Routed::Unreadable(Unreadable { origin, why }));
        }
    };
    if let Some(repeat) = repeat(incoming, event, row, terms) {
        return Verdict::Ask(repeat);
    }
    match &event.door {
        Door::Http(_) => {
            let is_written = row.is_some_and(|row| row.offset == incoming.offset);
            let owes = event.idempotency_key.is_some() && !is_written;
            Verdict::Says(owes.then(|| incoming.row(event, terms)))
        }
        Door::Kafka { endpoint } => {
            let Found { routes, control } = find(event, *endpoint);
            Verdict::Ask(Routed::Routes(RoutesFound {
                origin,
                tenant: terms.kafka_tenant.clone(),
                event: incoming.event_id(event, terms),
                routes,
                control,
            }))
        }
    }
}

/// That the record repeats an earlier one, if it does.
fn repeat(
    incoming: &Incoming,
    event: &InboxEvent,
    row: Option<&First>,
    terms: &Terms,
) -> Option<Routed> {
    // Its own row: a redo, and it is the first that it was.
    let row = row.filter(|row| row.offset != incoming.offset)?;
    let window = match &event.door {
        Door::Http(http) => Duration::from_millis(http.idempotency_window.unwrap_or(0)),
        Door::Kafka { .. } => terms.kafka_window,
    };
    let sha256: [u8; 32] = Sha256::digest(&event.payload).into();
    let judged = judge(row, incoming.appended_at, &sha256, window);
    let repeated = || Repeated {
        origin: incoming.origin(terms),
        tenant: match &event.door {
            Door::Http(http) => http.tenant.clone(),
            Door::Kafka { .. } => terms.kafka_tenant.clone(),
        },
        event: incoming.event_id(event, terms),
        first: Position {
            offset: row.offset,
            ..incoming.origin(terms)
        },
        first_event: row.event.clone(),
    };
    match judged {
        Judgement::First => None,
        Judgement::Duplicate => Some(Routed::Duplicate(repeated())),
        Judgement::Conflict => Some(Routed::Conflict(repeated())),
    }
}

/// What is to be done about a record, now that it is settled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Settled<'a> {
    /// It goes to these endpoints.
    Routes {
        event: &'a InboxEvent,
        tenant: &'a TenantId,
        id: &'a EventId,
        routes: &'a Routes,
        control: u64,
    },
    /// It goes nowhere: it repeats an earlier one.
    Nothing,
    /// It goes to quarantine.
    Quarantine(&'a str),
    /// It is decided that it goes somewhere, by a program that could read it; this one can't.
    Newer(&'a Malformed),
}

/// What holds for a record: what `routed` says, else what the record says itself.
pub(crate) fn settle<'a>(incoming: &'a Incoming, decided: Option<&'a Routed>) -> Settled<'a> {
    match (decided, &incoming.event) {
        (Some(Routed::Duplicate(_) | Routed::Conflict(_)), _) => Settled::Nothing,
        (Some(Routed::Unreadable(unreadable)), _) => Settled::Quarantine(&unreadable.why),
        (Some(Routed::Routes(_)) | None, Err(malformed)) => Settled::Newer(malformed),
        (Some(Routed::Routes(found)), Ok(event)) => Settled::Routes {
            event,
            tenant: &found.tenant,
            id: &found.event,
            routes: &found.routes,
            control: found.control,
        },
        (None, Ok(event)) => match &event.door {
            Door::Http(http) => Settled::Routes {
                event,
                tenant: &http.tenant,
                id: &http.id,
                routes: &http.routes,
                control: http.control,
            },
            // Never acted on before it is read back.
            Door::Kafka { .. } => Settled::Nothing,
        },
    }
}
