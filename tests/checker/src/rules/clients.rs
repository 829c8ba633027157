//! I1 and I2, as clients see them: what was told accepted is in the log as it was sent, what was refused
//! is not, and the log holds nothing that nobody sent.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::fold::{Accepted, Folded};
use crate::history::{Answer, Ending, Found, History, Problem, Request};
use crate::read::{count, delivery_id, text};

pub(crate) fn check(folded: &Folded<'_>, history: &History, problems: &mut Vec<Problem>) {
    let mut sent: BTreeMap<&[u8], Vec<&Request>> = BTreeMap::new();
    for request in &history.requests {
        sent.entry(&request.payload).or_default().push(request);
        if let Some(answer) = request.answer.as_ref().filter(|a| a.status == 202) {
            taken(request, answer, folded, problems);
        }
    }
    for (place, event) in &folded.accepted {
        match sent.get(event.payload) {
            None => problems.found("I2", place, "nobody sent it"),
            Some(requests) => was_sent(place, event, requests, folded, problems),
        }
    }
}

fn about(request: &Request) -> String {
    String::from_utf8_lossy(&request.payload)
        .chars()
        .take(60)
        .collect()
}

/// A `202` is kept.
fn taken(request: &Request, answer: &Answer, folded: &Folded<'_>, problems: &mut Vec<Problem>) {
    let json: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let place = format!(
        "{}/{}/{}",
        text(&json, "/topic"),
        count(&json, "/partition").unwrap_or(u64::MAX),
        count(&json, "/offset").unwrap_or(u64::MAX)
    );
    let is_repeat = json.pointer("/duplicate") == Some(&Value::Bool(true));
    let Some(event) = folded.accepted.get(&place) else {
        let what = format!("was told 202 at {place}, where it is not");
        return problems.found("I1", about(request), what);
    };
    if event.id != text(&json, "/event_id") || event.payload != request.payload {
        let what = format!("was told 202 at {place}, where another is");
        return problems.found("I1", about(request), what);
    }
    let status = if event.routes.is_empty() {
        "no_route"
    } else {
        "accepted"
    };
    if !is_repeat && text(&json, "/status") != status {
        let what = format!("was told {}, is {status}", text(&json, "/status"));
        problems.found("I1", about(request), what);
    }
    let told = json.pointer("/deliveries").and_then(Value::as_array);
    let told = told.into_iter().flatten().map(|delivery| {
        let of = |name| text(delivery, name).to_owned();
        (of("/endpoint_id"), of("/delivery_id"))
    });
    let told: Vec<(String, String)> = told.collect();
    let is = event.routes.iter().map(|(endpoint, _)| {
        (
            endpoint.clone(),
            delivery_id(&place, event.at, endpoint).unwrap_or_default(),
        )
    });
    if told != is.collect::<Vec<_>>() {
        problems.found("I1", about(request), format!("was told {told:?}"));
    }
}

/// An event in the log is one that somebody sent and that was not refused, and goes where it must.
fn was_sent(
    place: &str,
    event: &Accepted<'_>,
    requests: &[&Request],
    folded: &Folded<'_>,
    problems: &mut Vec<Problem>,
) {
    let refused = |request: &&Request| {
        let status = request.answer.as_ref().map(|answer| answer.status);
        status.is_some_and(|status| (400..500).contains(&status))
    };
    let is_routed = matches!(&event.ending, Ending::Routed(_));
    if is_routed && requests.iter().all(refused) {
        problems.found("I2", place, "was refused");
    }
    let fits = |request: &&Request| {
        let is_same = request.event_type == event.event_type && request.key.as_deref() == event.key;
        is_same && goes(request, event, folded)
    };
    if !requests.iter().any(fits) {
        let what = format!("goes to {:?} as no request asked", event.routes);
        problems.found("I1", place, what);
    }
}

/// To the endpoint that was asked for, or to all that subscribed as of what ingest knew.
fn goes(request: &Request, event: &Accepted<'_>, folded: &Folded<'_>) -> bool {
    let routes: Vec<&str> = event.routes.iter().map(|(id, _)| id.as_str()).collect();
    let placed = event.routes.iter().all(|(id, partition)| {
        let versions = folded.endpoints.0.get(id);
        let known = versions.and_then(|versions| versions.first());
        known.and_then(|known| known.partition) == Some(u64::from(*partition))
    });
    let wanted = match &request.endpoint {
        Some(endpoint) => vec![endpoint.as_str()],
        None => folded
            .endpoints
            .subscribers(event.tenant, event.event_type, event.control),
    };
    placed && routes == wanted
}
