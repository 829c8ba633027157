//! I7: the views equal the fold.

use std::collections::{BTreeMap, BTreeSet};

use crate::fold::{Accepted, Delivery, Folded, Kind, Outcome};
use crate::history::{
    AttemptRow, DeliveryRow, Ending, EventRow, Found, History, MinuteRow, Problem, Totals,
    Undelivered, Views,
};
use crate::read::{count, text};

pub(crate) fn check(folded: &Folded<'_>, history: &History, problems: &mut Vec<Problem>) {
    for views in &history.views {
        let mut of_store = Vec::new();
        events(folded, views, &mut of_store);
        deliveries(folded, views, &mut of_store);
        totals(folded, views, &mut of_store);
        minutes(folded, &views.minutes, &mut of_store);
        for problem in of_store {
            problems.found(
                "I7",
                format!("{}: {}", views.name, problem.about),
                problem.what,
            );
        }
    }
}

/// Every row is expected, and every expected row is there, once.
fn rows<R: std::fmt::Debug>(
    expected: &BTreeMap<String, R>,
    found: impl Iterator<Item = (String, R)>,
    is_same: impl Fn(&R, &R) -> bool,
    problems: &mut Vec<Problem>,
) {
    let mut seen = BTreeSet::new();
    for (id, row) in found {
        match expected.get(&id) {
            None => problems.found("I7", &id, "a row of nothing"),
            Some(expected) if !is_same(expected, &row) => {
                let what = format!("the row is {row:?}, the log says {expected:?}");
                problems.found("I7", &id, what);
            }
            Some(_) => {}
        }
        if !seen.insert(id.clone()) {
            problems.found("I7", &id, "a second row");
        }
    }
    for id in expected.keys().filter(|id| !seen.contains(*id)) {
        problems.found("I7", id, "no row");
    }
}

fn events(folded: &Folded<'_>, views: &Views, problems: &mut Vec<Problem>) {
    let row = |(place, event): (&String, &Accepted<'_>)| {
        let row = EventRow {
            id: event.id.to_owned(),
            tenant: event.tenant.to_owned(),
            acceptance: place.clone(),
            accepted_at: event.at,
            event_type: event.event_type.to_owned(),
            ending: event.ending.clone(),
        };
        (place.clone(), row)
    };
    // An id that a client gave twice is asked for once: its row is the first's.
    let is_own = |event: &Accepted<'_>| match &event.ending {
        Ending::Routed(_) => true,
        Ending::Duplicate(first) | Ending::Conflict(first) => first != event.id,
    };
    let listed = folded.accepted.iter().filter(|(_, event)| is_own(event));
    let expected: BTreeMap<String, EventRow> = listed.map(row).collect();
    let found = views.events.iter().filter(|row| match &row.ending {
        Ending::Routed(_) => true,
        Ending::Duplicate(first) | Ending::Conflict(first) => *first != row.id,
    });
    let found = found.map(|row| (row.acceptance.clone(), row.clone()));
    rows(&expected, found, |a, b| a == b, problems);
}

fn deliveries(folded: &Folded<'_>, views: &Views, problems: &mut Vec<Problem>) {
    let expected = folded.deliveries.values();
    let expected = expected.map(|delivery| (delivery.id.clone(), delivery_row(folded, delivery)));
    let expected: BTreeMap<String, DeliveryRow> = expected.collect();
    let found = views.deliveries.iter();
    let found = found.map(|row| (row.id.clone(), row.clone()));
    let is_same = |expected: &DeliveryRow, row: &DeliveryRow| {
        let mut row = row.clone();
        row.attempts.retain(|attempt| attempt.has_outcome);
        let mut expected = expected.clone();
        // What was started and has no outcome yet is under way.
        if row.state == "delivering" && expected.step == row.step {
            expected.state.clone_from(&row.state);
            expected.next_attempt_at = row.next_attempt_at;
        }
        expected == row
    };
    rows(&expected, found, is_same, problems);
}

fn delivery_row(folded: &Folded<'_>, delivery: &Delivery<'_>) -> DeliveryRow {
    let mut row = DeliveryRow {
        id: delivery.id.clone(),
        tenant: delivery.tenant.to_owned(),
        endpoint: delivery.endpoint.to_owned(),
        event: delivery.event.to_owned(),
        event_type: delivery.event_type.to_owned(),
        acceptance: delivery.acceptance.clone(),
        accepted_at: delivery.accepted_at,
        state: "pending".to_owned(),
        place: delivery.input.clone(),
        since: delivery.input_at,
        ..DeliveryRow::default()
    };
    for outcome in folded.outcomes_of(&delivery.id) {
        step(&mut row, outcome);
    }
    row
}

fn step(row: &mut DeliveryRow, outcome: &Outcome<'_>) {
    row.step = outcome.step;
    row.place.clone_from(&outcome.place);
    row.since = outcome.at;
    row.next_attempt_at = None;
    let state = match &outcome.kind {
        Kind::Retry { due, .. } => {
            row.next_attempt_at = Some(*due);
            "retrying"
        }
        Kind::Succeeded => "delivered",
        Kind::Cancelled => "cancelled",
        Kind::DeadLetter { reason, .. } => {
            row.reason = Some(reason.clone());
            "dead_lettered"
        }
        Kind::Discarded => "discarded",
    };
    state.clone_into(&mut row.state);
    row.attempts.extend(attempt(outcome));
}

fn attempt(outcome: &Outcome<'_>) -> Option<AttemptRow> {
    Some(AttemptRow {
        number: outcome.number()?,
        result: text(&outcome.json, "/attempt/result").to_owned(),
        status: count(&outcome.json, "/attempt/status"),
        has_outcome: true,
    })
}

fn totals(folded: &Folded<'_>, views: &Views, problems: &mut Vec<Problem>) {
    let mut expected: BTreeMap<String, Totals> = BTreeMap::new();
    for delivery in folded.deliveries.values() {
        let state = delivery_row(folded, delivery).state;
        for name in ["", delivery.endpoint] {
            let totals = expected.entry(name.to_owned()).or_default();
            totals.deliveries += 1;
            *match state.as_str() {
                "retrying" => &mut totals.retrying,
                "delivered" => &mut totals.delivered,
                "dead_lettered" => &mut totals.dead_lettered,
                "discarded" => &mut totals.discarded,
                "cancelled" => &mut totals.cancelled,
                _ => &mut totals.pending,
            } += 1;
        }
    }
    let nothing = Totals::default();
    let names: BTreeSet<&String> = expected.keys().chain(views.totals.keys()).collect();
    for name in names {
        let is = views.totals.get(name).unwrap_or(&nothing);
        let must = expected.get(name).unwrap_or(&nothing);
        if is != must {
            let what = format!("counts {is:?}, the log {must:?}");
            problems.found("I7", format!("accounting of {name:?}"), what);
        }
    }
    let mut undelivered = Undelivered::default();
    for event in folded.accepted.values() {
        match &event.ending {
            Ending::Routed(to) => undelivered.no_route += u64::from(to.is_empty()),
            Ending::Duplicate(_) => undelivered.duplicate += 1,
            Ending::Conflict(_) => undelivered.conflict += 1,
        }
    }
    if undelivered != views.undelivered {
        let what = format!("{:?}, the log says {undelivered:?}", views.undelivered);
        problems.found("I7", "events that went nowhere", what);
    }
}

/// Succeeded, failed, delivered, dead-lettered.
type Counts = [u64; 4];

fn minutes(folded: &Folded<'_>, rows: &[MinuteRow], problems: &mut Vec<Problem>) {
    let mut is: BTreeMap<&str, Counts> = BTreeMap::new();
    for row in rows {
        let counts = is.entry(&row.endpoint).or_default();
        let of_row = [row.succeeded, row.failed, row.delivered, row.dead_lettered];
        for (total, more) in counts.iter_mut().zip(of_row) {
            *total += more;
        }
    }
    let mut must: BTreeMap<&str, Counts> = BTreeMap::new();
    for outcome in &folded.outcomes {
        let Some(delivery) = folded.deliveries.get(&outcome.delivery) else {
            continue;
        };
        let result = text(&outcome.json, "/attempt/result");
        let counts = must.entry(delivery.endpoint).or_default();
        let is_dead = matches!(outcome.kind, Kind::DeadLetter { .. });
        let of_outcome = [
            result == "succeeded",
            result == "failed",
            outcome.kind == Kind::Succeeded,
            is_dead,
        ];
        for (total, more) in counts.iter_mut().zip(of_outcome) {
            *total += u64::from(more);
        }
    }
    must.retain(|_, counts| counts.iter().any(|count| *count > 0));
    is.retain(|_, counts| counts.iter().any(|count| *count > 0));
    let endpoints: BTreeSet<&&str> = is.keys().chain(must.keys()).collect();
    for endpoint in endpoints {
        let (is, must) = (is.get(*endpoint), must.get(*endpoint));
        if is != must {
            let what = format!("minutes add up to {is:?}, the log to {must:?}");
            problems.found("I7", endpoint, what);
        }
    }
}
