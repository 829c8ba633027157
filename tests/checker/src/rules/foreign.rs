//! What others wrote and nobody can read: where deliveries begin it goes to quarantine as it was; nowhere does it count.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::history::{Found, History, Problem, Record};
use crate::read::{beside, count, payload, text};

/// What `history` is without the records that nobody can read.
pub(crate) fn set_aside(history: &History) -> Cow<'_, History> {
    if history.foreign.is_empty() {
        return Cow::Borrowed(history);
    }
    let mut rest = history.clone();
    for ((topic, partition), records) in &mut rest.partitions {
        let place = |record: &Record| (topic.clone(), *partition, record.offset);
        records.retain(|record| !history.foreign.contains(&place(record)));
    }
    Cow::Owned(rest)
}

pub(crate) fn check(history: &History, problems: &mut Vec<Problem>) {
    let mut kept: BTreeMap<String, (&Record, Value)> = BTreeMap::new();
    for (_, records) in history
        .partitions
        .iter()
        .filter(|((topic, _), _)| topic == "quarantine")
    {
        for record in records {
            let json = beside(record).unwrap_or_default();
            kept.insert(text(&json, "/origin").to_owned(), (record, json));
        }
    }
    for (topic, partition, offset) in &history.foreign {
        let place = format!("{topic}/{partition}/{offset}");
        let records = history.partitions.get(&(topic.clone(), *partition));
        let record = records
            .into_iter()
            .flatten()
            .find(|record| record.offset == *offset);
        let Some(record) = record else {
            problems.found("log", place, "others wrote it, and it is not there");
            continue;
        };
        match kept.get(&place) {
            None if is_read(topic, *offset, history, *partition) => {
                problems.found("quarantine", place, "is not there");
            }
            Some((kept, json)) if !is_same(record, kept, json) => {
                problems.found("quarantine", place, "is there with other bytes");
            }
            None | Some(_) => {}
        }
    }
}

/// Whether somebody who passes over it has to leave it somewhere. A tier is read as far as its owner has written in it;
/// topics that nothing is done about are read again by whoever folds them, and are their own record.
fn is_read(topic: &str, offset: u64, history: &History, partition: u32) -> bool {
    if matches!(topic, "inbox" | "events") {
        return true;
    }
    let records = history.partitions.get(&(topic.to_owned(), partition));
    let is_ours = |record: &Record| {
        let place = (topic.to_owned(), partition, record.offset);
        record.offset > offset && !history.foreign.contains(&place)
    };
    topic.starts_with("retry.") && records.is_some_and(|records| records.iter().any(is_ours))
}

/// The bytes, or as many as were kept and the hash of all.
fn is_same(record: &Record, kept: &Record, json: &Value) -> bool {
    let length = record.value.as_ref().map(|value| value.len() as u64);
    if count(json, "/value_length") != length {
        return false;
    }
    match text(json, "/value_sha256") {
        "" => payload(record) == payload(kept),
        hash => {
            let digest = Sha256::digest(payload(record));
            let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
            payload(record).starts_with(payload(kept)) && hash == hex
        }
    }
}
