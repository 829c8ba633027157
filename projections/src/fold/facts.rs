//! What a record of an owner's partition says.

use domain::time::Timestamp;
use eventlog_port::Record;
use projections_port::{AttemptRow, DeliveryRow, DeliveryState, Ending, EndpointRow, EventRow};
use schemas::accepted::Accepted;
use schemas::attempt::Attempt;
use schemas::attempts::{AttemptsRecord, Starts};
use schemas::dead_letter::DeadLetterRecord;
use schemas::delivery::{Delivery, Link, Subject};
use schemas::event::Addressed;
use schemas::ids::{DeliveryId, EndpointId, EventId};
use schemas::origin::{Position, Run};
use schemas::retry::RetryRecord;
use schemas::topics::Topic;

use super::attempts;
use super::delivery::Said;
use super::names::{Names, owned};
use super::{Place, TooNew, known};

/// What a record says.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Fact {
    /// An event was accepted here, or routed here.
    Accepted(Said, Option<Box<EventRow>>),
    /// An outcome, or a note that an attempt failed.
    Outcome(Said),
    /// Attempts began.
    Started(Vec<(DeliveryId, AttemptRow)>),
    /// A circuit changed; the row's `last_success` says nothing.
    Circuit(EndpointId, EndpointRow),
}

/// Reads a record of `place`'s topic, or `None` where it says nothing that counts.
pub(crate) fn read(
    place: &mut Place,
    partition: u32,
    record: Record,
    names: &mut Names,
) -> Result<Option<Fact>, TooNew> {
    let at = Position {
        topic: place.topic,
        partition,
        offset: record.offset,
    };
    let since = record.appended_at;
    let parts = record.into_parts();
    let record = match place.topic {
        Topic::Events => {
            let accepted = known(Accepted::decode(&parts), at)?;
            return Ok(
                accepted.and_then(|accepted| of_accepted(place, at, since, &accepted, names))
            );
        }
        Topic::Attempts => known(AttemptsRecord::decode(&parts), at)?
            .and_then(|record| of_attempts(place, at, since, record, names)),
        Topic::DeadLetters => known(DeadLetterRecord::decode(&parts), at)?
            .and_then(|record| of_dead_letter(place, at, since, record, names)),
        Topic::Retry(_) => known(RetryRecord::decode(&parts), at)?
            .and_then(|record| of_retry(place, at, since, record, names)),
        Topic::Inbox
        | Topic::Routed
        | Topic::Requests
        | Topic::Progress
        | Topic::Control
        | Topic::Quarantine => None,
    };
    Ok(record)
}

/// A route that isn't above the highest from its partition of `inbox` is a copy (R2).
fn of_accepted(
    place: &mut Place,
    at: Position,
    since: Timestamp,
    accepted: &Accepted,
    names: &mut Names,
) -> Option<Fact> {
    let addressed = &accepted.addressed;
    if let Some(from) = accepted.routed {
        let origin = (from.offset, addressed.endpoint);
        let highest = place.now.origins.get(&from.partition);
        if highest.is_some_and(|highest| origin <= *highest) {
            return None;
        }
        place.now.origins.insert(from.partition, origin);
    }
    let (acceptance, accepted_at) = accepted.acceptance(at.partition, at.offset, since);
    let delivery = Delivery::new(acceptance, accepted_at, addressed.endpoint, Run::First);
    let mut row = of_addressed(addressed, &delivery, names);
    (row.place, row.since) = (at, since);
    let event = accepted.routed.is_none().then(|| {
        Box::new(EventRow {
            tenant: row.tenant.clone(),
            id: row.event.clone(),
            acceptance,
            accepted_at,
            event_type: row.event_type.clone(),
            source: names.source(&addressed.envelope.source),
            tags: addressed
                .envelope
                .tags
                .as_ref()
                .map(|tags| owned(tags, |tags| tags.as_str())),
            ending: Ending::Routed(vec![addressed.endpoint]),
        })
    });
    let said = Said {
        row,
        attempt: None,
        is_note: false,
    };
    Some(Fact::Accepted(said, event))
}

fn of_attempts(
    place: &mut Place,
    at: Position,
    since: Timestamp,
    record: AttemptsRecord,
    names: &mut Names,
) -> Option<Fact> {
    if !place.counts(record.epoch()) {
        return None;
    }
    let mut outcome = |link: Link, subject: &Subject, delivery, state, attempt| {
        let row = of_subject(subject, delivery, names);
        Some(Fact::Outcome(said(row, link, state, at, since, attempt)))
    };
    match record {
        AttemptsRecord::Succeeded(end) => outcome(
            end.link,
            &end.subject,
            &end.delivery,
            DeliveryState::Delivered,
            Some(end.attempt),
        ),
        AttemptsRecord::Cancelled(end) => {
            let state = DeliveryState::Cancelled;
            outcome(end.link, &end.subject, &end.delivery, state, None)
        }
        AttemptsRecord::Discarded(end) => {
            let state = DeliveryState::Discarded;
            outcome(end.link, &end.subject, &end.delivery, state, None)
        }
        AttemptsRecord::HeadFailed(note) => {
            let state = DeliveryState::Retrying {
                next_attempt_at: note.due_at.0,
            };
            let row = of_subject(&note.subject, &note.delivery, names);
            let mut said = said(row, note.link, state, at, since, Some(note.attempt));
            said.row.place = note.link.origin;
            said.is_note = true;
            Some(Fact::Outcome(said))
        }
        AttemptsRecord::Circuit(note) => {
            let row = EndpointRow {
                circuit: note.state,
                probe_at: note.probe_at.map(|at| at.0),
                last_success: None,
            };
            Some(Fact::Circuit(note.endpoint, row))
        }
        AttemptsRecord::Starts(note) => Some(Fact::Started(starts(at, &note))),
        AttemptsRecord::Fence(_) | AttemptsRecord::Answered(_) => None,
    }
}

fn starts(at: Position, note: &Starts) -> Vec<(DeliveryId, AttemptRow)> {
    let start = |start: &schemas::attempts::Start| {
        let row = attempts::started(note.epoch, at, start.number, note.started_at);
        (start.delivery, row)
    };
    note.starts.iter().map(start).collect()
}

fn of_dead_letter(
    place: &mut Place,
    at: Position,
    since: Timestamp,
    record: DeadLetterRecord,
    names: &mut Names,
) -> Option<Fact> {
    let counts = place.counts(record.epoch());
    let (true, DeadLetterRecord::DeadLetter(dead)) = (counts, record) else {
        return None;
    };
    let end = dead.end;
    let state = DeliveryState::DeadLettered(end.reason);
    let row = of_addressed(&dead.addressed, &end.delivery, names);
    Some(Fact::Outcome(said(
        row,
        end.link,
        state,
        at,
        since,
        end.attempt,
    )))
}

fn of_retry(
    place: &mut Place,
    at: Position,
    since: Timestamp,
    record: RetryRecord,
    names: &mut Names,
) -> Option<Fact> {
    let counts = place.counts(record.epoch());
    let (true, RetryRecord::Retry(retry)) = (counts, record) else {
        return None;
    };
    let wait = retry.wait;
    let state = DeliveryState::Retrying {
        next_attempt_at: wait.due_at.0,
    };
    let row = of_addressed(&retry.addressed, &wait.delivery, names);
    Some(Fact::Outcome(said(
        row,
        wait.link,
        state,
        at,
        since,
        wait.attempt,
    )))
}

fn said(
    mut row: DeliveryRow,
    link: Link,
    state: DeliveryState,
    at: Position,
    since: Timestamp,
    attempt: Option<Attempt>,
) -> Said {
    (row.step, row.state, row.place, row.since) = (link.step, state, at, since);
    Said {
        row,
        attempt: attempt.map(|attempt| attempts::ended(link.epoch, at, attempt)),
        is_note: false,
    }
}

fn of_subject(subject: &Subject, delivery: &Delivery, names: &mut Names) -> DeliveryRow {
    DeliveryRow {
        id: delivery.id,
        tenant: names.tenant(&subject.tenant),
        endpoint: subject.endpoint,
        event: subject.event.clone(),
        event_type: names.event_type(&subject.event_type),
        acceptance: delivery.acceptance,
        accepted_at: delivery.accepted_at.0,
        run: delivery.run,
        step: 0,
        state: DeliveryState::Pending,
        place: delivery.acceptance.position(),
        since: delivery.accepted_at.0,
        attempts: Vec::new(),
    }
}

fn of_addressed(addressed: &Addressed, delivery: &Delivery, names: &mut Names) -> DeliveryRow {
    DeliveryRow {
        id: delivery.id,
        tenant: names.tenant(&addressed.tenant),
        endpoint: addressed.endpoint,
        event: owned(&addressed.id, EventId::as_str),
        event_type: names.event_type(&addressed.envelope.event_type),
        acceptance: delivery.acceptance,
        accepted_at: delivery.accepted_at.0,
        run: delivery.run,
        step: 0,
        state: DeliveryState::Pending,
        place: delivery.acceptance.position(),
        since: delivery.accepted_at.0,
        attempts: Vec::new(),
    }
}
