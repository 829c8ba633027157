//! What can be seen of a system from outside. Times are milliseconds by the log's own clock.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

/// All of it.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// Every record of every partition, ascending by offset, by the topic's name in the protocol.
    pub partitions: BTreeMap<(String, u32), Vec<Record>>,
    /// What clients sent and were told, in the order of sending.
    pub requests: Vec<Request>,
    /// What reached receivers, in the order of arrival.
    pub arrivals: Vec<Arrival>,
    /// What became of processes, in the order of happening.
    pub processes: Vec<ProcessLine>,
    /// The rows of each view store that is to equal the log.
    pub views: Vec<Views>,
    /// Where records lie that nobody can read and that others than the system have written.
    pub foreign: BTreeSet<(String, u32, u64)>,
}

/// A record as the log holds it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Its offset.
    pub offset: u64,
    /// When the log appended it.
    pub appended_at: i64,
    /// The key.
    #[serde(with = "crate::text::option")]
    pub key: Option<Vec<u8>>,
    /// The headers, in order.
    #[serde(with = "crate::text::headers")]
    pub headers: Vec<(String, Option<Vec<u8>>)>,
    /// The value.
    #[serde(with = "crate::text::option")]
    pub value: Option<Vec<u8>>,
}

/// One `POST /api/v1/events`, written down before it is sent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// When it was sent.
    pub sent_at: i64,
    /// The payload's bytes. No two requests have the same, but for one that repeats the other.
    #[serde(with = "crate::text")]
    pub payload: Vec<u8>,
    /// The event type.
    pub event_type: String,
    /// The one endpoint that it goes to.
    pub endpoint: Option<String>,
    /// The idempotency key, an event id given by the client among them.
    pub key: Option<String>,
    /// The answer; `None` when the client never heard.
    pub answer: Option<Answer>,
}

/// What a client was told.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// When it came.
    pub at: i64,
    /// The HTTP status.
    pub status: u16,
    /// The body.
    #[serde(with = "crate::text")]
    pub body: Vec<u8>,
}

/// One request at a receiver.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Arrival {
    /// When it arrived.
    pub at: i64,
    /// The URL dialled.
    pub url: String,
    /// The headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body's bytes.
    #[serde(with = "crate::text")]
    pub body: Vec<u8>,
    /// What the receiver is about to do, written down before it does it.
    pub reply: Reply,
    /// The life of the process that sent it, where that is known.
    pub life: Option<u64>,
}

/// What a receiver does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reply {
    /// Answers with this status.
    Status(u16),
    /// Gives no whole answer: hangs, or breaks the connection off.
    #[default]
    Nothing,
}

/// What became of a process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessLine {
    /// When.
    pub at: i64,
    /// Which life of which process: a number that is never used again.
    pub life: u64,
    /// The process's name.
    pub name: String,
    /// What.
    pub what: Became,
}

/// What a process became.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Became {
    /// It was started.
    Started,
    /// It ended in the middle of something.
    Crashed,
    /// It ended as it was asked to.
    Stopped,
    /// It was kept from doing anything.
    Frozen,
    /// It went on.
    Thawed,
    /// The group took its partitions away without waiting for it.
    Expelled,
}

/// The rows of one view store.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Views {
    /// Which store, for people.
    pub name: String,
    /// Every event.
    pub events: Vec<EventRow>,
    /// Every delivery.
    pub deliveries: Vec<DeliveryRow>,
    /// Every minute of every endpoint.
    pub minutes: Vec<MinuteRow>,
    /// Where the deliveries of each endpoint stand; of all of them under the empty name.
    pub totals: BTreeMap<String, Totals>,
    /// Events that went nowhere.
    pub undelivered: Undelivered,
}

/// An event in a view.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventRow {
    /// Its id.
    pub id: String,
    /// Whose it is.
    pub tenant: String,
    /// Where it was accepted.
    pub acceptance: String,
    /// When.
    pub accepted_at: i64,
    /// Its type.
    pub event_type: String,
    /// What came of accepting it.
    pub ending: Ending,
}

/// What came of accepting an event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ending {
    /// It goes to these endpoints, ascending.
    Routed(Vec<String>),
    /// It is this event again.
    Duplicate(String),
    /// It has this event's key and another payload.
    Conflict(String),
}

/// A delivery in a view.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveryRow {
    /// Its id.
    pub id: String,
    /// Whose it is.
    pub tenant: String,
    /// Where it goes.
    pub endpoint: String,
    /// Its event.
    pub event: String,
    /// The event's type.
    pub event_type: String,
    /// Where the event was accepted.
    pub acceptance: String,
    /// When.
    pub accepted_at: i64,
    /// The highest step.
    pub step: u64,
    /// The state, as the API names it.
    pub state: String,
    /// Why it is a dead letter.
    pub reason: Option<String>,
    /// When the next attempt is due.
    pub next_attempt_at: Option<i64>,
    /// The record that says so.
    pub place: String,
    /// That record's append time.
    pub since: i64,
    /// Its attempts with an outcome, and those that were only started.
    pub attempts: Vec<AttemptRow>,
}

/// An attempt in a view.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptRow {
    /// Its number.
    pub number: u64,
    /// What it came to, as the API names it.
    pub result: String,
    /// The status it was answered with.
    pub status: Option<u64>,
    /// Whether an outcome says so.
    pub has_outcome: bool,
}

/// One minute of one endpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MinuteRow {
    /// The endpoint.
    pub endpoint: String,
    /// The minute's first moment.
    pub minute: i64,
    /// Attempts that succeeded.
    pub succeeded: u64,
    /// Attempts that failed.
    pub failed: u64,
    /// Deliveries that ended delivered.
    pub delivered: u64,
    /// Deliveries that ended dead-lettered.
    pub dead_lettered: u64,
}

/// Where deliveries stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Deliveries made.
    pub deliveries: u64,
    /// Accepted, no outcome yet.
    pub pending: u64,
    /// Waiting for an attempt.
    pub retrying: u64,
    /// Delivered.
    pub delivered: u64,
    /// Dead letters.
    pub dead_lettered: u64,
    /// Discarded.
    pub discarded: u64,
    /// Cancelled.
    pub cancelled: u64,
}

/// Events that went nowhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Undelivered {
    /// Nobody subscribed.
    pub no_route: u64,
    /// The same as an earlier one.
    pub duplicate: u64,
    /// The key of an earlier one, another payload.
    pub conflict: u64,
}

/// What the history's system promised, beyond the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The most requests that one process has on the wire at once.
    pub in_flight: usize,
    /// For how long a change of an endpoint may go unnoticed, in milliseconds.
    pub stale_for: i64,
    /// Whether partitions were taken from processes that still held a lease: then sends after an end
    /// are only counted.
    pub leases_hold: bool,
    /// Whether the history tells of every process that the group took partitions from. Where it does not, a fence of
    /// another's says it.
    pub expulsions_are_told: bool,
    /// How far the clocks of receivers and the log's may lie apart, and what the log is told late, in
    /// milliseconds: 0 where there is one clock.
    pub clocks_apart: i64,
    /// Whether the history is over: everything has ended.
    pub settled: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            in_flight: 512,
            stale_for: 1_000,
            leases_hold: true,
            expulsions_are_told: true,
            clocks_apart: 0,
            settled: true,
        }
    }
}

/// Something that should not be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The invariant of reliability, or the protocol's rule.
    pub rule: &'static str,
    /// The record, request, delivery or row that it is about.
    pub about: String,
    /// What is wrong with it.
    pub what: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.rule, self.about, self.what)
    }
}

/// Problems as they are found.
pub(crate) trait Found {
    fn found(&mut self, rule: &'static str, about: impl fmt::Display, what: impl fmt::Display);
}

impl Found for Vec<Problem> {
    fn found(&mut self, rule: &'static str, about: impl fmt::Display, what: impl fmt::Display) {
        self.push(Problem {
            rule,
            about: about.to_string(),
            what: what.to_string(),
        });
    }
}
