//! `retry.*`, `attempts`, `dead-letters` and the fences: what counts of what owners wrote.

use std::collections::BTreeSet;

use serde_json::Value;

use super::Folded;
use crate::history::{Found, History, Problem, Record};
use crate::read::{beside, count, document, key, text, time};

/// A fence in `progress`.
#[derive(Clone, Debug)]
pub(crate) struct Fence {
    pub(crate) epoch: u64,
    pub(crate) at: i64,
    pub(crate) owner: String,
}

/// What an outcome says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Another attempt, or another wait.
    Retry {
        due: i64,
        reason: String,
        attempts: u64,
    },
    /// Delivered.
    Succeeded,
    /// Ended by an operator.
    Cancelled,
    /// Failed for good.
    DeadLetter { reason: String, attempts: u64 },
    /// A dead letter put away.
    Discarded,
}

impl Kind {
    /// Whether nothing more is sent.
    pub(crate) const fn is_end(&self) -> bool {
        match self {
            Self::Succeeded | Self::Cancelled | Self::DeadLetter { .. } => true,
            Self::Retry { .. } | Self::Discarded => false,
        }
    }
}

/// An outcome that counts.
#[derive(Clone, Debug)]
pub(crate) struct Outcome<'a> {
    pub(crate) place: String,
    pub(crate) at: i64,
    pub(crate) kind: Kind,
    pub(crate) origin: String,
    pub(crate) step: u64,
    pub(crate) delivery: String,
    /// The whole of its JSON.
    pub(crate) json: Value,
    pub(crate) record: &'a Record,
}

impl Outcome<'_> {
    /// The number of the attempt that it tells of.
    pub(crate) fn number(&self) -> Option<u64> {
        count(&self.json, "/attempt/number")
    }

    /// The endpoint, wherever the record says it.
    pub(crate) fn endpoint(&self) -> &str {
        match text(&self.json, "/subject/endpoint") {
            "" => key(self.record),
            said => said,
        }
    }
}

/// An attempt that began.
#[derive(Clone, Debug)]
pub(crate) struct Start {
    pub(crate) place: String,
    pub(crate) delivery: String,
    pub(crate) origin: String,
    pub(crate) number: u64,
}

pub(super) fn fold<'a>(history: &'a History, folded: &mut Folded<'a>, problems: &mut Vec<Problem>) {
    fences(history, folded, problems);
    for ((topic, partition), records) in &history.partitions {
        let is_output =
            topic.starts_with("retry.") || topic == "attempts" || topic == "dead-letters";
        if is_output {
            output(topic, *partition, records, folded, problems);
        }
    }
}

fn fences(history: &History, folded: &mut Folded<'_>, problems: &mut Vec<Problem>) {
    for (partition, records) in super::of_topic(history, "progress") {
        let mut epochs = BTreeSet::new();
        for record in records {
            let place = format!("progress/{partition}/{}", record.offset);
            let Some(json) = document(record) else {
                problems.found("log", place, "not JSON");
                continue;
            };
            if text(&json, "/kind") == "fence" {
                epochs.insert(record.offset);
                let fence = Fence {
                    epoch: record.offset,
                    at: record.appended_at,
                    owner: text(&json, "/owner").to_owned(),
                };
                folded.fences.entry(partition).or_default().push(fence);
            } else if !count(&json, "/epoch").is_some_and(|epoch| epochs.contains(&epoch)) {
                problems.found("O4", place, "carries an epoch of no fence before it");
            }
        }
    }
}

/// One output: what is below the highest epoch before it counts for nothing (O5).
fn output<'a>(
    topic: &str,
    partition: u32,
    records: &'a [Record],
    folded: &mut Folded<'a>,
    problems: &mut Vec<Problem>,
) {
    let known = folded.fences.get(&partition).cloned().unwrap_or_default();
    let mut fenced = BTreeSet::new();
    let mut highest = 0;
    for record in records {
        let place = format!("{topic}/{partition}/{}", record.offset);
        let json = if topic == "attempts" {
            document(record)
        } else {
            beside(record)
        };
        let Some(json) = json else {
            problems.found("log", place, "has no JSON that can be read");
            continue;
        };
        let epoch = count(&json, "/link/epoch").or_else(|| count(&json, "/epoch"));
        let Some(epoch) = epoch else {
            problems.found("log", place, "has no epoch");
            continue;
        };
        if text(&json, "/kind") == "fence" {
            if !known.iter().any(|fence| fence.epoch == epoch) {
                problems.found("O4", &place, format!("no fence {epoch} in progress"));
            }
            fenced.insert(epoch);
        } else if !fenced.contains(&epoch) {
            problems.found("O4", &place, format!("no fence {epoch} before it"));
        }
        if epoch < highest {
            continue;
        }
        highest = epoch;
        take(topic, place, json, record, folded, problems);
    }
}

fn take<'a>(
    topic: &str,
    place: String,
    json: Value,
    record: &'a Record,
    folded: &mut Folded<'a>,
    problems: &mut Vec<Problem>,
) {
    let kind = match text(&json, "/kind") {
        "retry" => Kind::Retry {
            due: time(&json, "/due_at").unwrap_or(i64::MAX),
            reason: text(&json, "/reason").to_owned(),
            attempts: count(&json, "/attempts").unwrap_or_default(),
        },
        "succeeded" => Kind::Succeeded,
        "cancelled" => Kind::Cancelled,
        "discarded" => Kind::Discarded,
        "dead_letter" => Kind::DeadLetter {
            reason: text(&json, "/reason").to_owned(),
            attempts: count(&json, "/attempts").unwrap_or_default(),
        },
        "starts" => {
            let started = starts(&place, &json);
            return folded.starts.extend(started);
        }
        "fence" | "circuit" | "head_failed" | "answered" => return,
        strange => return problems.found("log", place, format!("strange kind {strange:?}")),
    };
    let tier = text(&json, "/tier");
    if matches!(kind, Kind::Retry { .. }) && topic != format!("retry.{tier}") {
        problems.found("log", &place, format!("says it waits in {tier:?}"));
    }
    folded.outcomes.push(Outcome {
        place,
        at: record.appended_at,
        kind,
        origin: text(&json, "/link/origin").to_owned(),
        step: count(&json, "/link/step").unwrap_or_default(),
        delivery: text(&json, "/delivery/id").to_owned(),
        json,
        record,
    });
}

fn starts(place: &str, json: &Value) -> Vec<Start> {
    let starts = json.pointer("/starts").and_then(Value::as_array);
    let start = |start: &Value| Start {
        place: place.to_owned(),
        delivery: text(start, "/delivery").to_owned(),
        origin: text(start, "/origin").to_owned(),
        number: count(start, "/number").unwrap_or_default(),
    };
    starts.into_iter().flatten().map(start).collect()
}
