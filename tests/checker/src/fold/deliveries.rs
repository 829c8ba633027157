//! `events`: which deliveries there are.

use std::collections::BTreeMap;

use super::inbox::Accepted;
use super::of_topic;
use crate::history::{Ending, Found, History, Problem, Record};
use crate::read::{delivery_id, header, key, number, payload, position};

/// One event on its way to one endpoint.
#[derive(Clone, Debug)]
pub(crate) struct Delivery<'a> {
    pub(crate) id: String,
    pub(crate) endpoint: &'a str,
    pub(crate) partition: u32,
    pub(crate) acceptance: String,
    pub(crate) accepted_at: i64,
    pub(crate) event: &'a str,
    pub(crate) event_type: &'a str,
    pub(crate) tenant: &'a str,
    pub(crate) payload: &'a [u8],
    /// Its record in `events`.
    pub(crate) input: String,
    pub(crate) input_at: i64,
    /// When its first attempt may be made.
    pub(crate) not_before: Option<i64>,
}

pub(super) fn fold<'a>(
    history: &'a History,
    accepted: &mut BTreeMap<String, Accepted<'a>>,
    problems: &mut Vec<Problem>,
) -> BTreeMap<String, Delivery<'a>> {
    let mut deliveries: BTreeMap<String, Delivery<'a>> = BTreeMap::new();
    for (partition, records) in of_topic(history, "events") {
        let mut highest: BTreeMap<u32, (u64, &str)> = BTreeMap::new();
        for record in records {
            let place = format!("events/{partition}/{}", record.offset);
            let delivery = match header(record, "origin") {
                None => addressed(record, partition, place, accepted),
                Some(origin) => {
                    let Some((_, from, offset)) = position(origin) else {
                        problems.found("log", place, "its origin is none");
                        continue;
                    };
                    // R2: what is not above the highest is there twice.
                    let is_new = highest
                        .get(&from)
                        .is_none_or(|highest| (offset, key(record)) > *highest);
                    if !is_new {
                        continue;
                    }
                    highest.insert(from, (offset, key(record)));
                    let Some(event) = accepted.get(origin) else {
                        problems.found("I2", place, format!("{origin} is not there"));
                        continue;
                    };
                    routed(record, partition, (&place, origin), event, problems)
                }
            };
            if let Some(before) = deliveries.insert(delivery.id.clone(), delivery.clone()) {
                let what = format!("{} is also at {}", before.id, before.input);
                problems.found("R2", &delivery.input, what);
            }
        }
    }
    owed(accepted, &deliveries, problems);
    deliveries
}

fn addressed<'a>(
    record: &'a Record,
    partition: u32,
    place: String,
    accepted: &mut BTreeMap<String, Accepted<'a>>,
) -> Delivery<'a> {
    let event = Accepted::new(record, vec![(key(record).to_owned(), partition)]);
    let delivery = delivery(record, partition, &place, &place, &event);
    accepted.insert(place, event);
    delivery
}

/// A route, compared with the record that it was made from.
fn routed<'a>(
    record: &'a Record,
    partition: u32,
    (place, origin): (&String, &'a str),
    event: &Accepted<'a>,
    problems: &mut Vec<Problem>,
) -> Delivery<'a> {
    let endpoint = key(record);
    let is_owed = matches!(event.ending, Ending::Routed(_))
        && event.routes.contains(&(endpoint.to_owned(), partition));
    if !is_owed {
        problems.found("I2", place, format!("{origin} has no route there"));
    }
    let said = (
        header(record, "ce_id").unwrap_or_default(),
        header(record, "ce_type").unwrap_or_default(),
        header(record, "tenant").unwrap_or_default(),
    );
    if said != (event.id, event.event_type, event.tenant) {
        problems.found("log", place, format!("is {said:?}, {origin} is not"));
    }
    if payload(record) != event.payload {
        problems.found("I3", place, format!("has another payload than {origin}"));
    }
    let accepted_at = header(record, "accepted-at").and_then(|at| at.parse::<i64>().ok());
    if accepted_at != Some(event.at) {
        problems.found("log", place, format!("its accepted-at is not {}", event.at));
    }
    delivery(record, partition, place, origin, event)
}

fn delivery<'a>(
    record: &'a Record,
    partition: u32,
    place: &str,
    acceptance: &str,
    event: &Accepted<'a>,
) -> Delivery<'a> {
    let endpoint = key(record);
    Delivery {
        id: delivery_id(acceptance, event.at, endpoint)
            .unwrap_or_else(|| format!("{acceptance} {endpoint}")),
        endpoint,
        partition,
        acceptance: acceptance.to_owned(),
        accepted_at: event.at,
        event: event.id,
        event_type: event.event_type,
        tenant: event.tenant,
        payload: payload(record),
        input: place.to_owned(),
        input_at: record.appended_at,
        not_before: number(record, "deliver-after").and_then(|at| i64::try_from(at).ok()),
    }
}

/// Every route of every event is a delivery.
fn owed(
    accepted: &BTreeMap<String, Accepted<'_>>,
    deliveries: &BTreeMap<String, Delivery<'_>>,
    problems: &mut Vec<Problem>,
) {
    for (place, event) in accepted {
        let Ending::Routed(endpoints) = &event.ending else {
            continue;
        };
        for endpoint in endpoints {
            let id = delivery_id(place, event.at, endpoint);
            if id.is_none_or(|id| !deliveries.contains_key(&id)) {
                problems.found("I1", place, format!("was never routed to {endpoint}"));
            }
        }
    }
}
