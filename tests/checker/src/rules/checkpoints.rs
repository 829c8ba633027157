//! O9, L6, L8: what a checkpoint calls done is done, whoever wrote it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::fold::{Folded, Kind};
use crate::history::{Found, History, Problem, Record};
use crate::read::{count, document, header, key, text};

pub(crate) fn check(folded: &Folded<'_>, history: &History, problems: &mut Vec<Problem>) {
    let inputs = Inputs::new(folded);
    for ((topic, partition), records) in &history.partitions {
        if topic != "progress" {
            continue;
        }
        for (index, record) in records.iter().enumerate() {
            let Some(json) = document(record).filter(|json| text(json, "/kind") == "checkpoint")
            else {
                continue;
            };
            let place = format!("progress/{partition}/{}", record.offset);
            let lanes = lanes(&records[..index], &json);
            let at = record.appended_at;
            let claims = json.pointer("/inputs").and_then(Value::as_array);
            for claim in claims.into_iter().flatten() {
                let of_topic = text(claim, "/topic");
                let below = count(claim, "/below").unwrap_or_default();
                for undone in inputs.undone(of_topic, *partition, below, at) {
                    let record = history.partitions.get(&(of_topic.to_owned(), *partition));
                    let record = record.and_then(|r| r.iter().find(|r| r.offset == undone));
                    if !record.is_some_and(|record| is_held(record, undone, &lanes)) {
                        let what = format!("calls {of_topic}/{partition}/{undone} done");
                        problems.found("O9", &place, what);
                    }
                }
            }
        }
    }
}

/// When each input that counts was done.
struct Inputs<'f>(BTreeMap<(&'f str, u32), BTreeMap<u64, Option<i64>>>);

impl<'f> Inputs<'f> {
    fn new(folded: &'f Folded<'_>) -> Self {
        let retries = folded.outcomes.iter();
        let retries = retries.filter(|outcome| matches!(outcome.kind, Kind::Retry { .. }));
        let places = folded.deliveries.values().map(|d| d.input.as_str());
        let mut inputs = Self(BTreeMap::new());
        for place in places.chain(retries.map(|outcome| outcome.place.as_str())) {
            let Some((topic, partition, offset)) = crate::read::position(place) else {
                continue;
            };
            let of_input = folded.of_origin.get(place).and_then(|of| of.first());
            let done = of_input.map(|index| folded.outcomes[*index].at);
            inputs
                .0
                .entry((topic, partition))
                .or_default()
                .insert(offset, done);
        }
        inputs
    }

    /// The inputs below `below` that were not done at `at`.
    fn undone(&self, topic: &'f str, partition: u32, below: u64, at: i64) -> Vec<u64> {
        let of_topic = self
            .0
            .iter()
            .find(|((t, p), _)| *t == topic && *p == partition);
        let below = of_topic
            .into_iter()
            .flat_map(|(_, inputs)| inputs.range(..below));
        let undone = below.filter(|(_, done)| done.is_none_or(|done| done > at));
        undone.map(|(offset, _)| *offset).collect()
    }
}

/// A lane of a set: its endpoint, its priority, from where it is undone, what is done above.
struct Lane {
    endpoint: String,
    priority: String,
    resume: u64,
    done: BTreeSet<u64>,
}

/// The lanes of the set that `checkpoint` makes, of its own epoch only.
fn lanes(before: &[Record], checkpoint: &Value) -> Vec<Lane> {
    let from = count(checkpoint, "/set_from").unwrap_or_default();
    let epoch = count(checkpoint, "/epoch");
    let mut lanes = BTreeMap::new();
    let set = before.iter().filter(|record| record.offset >= from);
    for json in set.filter_map(document) {
        if count(&json, "/epoch") != epoch {
            continue;
        }
        let name = json.pointer("/lane").map(ToString::to_string);
        match text(&json, "/kind") {
            "lane" => lanes.insert(name, lane(&json)),
            "lane_released" => lanes.remove(&name),
            _ => None,
        };
    }
    lanes.into_values().collect()
}

fn lane(json: &Value) -> Lane {
    let resume = count(json, "/resume").unwrap_or_default();
    let gaps = json.pointer("/done").and_then(Value::as_array);
    let mut at = resume;
    let mut done = BTreeSet::new();
    for gap in gaps.into_iter().flatten().filter_map(Value::as_u64) {
        at += gap + 1;
        done.insert(at);
    }
    Lane {
        endpoint: text(json, "/lane/endpoint").to_owned(),
        priority: text(json, "/lane/priority").to_owned(),
        resume,
        done,
    }
}

/// Whether a lane says that the record is yet to be done.
fn is_held(record: &Record, offset: u64, lanes: &[Lane]) -> bool {
    let priority = header(record, "priority").unwrap_or("normal");
    lanes.iter().any(|lane| {
        lane.endpoint == key(record)
            && (lane.priority.is_empty() || lane.priority == priority)
            && lane.resume <= offset
            && !lane.done.contains(&offset)
    })
}
