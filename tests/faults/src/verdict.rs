//! What the checker says of a folder, and what there is to count in it.

use std::collections::BTreeMap;
use std::path::Path;

use checker::history::Arrival;
use checker::{History, Limits, Problem};
use serde_json::Value;

use crate::journal;
use crate::world::IN_FLIGHT;

/// What came of a run.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// What should not have happened.
    pub problems: Vec<Problem>,
    /// `202`s that clients were given.
    pub accepted: usize,
    /// Deliveries of which something arrived.
    pub arrived: usize,
    /// Requests beyond the first of the same attempt.
    pub repeats: usize,
}

/// What is promised on real servers.
///
/// Brokers, receivers and dispatchers share one machine's clock. But a dispatcher's log time lags behind it by as
/// long as its last acknowledgement was under way: that much earlier than by the wall a retry may be due.
#[must_use]
pub fn limits() -> Limits {
    Limits {
        in_flight: IN_FLIGHT,
        clocks_apart: 500,
        // What a broker does with a group, nobody tells us.
        expulsions_are_told: false,
        ..Limits::default()
    }
}

/// Reads a folder and judges it.
///
/// # Errors
/// When it can't be read.
pub fn of_folder(folder: &Path, limits: &Limits) -> anyhow::Result<(History, Verdict)> {
    let history = journal::read(folder)?;
    let verdict = of(&history, limits);
    Ok((history, verdict))
}

/// Judges a history.
#[must_use]
pub fn of(history: &History, limits: &Limits) -> Verdict {
    let accepted = history.requests.iter();
    let told = accepted.filter(|request| request.answer.as_ref().is_some_and(|a| a.status == 202));
    let mut attempts = BTreeMap::<(&str, &str), usize>::new();
    for arrival in &history.arrivals {
        let key = (
            named(arrival, "x-webhook-id"),
            named(arrival, "webhook-attempt"),
        );
        *attempts.entry(key).or_default() += 1;
    }
    let mut deliveries: Vec<&str> = attempts.keys().map(|(delivery, _)| *delivery).collect();
    deliveries.dedup();
    Verdict {
        problems: checker::check(history, limits),
        accepted: told.count(),
        arrived: deliveries.len(),
        repeats: attempts.values().map(|count| count - 1).sum(),
    }
}

/// How many keys were sent more than once with the same payload and told 202 each time; and how many of them by more
/// than one event id: of those all but the first are duplicates in the log, as the checker has seen.
#[must_use]
pub fn asked_again(history: &History) -> (usize, usize) {
    let mut ids = BTreeMap::<(&str, &[u8]), Vec<String>>::new();
    for request in &history.requests {
        let taken = request
            .answer
            .as_ref()
            .filter(|answer| answer.status == 202);
        if let (Some(key), Some(answer)) = (&request.key, taken) {
            let said: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
            let id = said["event_id"].as_str().unwrap_or_default();
            let known = ids.entry((key, &request.payload)).or_default();
            known.push(id.to_owned());
        }
    }
    let mut again: Vec<_> = ids.into_values().filter(|ids| ids.len() > 1).collect();
    let count = again.len();
    for ids in &mut again {
        ids.sort();
        ids.dedup();
    }
    (count, again.iter().filter(|ids| ids.len() > 1).count())
}

fn named<'a>(arrival: &'a Arrival, name: &str) -> &'a str {
    let found = arrival.headers.iter().find(|(found, _)| found == name);
    found.map_or("", |(_, value)| value)
}

impl Verdict {
    /// Whether time may mend what is wrong: views that have yet to fold what is in the log, and what is on its way to
    /// quarantine.
    #[must_use]
    pub fn is_early(&self) -> bool {
        let is_early = |p: &Problem| {
            p.rule == "I7"
                || p.what.ends_with("never ended")
                || (p.rule == "quarantine" && p.what == "is not there")
        };
        !self.problems.is_empty() && self.problems.iter().all(is_early)
    }
}
