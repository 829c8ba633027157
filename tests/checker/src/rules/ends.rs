//! Each outcome is one that the endpoint's answers and its settings call for.

use serde_json::Value;

use super::arrivals::{Attempts, attempts};
use crate::fold::{Delivery, Folded, Kind, Outcome, Version};
use crate::history::{Found, History, Limits, Problem};
use crate::read::{count, text, time};

pub(crate) fn check(
    folded: &Folded<'_>,
    history: &History,
    limits: &Limits,
    problems: &mut Vec<Problem>,
) {
    let attempts = attempts(history);
    for delivery in folded.deliveries.values() {
        for outcome in folded.outcomes_of(&delivery.id) {
            let versions =
                folded
                    .endpoints
                    .between(delivery.endpoint, delivery.accepted_at, outcome.at);
            let what = wrong(delivery, outcome, &versions);
            if let Some(what) = what.or_else(|| too_soon(outcome, &versions, &attempts, limits)) {
                problems.found("I1", &outcome.place, what);
            }
        }
    }
}

fn wrong(delivery: &Delivery<'_>, outcome: &Outcome<'_>, versions: &[&Version]) -> Option<String> {
    let status = count(&outcome.json, "/attempt/status");
    let result = text(&outcome.json, "/attempt/result");
    let takes_any = versions
        .iter()
        .any(|v| text(&v.json, "/retry/retry_on") == "any_failure");
    let takes_transient = versions
        .iter()
        .any(|v| text(&v.json, "/retry/retry_on") != "any_failure");
    let is_good = status.is_some_and(|status| (200..300).contains(&status));
    match &outcome.kind {
        Kind::Succeeded if !is_good || result != "succeeded" => {
            Some(format!("{} is delivered by {status:?}", delivery.id))
        }
        Kind::Retry { reason, .. } if reason == "failed" => {
            let ends = status == Some(410) || (is_permanent(status) && !takes_any);
            if ends || is_good || result != "failed" {
                return Some(format!("{} is tried again after {status:?}", delivery.id));
            }
            None
        }
        Kind::DeadLetter { reason, attempts } => {
            let fits = match reason.as_str() {
                "attempts_exhausted" => versions.iter().any(|v| most_attempts(v) <= *attempts),
                "permanent_failure" => is_permanent(status) && takes_transient,
                "gone" => status == Some(410),
                "endpoint_deleted" => versions.iter().any(|v| is_in(v, "deleted")),
                "endpoint_disabled" => versions.iter().any(|v| is_in(v, "disabled")),
                "expired" => true,
                _ => false,
            };
            let what = format!(
                "{} is no {reason} after {attempts} and {status:?}",
                delivery.id
            );
            (!fits).then_some(what)
        }
        Kind::Succeeded | Kind::Retry { .. } | Kind::Cancelled | Kind::Discarded => None,
    }
}

fn is_in(version: &Version, state: &str) -> bool {
    text(&version.json, "/state") == state
}

/// A client's error that another attempt would not change.
fn is_permanent(status: Option<u64>) -> bool {
    status.is_some_and(|status| {
        (400..500).contains(&status) && ![408, 410, 425, 429].contains(&status)
    })
}

fn most_attempts(version: &Version) -> u64 {
    let seconds = version.json.pointer("/retry/schedule/seconds");
    match seconds.and_then(Value::as_array) {
        Some(seconds) => seconds.len() as u64 + 1,
        None => count(&version.json, "/retry/schedule/geometric/max_attempts").unwrap_or_default(),
    }
}

/// A retry is due no sooner than by the schedule, counted from when its attempt was first seen to arrive.
/// What never arrived says nothing: its outcome may have been appended long after it was decided.
fn too_soon(
    outcome: &Outcome<'_>,
    versions: &[&Version],
    attempts: &Attempts<'_>,
    limits: &Limits,
) -> Option<String> {
    let Kind::Retry {
        due,
        attempts: made,
        reason,
    } = &outcome.kind
    else {
        return None;
    };
    if reason != "failed" {
        return None;
    }
    let nth = made.checked_sub(1)?;
    let wait = |version: &&Version| {
        let at = format!("/retry/schedule/seconds/{nth}");
        time(&version.json, &at).map(|seconds| seconds * 1_000)
    };
    let least = versions.iter().map(wait).min()??;
    let arrived = attempts
        .get(&(outcome.delivery.as_str(), *made))?
        .first()?
        .at;
    let what = format!("is due at {due}, {least} ms after an attempt that arrived at {arrived}");
    (*due + limits.clocks_apart < arrived + least).then_some(what)
}
