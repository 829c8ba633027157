//! The fold of a partition of `inbox` with its `routed`: events, and the deliveries that their routes
//! announce.

use std::collections::BTreeMap;

use domain::time::Timestamp;
use eventlog_port::Record;
use projections_port::{
    Batch, DeliveryRow, DeliveryState, Ending, EventChange, EventRow, Progress, Sought,
};
use schemas::ids::{DeliveryId, EndpointId, EventId};
use schemas::inbox::{Door, InboxEvent, Route, Routes};
use schemas::origin::{Acceptance, Position, Run};
use schemas::routed::{Repeated, Routed};
use schemas::text::{EventType, Source, Tags, TenantId};
use schemas::topics::Topic;

use super::names::{Names, owned};
use super::{Place, Taken, TooNew, known};

/// Records that a decision may be about are held until one comes, this many; what is not held any more is
/// read again from the log.
const MOST_HELD: usize = 1_024;

/// A fold of one partition of `inbox`.
pub(crate) struct Acceptances {
    partition: u32,
    inbox: Place,
    routed: Place,
    undecided: BTreeMap<u64, Accepted>,
    names: Names,
}

/// What a record of `inbox` says.
#[derive(Clone)]
pub(crate) struct Accepted {
    id: EventId,
    accepted_at: Timestamp,
    event_type: EventType,
    source: Source,
    tags: Option<Tags>,
    /// Whose it is and where it goes, where the record itself says that.
    told: Option<(TenantId, Vec<EndpointId>)>,
    is_copy: bool,
}

/// What a turn says, and the records that it has to look up first.
pub(crate) struct Turn {
    accepted: Vec<(u64, Accepted)>,
    decided: Vec<(u64, Routed)>,
    /// Offsets in `inbox` of records that decisions are about and that are not held.
    pub(crate) missing: Vec<u64>,
}

/// Events and deliveries that a turn changes, by offset in `inbox`.
#[derive(Default)]
struct Changes {
    events: BTreeMap<u64, EventChange>,
    routed: BTreeMap<u64, Vec<DeliveryRow>>,
    withdrawn: Vec<Sought>,
}

impl Acceptances {
    /// Goes on from how far both topics are folded.
    pub(crate) fn new(partition: u32, inbox: Progress, routed: Progress) -> Self {
        Self {
            partition,
            inbox: Place::new(Topic::Inbox, inbox),
            routed: Place::new(Topic::Routed, routed),
            undecided: BTreeMap::new(),
            names: Names::default(),
        }
    }

    /// Reads what a turn brought.
    pub(crate) fn read(&mut self, taken: Vec<Taken>) -> Result<Turn, TooNew> {
        let mut turn = Turn {
            accepted: Vec::new(),
            decided: Vec::new(),
            missing: Vec::new(),
        };
        for taken in taken {
            if taken.topic == Topic::Inbox {
                for record in taken.records {
                    let offset = record.offset;
                    let accepted = self.read_accepted(record)?;
                    turn.accepted.extend(accepted.map(|read| (offset, read)));
                }
                self.inbox.now.offset = taken.position;
            } else {
                for record in taken.records {
                    turn.decided.extend(self.read_decision(record)?);
                }
                self.routed.now.offset = taken.position;
            }
        }
        let unknown = |offset: &u64| {
            let in_turn = turn.accepted.binary_search_by_key(offset, |(at, _)| *at);
            in_turn.is_err() && !self.undecided.contains_key(offset)
        };
        let decided = turn.decided.iter().map(|(offset, _)| *offset);
        turn.missing = decided.filter(unknown).collect();
        Ok(turn)
    }

    /// Reads a record of `inbox`.
    pub(crate) fn read_accepted(&mut self, record: Record) -> Result<Option<Accepted>, TooNew> {
        let at = self.position(Topic::Inbox, record.offset);
        let accepted_at = record.appended_at;
        let read = known(InboxEvent::decode(&record.into_parts()), at)?;
        Ok(read.map(|event| self.accepted(at, accepted_at, event)))
    }

    fn accepted(&mut self, at: Position, accepted_at: Timestamp, event: InboxEvent) -> Accepted {
        let endpoints = |routes: &Routes| {
            let endpoint = |route: &Route| route.endpoint;
            routes.as_slice().iter().map(endpoint).collect()
        };
        let (id, told, is_copy) = match &event.door {
            Door::Http(http) => {
                let told = (self.names.tenant(&http.tenant), endpoints(&http.routes));
                let id = owned(&http.id, EventId::as_str);
                (id, Some(told), http.copied_from.is_some())
            }
            Door::Kafka { .. } => {
                let id = EventId::of_inbox(at.partition, at.offset, accepted_at);
                (id, None, false)
            }
        };
        let accepted = Accepted {
            id,
            accepted_at,
            event_type: self.names.event_type(&event.envelope.event_type),
            source: self.names.source(&event.envelope.source),
            tags: event
                .envelope
                .tags
                .as_ref()
                .map(|tags| owned(tags, Tags::as_str)),
            told,
            is_copy,
        };
        // Of an event of ours without a key the router has nothing to decide.
        if accepted.told.is_none() || event.idempotency_key.is_some() {
            self.hold(at.offset, accepted.clone());
        }
        accepted
    }

    fn hold(&mut self, offset: u64, accepted: Accepted) {
        self.undecided.insert(offset, accepted);
        if self.undecided.len() > MOST_HELD {
            self.undecided.pop_first();
        }
    }

    /// The first decision about an offset holds, and first decisions ascend (R6).
    fn read_decision(&mut self, record: Record) -> Result<Option<(u64, Routed)>, TooNew> {
        let at = self.position(Topic::Routed, record.offset);
        let decision = known(Routed::decode(&record.into_parts()), at)?;
        let origin = decision.as_ref().map(Routed::origin);
        let is_here = |origin: &Position| {
            origin.topic == Topic::Inbox
                && origin.partition == self.partition
                && origin.offset >= self.routed.now.decided
        };
        let Some(origin) = origin.filter(is_here) else {
            return Ok(None);
        };
        self.routed.now.decided = origin.offset.saturating_add(1);
        Ok(decision.map(|decision| (origin.offset, decision)))
    }

    const fn position(&self, topic: Topic, offset: u64) -> Position {
        Position {
            topic,
            partition: self.partition,
            offset,
        }
    }

    /// Folds a turn, given the records that it was missing, as far as they are still there.
    pub(crate) fn fold(&mut self, turn: Turn, found: Vec<(u64, Accepted)>) -> Batch {
        let mut changes = Changes::default();
        for (offset, accepted) in &turn.accepted {
            if let Some((tenant, endpoints)) = &accepted.told {
                self.accept(*offset, accepted, tenant, endpoints, &mut changes);
            }
        }
        self.undecided.extend(found);
        for (offset, decision) in turn.decided {
            if let Some(accepted) = self.undecided.remove(&offset) {
                self.decide(offset, &accepted, decision, &mut changes);
            }
        }
        // A decision above an offset says that there was none to make about it.
        self.undecided = self.undecided.split_off(&self.routed.now.decided);
        let partition = self.partition;
        let places = [&mut self.inbox, &mut self.routed].into_iter();
        Batch {
            events: changes.events.into_values().collect(),
            routed: changes.routed.into_values().flatten().collect(),
            withdrawn: changes.withdrawn,
            progress: places
                .filter_map(|place| place.advance(partition))
                .collect(),
            ..Batch::default()
        }
    }

    fn accept(
        &self,
        offset: u64,
        accepted: &Accepted,
        tenant: &TenantId,
        endpoints: &[EndpointId],
        changes: &mut Changes,
    ) {
        let rows = endpoints
            .iter()
            .map(|endpoint| self.delivery(offset, accepted, tenant, *endpoint));
        changes.routed.insert(offset, rows.collect());
        // A copy for another endpoint is the same event, which has its row.
        if !accepted.is_copy {
            let ending = Ending::Routed(endpoints.to_vec());
            let row = self.event(offset, accepted, tenant, ending);
            changes
                .events
                .insert(offset, EventChange { was: None, row });
        }
    }

    fn decide(&self, offset: u64, accepted: &Accepted, decision: Routed, changes: &mut Changes) {
        let (repeated, ending): (Repeated, fn(EventId) -> Ending) = match decision {
            Routed::Routes(found) => {
                let endpoints = found.routes.as_slice().iter().map(|route| route.endpoint);
                let endpoints: Vec<_> = endpoints.collect();
                self.accept(offset, accepted, &found.tenant, &endpoints, changes);
                return;
            }
            Routed::Duplicate(repeated) => (repeated, Ending::Duplicate),
            Routed::Conflict(repeated) => (repeated, Ending::Conflict),
            Routed::Unreadable(_) => return,
        };
        let row = self.event(
            offset,
            accepted,
            &repeated.tenant,
            ending(repeated.first_event),
        );
        let in_this_turn = changes.events.contains_key(&offset);
        let told = accepted.told.as_ref().filter(|_| !in_this_turn);
        let was = told.map(|(_, endpoints)| Ending::Routed(endpoints.clone()));
        changes.routed.remove(&offset);
        for endpoint in told.iter().flat_map(|(_, endpoints)| endpoints) {
            let row = self.delivery(offset, accepted, &repeated.tenant, *endpoint);
            let at = Some((row.tenant.clone(), row.cursor()));
            changes.withdrawn.push(Sought { id: row.id, at });
        }
        changes.events.insert(offset, EventChange { was, row });
    }

    fn event(
        &self,
        offset: u64,
        accepted: &Accepted,
        tenant: &TenantId,
        ending: Ending,
    ) -> EventRow {
        EventRow {
            tenant: tenant.clone(),
            id: accepted.id.clone(),
            acceptance: Acceptance::inbox(self.partition, offset),
            accepted_at: accepted.accepted_at,
            event_type: accepted.event_type.clone(),
            source: accepted.source.clone(),
            tags: accepted.tags.clone(),
            ending,
        }
    }

    fn delivery(
        &self,
        offset: u64,
        accepted: &Accepted,
        tenant: &TenantId,
        endpoint: EndpointId,
    ) -> DeliveryRow {
        let acceptance = Acceptance::inbox(self.partition, offset);
        DeliveryRow {
            id: DeliveryId::derive(acceptance, accepted.accepted_at, endpoint, Run::First),
            tenant: tenant.clone(),
            endpoint,
            event: accepted.id.clone(),
            event_type: accepted.event_type.clone(),
            acceptance,
            accepted_at: accepted.accepted_at,
            run: Run::First,
            step: 0,
            state: DeliveryState::Pending,
            place: acceptance.position(),
            since: accepted.accepted_at,
            attempts: Vec::new(),
        }
    }
}
