//! From a body to a draft. A body says what is to change (JSON Merge Patch, RFC 7396): `null` is back to
//! the default, a member that isn't there stays. A new endpoint is a patch of one with defaults.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "JSON has no kinds of values to come: what isn't taken is refused"
)]

use std::collections::BTreeSet;

use domain::limits::{MAX_CIRCUIT_FAILURES, MAX_CIRCUIT_SECONDS, MAX_IN_FLIGHT, TIMEOUT_SECONDS};
use domain::signing::Secret;
use domain::subscription::Pattern;
use domain::target::Target;
use problem::Problem;
use schemas::control::{CircuitSettings, Signing};
use serde_json::{Map, Value};

use super::draft::{CIRCUIT, Draft};
use super::faults::{Faults, pointer};
use super::{read_headers, read_retry};
use crate::limits::{
    MAX_EVENT_TYPES, MAX_METADATA, MAX_METADATA_KEY, MAX_METADATA_VALUE, MAX_NAME,
};
use crate::role::Config;

/// What a draft is changed with.
pub(super) struct Reading<'a> {
    pub(super) draft: &'a mut Draft,
    pub(super) faults: &'a mut Faults,
    pub(super) config: &'a Config,
    pub(super) is_new: bool,
}

type Read = fn(&mut Reading<'_>, &str, &Value);

/// Every member that a body may have.
const MEMBERS: &[(&str, Read)] = &[
    ("name", name),
    ("url", url),
    ("event_types", event_types),
    ("filter", |r, at, value| {
        later(r, at, value, Value::is_object)
    }),
    ("ordering", |r, at, value| {
        word_of_later(r, at, value, "none", &["ordered", "strict"]);
    }),
    ("ordering_key", |r, at, value| {
        later(r, at, value, Value::is_string)
    }),
    ("on_dead_letter", |r, at, value| {
        word_of_later(r, at, value, "continue", &["block"]);
    }),
    ("max_in_flight", |r, at, value| {
        let default = Draft::default().max_in_flight;
        r.whole(at, value, (1, MAX_IN_FLIGHT), default, |draft| {
            &mut draft.max_in_flight
        });
    }),
    ("rate_limit", |r, at, value| {
        later(r, at, value, Value::is_u64)
    }),
    ("timeout_seconds", |r, at, value| {
        let default = Draft::default().timeout_seconds;
        r.whole(at, value, TIMEOUT_SECONDS, default, |draft| {
            &mut draft.timeout_seconds
        });
    }),
    ("connect_timeout_seconds", |r, at, value| {
        let default = Draft::default().connect_timeout_seconds;
        r.whole(at, value, TIMEOUT_SECONDS, default, |draft| {
            &mut draft.connect_timeout_seconds
        });
    }),
    ("retry", read_retry::retry),
    ("circuit", circuit),
    ("signing", signing),
    ("algorithm", |r, at, value| {
        word_of_later(r, at, value, "hmac-sha256", &["ed25519"]);
    }),
    ("custom_headers", read_headers::custom_headers),
    ("metadata", metadata),
    ("secret", secret),
];

/// An endpoint to be made.
///
/// # Errors
/// 422, with all that is wrong.
pub(super) fn new(body: &Map<String, Value>, config: &Config) -> Result<Draft, Problem> {
    let mut draft = Draft::default();
    let mut faults = Faults::default();
    let mut reading = Reading {
        draft: &mut draft,
        faults: &mut faults,
        config,
        is_new: true,
    };
    reading.members(body);
    // A null there has been told of already.
    if !body.contains_key("url") {
        faults.invalid("/url", "is missing: an endpoint has a URL");
    }
    let needs_standard = draft.signing != Signing::Stripe;
    if needs_standard
        && draft
            .secret
            .as_ref()
            .is_some_and(|secret| !secret.is_standard())
    {
        faults.invalid("/secret", STANDARD_SECRET);
    }
    faults.finish().map(|()| draft)
}

/// What `signing` asks of a secret.
pub(super) const STANDARD_SECRET: &str =
    "must be whsec_ and base64 unless signing is stripe: Standard Webhooks has no other secrets";

/// A change of `draft`.
///
/// # Errors
/// 422, with all that is wrong.
pub(super) fn patch(
    mut draft: Draft,
    body: &Map<String, Value>,
    config: &Config,
) -> Result<Draft, Problem> {
    let mut faults = Faults::default();
    let mut reading = Reading {
        draft: &mut draft,
        faults: &mut faults,
        config,
        is_new: false,
    };
    reading.members(body);
    faults.finish().map(|()| draft)
}

impl Reading<'_> {
    fn members(&mut self, body: &Map<String, Value>) {
        for (member, value) in body {
            let at = pointer("", member);
            match MEMBERS.iter().find(|(name, _)| name == member) {
                Some((_, read)) => read(self, &at, value),
                None => self.faults.invalid(at, "there is no such member"),
            }
        }
        let is_given = body.contains_key("connect_timeout_seconds");
        if is_given && self.draft.connect_timeout_seconds > self.draft.timeout_seconds {
            let detail = "must not be above timeout_seconds";
            self.faults.invalid("/connect_timeout_seconds", detail);
        }
    }

    /// A whole number between two, both counted.
    pub(super) fn whole(
        &mut self,
        at: &str,
        value: &Value,
        (least, most): (u32, u32),
        default: u32,
        field: fn(&mut Draft) -> &mut u32,
    ) {
        if let Some(read) = whole(self.faults, at, value, (least, most), default) {
            *field(self.draft) = read;
        }
    }
}

/// As [`Reading::whole`], of any field.
pub(super) fn whole(
    faults: &mut Faults,
    at: &str,
    value: &Value,
    (least, most): (u32, u32),
    default: u32,
) -> Option<u32> {
    let read = match value {
        Value::Null => Some(default),
        other => other.as_u64().and_then(|n| u32::try_from(n).ok()),
    };
    let fits = read.filter(|n| (least..=most).contains(n));
    if fits.is_none() {
        faults.invalid(at, format!("must be a whole number from {least} to {most}"));
    }
    fits
}

/// A member that has no meaning yet: `null` is all it may be.
fn later(reading: &mut Reading<'_>, at: &str, value: &Value, is_shaped: fn(&Value) -> bool) {
    if value.is_null() {
        return;
    }
    if is_shaped(value) {
        reading.faults.unsupported(at, "is not supported yet");
    } else {
        reading.faults.invalid(at, "has a value of the wrong type");
    }
}

/// A member of which one word is all that is built.
fn word_of_later(
    reading: &mut Reading<'_>,
    at: &str,
    value: &Value,
    built: &str,
    planned: &[&str],
) {
    match value.as_str() {
        None if value.is_null() => {}
        Some(word) if word == built => {}
        Some(word) if planned.contains(&word) => {
            let detail = format!("{word} is not supported yet; {built} is");
            reading.faults.unsupported(at, detail);
        }
        _ => {
            let words = planned.join(" or ");
            reading
                .faults
                .invalid(at, format!("must be {built}, or later {words}"));
        }
    }
}

fn name(reading: &mut Reading<'_>, at: &str, value: &Value) {
    match value {
        Value::Null => reading.draft.name = None,
        Value::String(name) if is_line(name, MAX_NAME) => {
            reading.draft.name = Some(name.clone());
        }
        _ => {
            let rule = format!("must be a text of 1 to {MAX_NAME} characters without control ones");
            reading.faults.invalid(at, rule);
        }
    }
}

fn is_line(text: &str, longest: usize) -> bool {
    (1..=longest).contains(&text.chars().count()) && !text.chars().any(char::is_control)
}

fn url(reading: &mut Reading<'_>, at: &str, value: &Value) {
    let Value::String(url) = value else {
        reading
            .faults
            .invalid(at, "must be a URL, which has no default");
        return;
    };
    match Target::parse(url, &reading.config.rules) {
        Ok(_) => reading.draft.url = Some(url.clone()),
        Err(bad) if bad.is_forbidden() => reading.faults.forbidden(at, bad.to_string()),
        Err(bad) => reading.faults.invalid(at, bad.to_string()),
    }
}

fn event_types(reading: &mut Reading<'_>, at: &str, value: &Value) {
    let none = Vec::new();
    let given = match value {
        Value::Null => &none,
        Value::Array(given) if given.len() <= MAX_EVENT_TYPES => given,
        _ => {
            let rule = format!("must be an array of at most {MAX_EVENT_TYPES} event types");
            reading.faults.invalid(at, rule);
            return;
        }
    };
    let mut seen = BTreeSet::new();
    let mut types = Vec::new();
    for (index, item) in given.iter().enumerate() {
        match item.as_str().map(|text| (text, Pattern::parse(text))) {
            Some((text, Ok(_))) if seen.insert(text) => types.push(text.to_owned()),
            // Said twice is said.
            Some((_, Ok(_))) => {}
            Some((_, Err(rule))) => reading
                .faults
                .invalid(format!("{at}/{index}"), rule.to_string()),
            None => reading
                .faults
                .invalid(format!("{at}/{index}"), "must be a text"),
        }
    }
    reading.draft.event_types = types;
}

fn circuit(reading: &mut Reading<'_>, at: &str, value: &Value) {
    let members = match value {
        Value::Null => {
            reading.draft.circuit = None;
            return;
        }
        Value::Object(members) => members,
        _ => {
            reading
                .faults
                .invalid(at, "must be an object, or null to turn it off");
            return;
        }
    };
    let mut settings = reading.draft.circuit.unwrap_or(CIRCUIT);
    for (member, value) in members {
        let at = pointer(at, member);
        let seconds = (1, MAX_CIRCUIT_SECONDS);
        let CircuitSettings {
            failures,
            window_seconds,
            open_seconds,
        } = &mut settings;
        let (field, bounds, default) = match member.as_str() {
            "failures" => (failures, (1, MAX_CIRCUIT_FAILURES), CIRCUIT.failures),
            "window_seconds" => (window_seconds, seconds, CIRCUIT.window_seconds),
            "open_seconds" => (open_seconds, seconds, CIRCUIT.open_seconds),
            _ => {
                reading.faults.invalid(at, "there is no such member");
                continue;
            }
        };
        if let Some(read) = whole(reading.faults, &at, value, bounds, default) {
            *field = read;
        }
    }
    reading.draft.circuit = Some(settings);
}

fn signing(reading: &mut Reading<'_>, at: &str, value: &Value) {
    reading.draft.signing = match value {
        Value::Null => Signing::Both,
        Value::String(word) if word == "standard" => Signing::Standard,
        Value::String(word) if word == "stripe" => Signing::Stripe,
        Value::String(word) if word == "both" => Signing::Both,
        _ => {
            reading
                .faults
                .invalid(at, "must be standard, stripe or both");
            return;
        }
    };
}

fn metadata(reading: &mut Reading<'_>, at: &str, value: &Value) {
    let given = match value {
        Value::Null => {
            reading.draft.metadata.clear();
            return;
        }
        Value::Object(given) => given,
        _ => {
            reading.faults.invalid(at, "must be an object of texts");
            return;
        }
    };
    for (key, value) in given {
        let at = pointer(at, key);
        if !(1..=MAX_METADATA_KEY).contains(&key.len()) {
            let rule = format!("must have a name of 1 to {MAX_METADATA_KEY} bytes");
            reading.faults.invalid(at, rule);
            continue;
        }
        match value {
            Value::Null => drop(reading.draft.metadata.remove(key)),
            Value::String(text) if text.len() <= MAX_METADATA_VALUE => {
                reading.draft.metadata.insert(key.clone(), text.clone());
            }
            _ => {
                let rule = format!("must be a text of at most {MAX_METADATA_VALUE} bytes");
                reading.faults.invalid(at, rule);
            }
        }
    }
    if reading.draft.metadata.len() > MAX_METADATA {
        let rule = format!("must have at most {MAX_METADATA} members");
        reading.faults.invalid(at, rule);
    }
}

fn secret(reading: &mut Reading<'_>, at: &str, value: &Value) {
    if !reading.is_new {
        let detail = "can't be changed here, and rotate-secret is not supported yet";
        reading.faults.unsupported(at, detail);
        return;
    }
    match value {
        Value::Null => reading.draft.secret = None,
        Value::String(text) => match Secret::parse(text) {
            Ok(secret) => reading.draft.secret = Some(secret),
            Err(rule) => reading.faults.invalid(at, rule.to_string()),
        },
        _ => reading.faults.invalid(at, "must be a text"),
    }
}
