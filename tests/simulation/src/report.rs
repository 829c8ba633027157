//! What is told of a world.

use std::fmt::Write as _;

use checker::History;
use sha2::{Digest as _, Sha256};

use crate::world::run::Ran;

/// A history as one number: equal for equal histories, byte for byte.
#[must_use]
pub fn digest(history: &History) -> String {
    // `Debug` of it is every byte of it, in its order.
    let all = format!("{history:?}");
    Sha256::digest(all.as_bytes())
        .iter()
        .fold(String::new(), |mut hex, byte| {
            let _infallible = write!(hex, "{byte:02x}");
            hex
        })
}

/// One line about a world.
#[must_use]
pub fn line(ran: &Ran) -> String {
    let history = &ran.history;
    let records: usize = history.partitions.values().map(Vec::len).sum();
    format!(
        "seed {}: {} problems; {} requests, {} arrivals, {} records, {} lives, {} s",
        ran.plan.seed,
        ran.problems.len(),
        history.requests.len(),
        history.arrivals.len(),
        records,
        history
            .processes
            .iter()
            .filter(|line| line.what == checker::history::Became::Started)
            .count(),
        ran.lasted.as_secs(),
    )
}

/// Everything that happened, in the order of time.
#[must_use]
pub fn trace(history: &History) -> String {
    let mut lines: Vec<(i64, String)> = Vec::new();
    for ((topic, partition), records) in &history.partitions {
        for record in records {
            let place = format!("{topic}/{partition}/{}", record.offset);
            lines.push((record.appended_at, format!("{place} {}", said(record))));
        }
    }
    for request in &history.requests {
        let Ok(payload) = std::str::from_utf8(&request.payload) else {
            continue;
        };
        let (kind, to) = (&request.event_type, &request.endpoint);
        let line = format!(
            "client sends {kind} to {to:?} key {:?} {payload}",
            request.key
        );
        lines.push((request.sent_at, line));
        if let Some(answer) = &request.answer {
            let body = String::from_utf8_lossy(&answer.body);
            lines.push((
                answer.at,
                format!("client is told {} {body}", answer.status),
            ));
        }
    }
    for arrival in &history.arrivals {
        let of = |name| {
            let found = arrival.headers.iter().find(|(found, _)| found == name);
            found.map_or("", |(_, value)| value.as_str())
        };
        let (id, number) = (of("x-webhook-id"), of("webhook-attempt"));
        let line = format!(
            "arrives {} {id} attempt {number} from life {:?}: {:?}",
            arrival.url, arrival.life, arrival.reply
        );
        lines.push((arrival.at, line));
    }
    for line in &history.processes {
        let what = format!("{} life {} {:?}", line.name, line.life, line.what);
        lines.push((line.at, what));
    }
    lines.sort_by_key(|(at, _)| *at);
    let begin = lines.first().map_or(0, |(at, _)| *at);
    lines.iter().fold(String::new(), |mut all, (at, line)| {
        let _infallible = writeln!(all, "{:>8} {line}", at - begin);
        all
    })
}

fn said(record: &checker::history::Record) -> String {
    let text = |bytes: &Option<Vec<u8>>| {
        let bytes = bytes.as_deref().unwrap_or_default();
        String::from_utf8_lossy(bytes).into_owned()
    };
    let headers: Vec<String> = record
        .headers
        .iter()
        .map(|(name, value)| format!("{name}={}", text(value)))
        .collect();
    format!(
        "key={} {} {}",
        text(&record.key),
        headers.join(" "),
        text(&record.value)
    )
}
