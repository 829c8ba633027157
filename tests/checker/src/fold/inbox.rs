//! `inbox` and `routed`: what was accepted there, and which of it was the first of its key.

use std::collections::BTreeMap;

use serde_json::Value;

use super::of_topic;
use crate::history::{Ending, Found, History, Problem, Record};
use crate::read::{count, document, header, number, payload, position, text};

/// An event that is in the log.
#[derive(Clone, Debug)]
pub(crate) struct Accepted<'a> {
    pub(crate) at: i64,
    pub(crate) id: &'a str,
    pub(crate) tenant: &'a str,
    pub(crate) event_type: &'a str,
    pub(crate) payload: &'a [u8],
    pub(crate) key: Option<&'a str>,
    pub(crate) control: u64,
    /// Endpoint and partition of each, ascending.
    pub(crate) routes: Vec<(String, u32)>,
    pub(crate) ending: Ending,
}

impl<'a> Accepted<'a> {
    pub(super) fn new(record: &'a Record, routes: Vec<(String, u32)>) -> Self {
        let endpoints = routes.iter().map(|(endpoint, _)| endpoint.clone());
        Self {
            at: record.appended_at,
            id: header(record, "ce_id").unwrap_or_default(),
            tenant: header(record, "tenant").unwrap_or_default(),
            event_type: header(record, "ce_type").unwrap_or_default(),
            payload: payload(record),
            key: header(record, "idempotency-key"),
            control: number(record, "control").unwrap_or_default(),
            ending: Ending::Routed(endpoints.collect()),
            routes,
        }
    }
}

/// What the router decided about an offset.
struct Decision {
    /// The whole of it.
    json: Value,
    kind: String,
    first: String,
    first_event: String,
}

pub(super) fn fold<'a>(
    history: &'a History,
    problems: &mut Vec<Problem>,
) -> BTreeMap<String, Accepted<'a>> {
    let mut accepted = BTreeMap::new();
    for (partition, records) in of_topic(history, "inbox") {
        let decisions = decisions(history, partition, problems);
        let mut firsts = Firsts::default();
        for record in records {
            let place = format!("inbox/{partition}/{}", record.offset);
            if header(record, "postrider-v").is_none() {
                let decided = decisions.get(&record.offset);
                let event = of_producer(record, &place, decided, history, problems);
                accepted.extend(event.map(|event| (place, event)));
                continue;
            }
            let Some(routes) = header(record, "routes").and_then(routes) else {
                problems.found("log", place, "says no routes that can be read");
                continue;
            };
            let mut event = Accepted::new(record, routes);
            let judged = firsts.judge(record, &place, &event);
            let decided = decisions.get(&record.offset);
            compare(&place, judged.as_ref(), decided, problems);
            if let Some(judged) = judged {
                event.ending = judged;
            }
            accepted.insert(place, event);
        }
    }
    accepted
}

/// An event that a Kafka producer wrote, in the plain form or a CloudEvent's binary one: the router's decision says
/// where it goes. Keys are not judged: what brings none is no repeat.
fn of_producer<'a>(
    record: &'a Record,
    place: &str,
    decided: Option<&Decision>,
    history: &'a History,
    problems: &mut Vec<Problem>,
) -> Option<Accepted<'a>> {
    let Some(decided) = decided else {
        problems.found("I1", place, "was not decided; it never ended");
        return None;
    };
    if decided.kind != "routes" {
        let what = format!("a producer's, decided to be {:?}", decided.kind);
        problems.found("I1", place, what);
        return None;
    }
    let to = decided.json.pointer("/routes").map(ToString::to_string);
    let mut event = Accepted::new(record, to.and_then(|to| routes(&to))?);
    event.control = count(&decided.json, "/control").unwrap_or_default();
    if event.event_type.is_empty() {
        event.event_type = header(record, "event-type").unwrap_or_default();
    }
    // What it is called is in the decision, and on each of its routes.
    let events = of_topic(history, "events").flat_map(|(_, records)| records);
    let mut routed = events.filter(|route| header(route, "origin") == Some(place));
    let Some(route) = routed.next() else {
        problems.found("I1", place, "has a route that is not there; it never ended");
        return None;
    };
    event.id = header(route, "ce_id").unwrap_or_default();
    event.tenant = header(route, "tenant").unwrap_or_default();
    let said = (
        text(&decided.json, "/event"),
        text(&decided.json, "/tenant"),
    );
    if said != (event.id, event.tenant) {
        problems.found(
            "log",
            place,
            format!("is routed as {}, not {said:?}", event.id),
        );
    }
    Some(event)
}

fn routes(text: &str) -> Option<Vec<(String, u32)>> {
    let json: Value = serde_json::from_str(text).ok()?;
    let route = |route: &Value| {
        let partition = u32::try_from(count(route, "/partition")?).ok()?;
        Some((route.pointer("/endpoint")?.as_str()?.to_owned(), partition))
    };
    json.as_array()?.iter().map(route).collect()
}

/// The decisions that hold: the first about an offset, and each above all before it (R6).
fn decisions(
    history: &History,
    partition: u32,
    problems: &mut Vec<Problem>,
) -> BTreeMap<u64, Decision> {
    let mut decided = BTreeMap::new();
    let records = history.partitions.get(&("routed".to_owned(), partition));
    for record in records.into_iter().flatten() {
        let place = format!("routed/{partition}/{}", record.offset);
        let Some(json) = document(record) else {
            problems.found("log", place, "not JSON");
            continue;
        };
        let Some((_, _, offset)) = position(text(&json, "/origin")) else {
            problems.found("log", place, "names no origin");
            continue;
        };
        let highest = decided.last_key_value().map(|(highest, _)| *highest);
        if highest.is_some_and(|highest| highest >= offset) {
            if !decided.contains_key(&offset) {
                problems.found("R6", place, "a first decision below one before it");
            }
            continue;
        }
        decided.insert(
            offset,
            Decision {
                kind: text(&json, "/kind").to_owned(),
                first: text(&json, "/first").to_owned(),
                first_event: text(&json, "/first_event").to_owned(),
                json,
            },
        );
    }
    decided
}

/// Records that were the first of their key, by tenant and key, ascending.
#[derive(Default)]
struct Firsts<'a>(BTreeMap<(&'a str, &'a str), Vec<(String, Accepted<'a>)>>);

impl<'a> Firsts<'a> {
    /// How the record ends, if it is none of its own (R8).
    fn judge(&mut self, record: &Record, place: &str, event: &Accepted<'a>) -> Option<Ending> {
        let scope = (event.tenant, event.key?);
        let window = number(record, "idempotency-window").unwrap_or_default();
        let window = i64::try_from(window).unwrap_or(i64::MAX);
        let firsts = self.0.entry(scope).or_default();
        match firsts.last() {
            Some((_, first)) if event.at - first.at < window => {
                let id = first.id.to_owned();
                Some(if first.payload == event.payload {
                    Ending::Duplicate(id)
                } else {
                    Ending::Conflict(id)
                })
            }
            _ => {
                firsts.push((place.to_owned(), event.clone()));
                None
            }
        }
    }
}

fn compare(
    place: &str,
    judged: Option<&Ending>,
    decided: Option<&Decision>,
    problems: &mut Vec<Problem>,
) {
    let (kind, first) = match judged {
        Some(Ending::Duplicate(first)) => ("duplicate", first.as_str()),
        Some(Ending::Conflict(first)) => ("conflict", first.as_str()),
        Some(Ending::Routed(_)) | None => ("", ""),
    };
    let (said, named) = decided.map_or(("", ""), |d| (d.kind.as_str(), d.first_event.as_str()));
    if (kind, first) != (said, named) {
        let said = if said.is_empty() { "a first" } else { said };
        let is = if kind.is_empty() { "a first" } else { kind };
        let of = decided.map_or("", |d| d.first.as_str());
        let what = format!("is {is} of {first}, was decided to be {said} of {named} {of}");
        problems.found("I1", place, what);
    }
}
