//! `retry`, in both its forms: the waits one by one, or by a rule.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "JSON has no kinds of values to come: what isn't taken is refused"
)]

use control::settings::retry_policy;
use domain::limits::{MAX_ATTEMPTS, MAX_FACTOR, MAX_JITTER, MAX_WAIT};
use domain::retry::STANDARD_JITTER;
use schemas::control::{RetryOn, RetrySettings, Schedule};
use serde_json::{Map, Value};

use super::draft::{number, standard_retry, standard_schedule};
use super::faults::{Faults, pointer};
use super::read::{Reading, whole};

/// The members of the form by a rule.
const RULE: [&str; 4] = ["initial", "factor", "max", "max_attempts"];

/// What the form by a rule has where nothing is said: 5 s doubling to an hour, as many attempts as the
/// standard schedule.
const INITIAL: f64 = 5.0;
const FACTOR: f64 = 2.0;
const MAX: f64 = 3_600.0;
const ATTEMPTS: u32 = 10;

pub(super) fn retry(reading: &mut Reading<'_>, at: &str, value: &Value) {
    let retry = match value {
        Value::Null => Some(standard_retry()),
        Value::Object(given) => {
            let before = reading.draft.retry.clone();
            patched(before, at, given, reading.faults)
        }
        _ => {
            reading.faults.invalid(at, "must be an object");
            None
        }
    };
    let Some(retry) = retry else { return };
    let total = retry_policy(&retry).total();
    if total > reading.config.events_retention {
        let (total, kept) = (total.as_secs(), reading.config.events_retention.as_secs());
        let detail = format!(
            "takes up to {total} s from the first attempt to the last, and events are kept {kept} s"
        );
        reading.faults.invalid(at, detail);
    }
    reading.draft.retry = retry;
}

/// `before` with what is given; `None` when something is wrong with it.
fn patched(
    mut retry: RetrySettings,
    at: &str,
    given: &Map<String, Value>,
    faults: &mut Faults,
) -> Option<RetrySettings> {
    let mut is_good = true;
    for (member, value) in given {
        let at = pointer(at, member);
        is_good &= match member.as_str() {
            "jitter" => {
                let read = fraction(faults, &at, value, (0.0, MAX_JITTER), STANDARD_JITTER);
                read.map(|read| retry.jitter = number(read)).is_some()
            }
            "retry_on" => {
                let read = retry_on(faults, &at, value);
                read.map(|read| retry.retry_on = read).is_some()
            }
            "schedule" => true,
            rule if RULE.contains(&rule) => true,
            _ => {
                faults.invalid(at, "there is no such member");
                false
            }
        };
    }
    let schedule = schedule(&retry.schedule, at, given, faults)?;
    retry.schedule = schedule;
    is_good.then_some(retry)
}

fn retry_on(faults: &mut Faults, at: &str, value: &Value) -> Option<RetryOn> {
    match value {
        Value::Null => Some(RetryOn::Transient),
        Value::String(word) if word == "transient" => Some(RetryOn::Transient),
        Value::String(word) if word == "any_failure" => Some(RetryOn::AnyFailure),
        _ => {
            faults.invalid(at, "must be transient or any_failure");
            None
        }
    }
}

/// Which form the schedule has after the change: that of the members given; with none, as before.
fn schedule(
    before: &Schedule,
    at: &str,
    given: &Map<String, Value>,
    faults: &mut Faults,
) -> Option<Schedule> {
    let has = |member: &&&str| given.get(**member).is_some_and(|value| !value.is_null());
    let by_rule = RULE.iter().find(has);
    match (given.get("schedule"), by_rule) {
        (Some(Value::Array(waits)), None) => seconds(waits, &pointer(at, "schedule"), faults),
        (None | Some(Value::Null), Some(_)) => by_a_rule(before, at, given, faults),
        (Some(Value::Null), None) => Some(standard_schedule()),
        (None, None) => match before {
            Schedule::Geometric { .. } => by_a_rule(before, at, given, faults),
            Schedule::Seconds(_) => Some(before.clone()),
        },
        (Some(_), Some(member)) => {
            let detail = format!("can't be given together with {member}");
            faults.invalid(pointer(at, "schedule"), detail);
            None
        }
        (Some(_), None) => {
            faults.invalid(
                pointer(at, "schedule"),
                "must be an array of waits in seconds",
            );
            None
        }
    }
}

fn seconds(waits: &[Value], at: &str, faults: &mut Faults) -> Option<Schedule> {
    let most = usize::try_from(MAX_ATTEMPTS - 1).unwrap_or(usize::MAX);
    if waits.len() > most {
        faults.invalid(at, format!("must be at most {most} waits"));
        return None;
    }
    let longest = MAX_WAIT.as_secs();
    let mut read = Vec::new();
    for (index, wait) in waits.iter().enumerate() {
        match wait.as_u64().filter(|wait| *wait <= longest) {
            Some(wait) => read.push(wait),
            None => {
                let rule = format!("must be a whole number of seconds from 0 to {longest}");
                faults.invalid(format!("{at}/{index}"), rule);
            }
        }
    }
    (read.len() == waits.len()).then_some(Schedule::Seconds(read))
}

fn by_a_rule(
    before: &Schedule,
    at: &str,
    given: &Map<String, Value>,
    faults: &mut Faults,
) -> Option<Schedule> {
    let (initial, factor, max, max_attempts) = match before {
        Schedule::Geometric {
            initial,
            factor,
            max,
            max_attempts,
        } => (initial.get(), factor.get(), max.get(), *max_attempts),
        Schedule::Seconds(_) => (INITIAL, FACTOR, MAX, ATTEMPTS),
    };
    let longest = MAX_WAIT.as_secs_f64();
    let mut fraction = |member: &str, bounds: (f64, f64), before: f64, default: f64| {
        let Some(value) = given.get(member) else {
            return Some(before);
        };
        fraction(faults, &pointer(at, member), value, bounds, default)
    };
    let initial = fraction("initial", (0.0, longest), initial, INITIAL);
    let factor = fraction("factor", (1.0, MAX_FACTOR), factor, FACTOR);
    let max = fraction("max", (0.0, longest), max, MAX);
    let max_attempts = match given.get("max_attempts") {
        None => Some(max_attempts),
        Some(value) => {
            let at = pointer(at, "max_attempts");
            whole(faults, &at, value, (1, MAX_ATTEMPTS), ATTEMPTS)
        }
    };
    let (initial, max) = (initial?, max?);
    if initial > max {
        faults.invalid(pointer(at, "initial"), "must not be above max");
        return None;
    }
    Some(Schedule::Geometric {
        initial: number(initial),
        factor: number(factor?),
        max: number(max),
        max_attempts: max_attempts?,
    })
}

/// A number between two, both counted.
fn fraction(
    faults: &mut Faults,
    at: &str,
    value: &Value,
    (least, most): (f64, f64),
    default: f64,
) -> Option<f64> {
    let read = match value {
        Value::Null => Some(default),
        other => other.as_f64(),
    };
    let fits = read.filter(|n| (least..=most).contains(n));
    if fits.is_none() {
        faults.invalid(at, format!("must be a number from {least} to {most}"));
    }
    fits
}
