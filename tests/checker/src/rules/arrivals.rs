//! I2, I3 and I6, as receivers see them.

use std::collections::BTreeMap;

use crate::fold::{Delivery, Folded, Kind, Outcome};
use crate::history::{Arrival, Found, History, Limits, Problem, Reply};
use crate::read::{count, text};

/// The arrivals of each attempt: by delivery and number, in the order of arrival.
pub(crate) type Attempts<'h> = BTreeMap<(&'h str, u64), Vec<&'h Arrival>>;

pub(crate) fn check(
    folded: &Folded<'_>,
    history: &History,
    limits: &Limits,
    problems: &mut Vec<Problem>,
) {
    for arrival in &history.arrivals {
        let id = named(arrival, "x-webhook-id");
        match folded.deliveries.get(id) {
            None => {
                let what = format!("reached {} at {}", arrival.url, arrival.at);
                problems.found("I2", format!("{id:?}, unaccounted,"), what);
            }
            Some(delivery) => one(arrival, delivery, folded, limits, problems),
        }
    }
    let attempts = attempts(history);
    for outcome in &folded.outcomes {
        told(outcome, &attempts, problems);
    }
}

/// A header's value; empty where there is none.
pub(crate) fn named<'a>(arrival: &'a Arrival, name: &str) -> &'a str {
    let found = arrival.headers.iter().find(|(found, _)| found == name);
    found.map_or("", |(_, value)| value)
}

pub(crate) fn number(arrival: &Arrival) -> u64 {
    named(arrival, "webhook-attempt")
        .parse()
        .unwrap_or_default()
}

pub(crate) fn attempts(history: &History) -> Attempts<'_> {
    let mut attempts = Attempts::new();
    for arrival in &history.arrivals {
        let key = (named(arrival, "x-webhook-id"), number(arrival));
        attempts.entry(key).or_default().push(arrival);
    }
    attempts
}

fn one(
    arrival: &Arrival,
    delivery: &Delivery<'_>,
    folded: &Folded<'_>,
    limits: &Limits,
    problems: &mut Vec<Problem>,
) {
    let number = number(arrival);
    let at = arrival.at;
    // By whichever clock it is late.
    let latest = at + limits.clocks_apart;
    let mut wrong = |rule, what: String| {
        let about = format!("{} attempt {number} at {at}", delivery.id);
        problems.found(rule, about, what);
    };
    if arrival.body != delivery.payload || named(arrival, "webhook-id") != delivery.event {
        wrong("I3", format!("is not {} as it was sent", delivery.event));
    }
    let known = folded
        .endpoints
        .between(delivery.endpoint, at - limits.stale_for, latest);
    let may_go = |v: &&&crate::fold::Version| v.url == arrival.url && v.is_active && !v.is_paused;
    if !known.iter().any(|version| may_go(&version)) {
        wrong("I6", format!("{} may not be dialled now", arrival.url));
    }
    if delivery.not_before.is_some_and(|due| latest < due) || latest < delivery.input_at {
        wrong("I6", "before it may begin".to_owned());
    }
    if number != 1 {
        let due = due(folded, &delivery.id, number);
        if due.is_none_or(|due| latest < due) {
            wrong("I6", format!("before its due time, {due:?}"));
        }
    }
    if !limits.leases_hold {
        return;
    }
    let later = folded.outcomes_of(&delivery.id).find(|o| {
        o.at < at - limits.clocks_apart
            && (o.kind.is_end() || o.number().is_some_and(|n| n >= number))
    });
    if let Some(later) = later {
        wrong("I6", format!("after {}, of {}", later.place, later.at));
    }
}

/// When attempt `number` may be made at the earliest: it is due, and the log says so.
fn due(folded: &Folded<'_>, delivery: &str, number: u64) -> Option<i64> {
    folded
        .outcomes_of(delivery)
        .find_map(|outcome| match &outcome.kind {
            Kind::Retry {
                due,
                reason,
                attempts,
            } if reason == "failed" => (attempts + 1 == number).then(|| (*due).max(outcome.at)),
            Kind::Retry { .. }
            | Kind::Succeeded
            | Kind::Cancelled
            | Kind::DeadLetter { .. }
            | Kind::Discarded => None,
        })
}

/// What an outcome tells of an answer, a receiver has given.
fn told(outcome: &Outcome<'_>, attempts: &Attempts<'_>, problems: &mut Vec<Problem>) {
    let Some(number) = outcome.number() else {
        return;
    };
    let status = count(&outcome.json, "/attempt/status");
    let Some(status) = status else {
        if text(&outcome.json, "/attempt/error/class").is_empty() {
            problems.found("I1", &outcome.place, "neither a status nor an error");
        }
        return;
    };
    let arrivals = attempts.get(&(outcome.delivery.as_str(), number));
    let gave = |arrival: &&&Arrival| match arrival.reply {
        Reply::Status(given) => u64::from(given) == status,
        Reply::Nothing => false,
    };
    if !arrivals.into_iter().flatten().any(|a| gave(&a)) {
        let what = format!("no receiver has answered attempt {number} with {status}");
        problems.found("I1", &outcome.place, what);
    }
}
