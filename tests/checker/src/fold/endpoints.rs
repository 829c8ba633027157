//! `control`: which endpoints there are, and since when they are as they are.

use std::collections::BTreeMap;

use serde_json::Value;

use super::of_topic;
use crate::history::{Found, History, Problem};
use crate::read::{count, document, text};

/// One state of an endpoint.
#[derive(Clone, Debug)]
pub(crate) struct Version {
    pub(crate) offset: u64,
    pub(crate) at: i64,
    pub(crate) tenant: String,
    pub(crate) url: String,
    pub(crate) event_types: Vec<String>,
    pub(crate) is_active: bool,
    pub(crate) is_paused: bool,
    pub(crate) partition: Option<u64>,
    pub(crate) json: Value,
}

/// Every endpoint with all of its states, ascending.
#[derive(Default)]
pub(crate) struct Endpoints(pub(crate) BTreeMap<String, Vec<Version>>);

pub(super) fn fold(history: &History, problems: &mut Vec<Problem>) -> Endpoints {
    let mut endpoints = Endpoints::default();
    for (_, records) in of_topic(history, "control") {
        for record in records {
            let Some(json) = document(record) else {
                problems.found("log", format!("control/0/{}", record.offset), "not JSON");
                continue;
            };
            if text(&json, "/kind") == "endpoint" {
                endpoints.apply(record.offset, record.appended_at, json);
            }
        }
    }
    endpoints
}

impl Endpoints {
    fn apply(&mut self, offset: u64, at: i64, json: Value) {
        let versions = self.0.entry(text(&json, "/id").to_owned()).or_default();
        let before = versions.last();
        // A fact that doesn't name the current one holds for nobody.
        if count(&json, "/change/replaces") != before.map(|before| before.offset) {
            return;
        }
        if before.is_some_and(|before| text(&before.json, "/state") == "deleted") {
            return;
        }
        let types = json.pointer("/event_types").and_then(Value::as_array);
        let types = types.into_iter().flatten().filter_map(Value::as_str);
        versions.push(Version {
            offset,
            at,
            tenant: text(&json, "/change/tenant").to_owned(),
            url: text(&json, "/url").to_owned(),
            event_types: types.map(str::to_owned).collect(),
            is_active: text(&json, "/state") == "active",
            is_paused: json.pointer("/paused").and_then(Value::as_bool) == Some(true),
            partition: count(&json, "/partition"),
            json,
        });
    }

    /// The states of `endpoint` in force at some time from `from` to `to`.
    pub(crate) fn between(&self, endpoint: &str, from: i64, to: i64) -> Vec<&Version> {
        let versions = self.0.get(endpoint).map_or(&[][..], Vec::as_slice);
        let ends = versions.iter().skip(1).map(|next| next.at);
        let ends = ends.chain([i64::MAX]);
        let lived = versions.iter().zip(ends);
        lived
            .filter(|(version, end)| version.at <= to && *end >= from)
            .map(|(version, _)| version)
            .collect()
    }

    /// The active endpoints of `tenant` that take `event_type`, by the facts below `end`, ascending.
    pub(crate) fn subscribers(&self, tenant: &str, event_type: &str, end: u64) -> Vec<&str> {
        let takes = |pattern: &String| match pattern.strip_suffix(".*") {
            None => pattern == event_type,
            Some(stem) => event_type
                .strip_prefix(stem)
                .is_some_and(|rest| rest.len() > 1 && rest.starts_with('.')),
        };
        let current = self.0.iter().filter_map(|(id, versions)| {
            let known = versions.iter().rev().find(|version| version.offset < end)?;
            Some((id.as_str(), known))
        });
        current
            .filter(|(_, known)| known.is_active && known.tenant == tenant)
            .filter(|(_, known)| {
                known.event_types.is_empty() || known.event_types.iter().any(takes)
            })
            .map(|(id, _)| id)
            .collect()
    }
}
