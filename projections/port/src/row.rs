//! Rows of the views. Each is the same from whatever order of topics it was folded: what a row keeps
//! is the highest, the sum or the set of what was said, never the last that came.

use std::collections::BTreeMap;

use domain::time::Timestamp;
use schemas::attempt::{Attempt, AttemptResult};
use schemas::attempts::CircuitState;
use schemas::dead_letter::DeadLetterReason;
use schemas::ids::{DeliveryId, EndpointId, EventId};
use schemas::origin::{Acceptance, Position, Run};
use schemas::text::{EventType, Source, Tags, TenantId};
use schemas::topics::Topic;

use crate::page::Cursor;

/// An event, as it was accepted. What became of it is in its deliveries.
#[derive(Clone, Debug, PartialEq)]
pub struct EventRow {
    /// Whose it is.
    pub tenant: TenantId,
    /// Its id, which is its `webhook-id`.
    pub id: EventId,
    /// Where it was accepted, and where its payload and headers are.
    pub acceptance: Acceptance,
    /// When the log appended it there.
    pub accepted_at: Timestamp,
    /// What happened.
    pub event_type: EventType,
    /// Where it came from.
    pub source: Source,
    /// Its labels.
    pub tags: Option<Tags>,
    /// What came of accepting it.
    pub ending: Ending,
}

/// What came of accepting an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It goes to these endpoints, ascending; a row each in the deliveries. None: `no_route`.
    Routed(Vec<EndpointId>),
    /// Its key was there less than the window before, with the same payload. Whoever asks for it
    /// gets the first.
    Duplicate(EventId),
    /// As a duplicate, with another payload.
    Conflict(EventId),
}

/// A delivery: one event on its way to one endpoint, with all of its attempts.
#[derive(Clone, Debug, PartialEq)]
pub struct DeliveryRow {
    /// Its id, derived from acceptance, endpoint and run.
    pub id: DeliveryId,
    /// Whose it is.
    pub tenant: TenantId,
    /// Where it goes.
    pub endpoint: EndpointId,
    /// The event.
    pub event: EventId,
    /// What happened.
    pub event_type: EventType,
    /// Where the event was accepted.
    pub acceptance: Acceptance,
    /// When the log appended it there.
    pub accepted_at: Timestamp,
    /// Which pass over the log.
    pub run: Run,
    /// The highest step seen: 0 is the acceptance. A lower one never changes `state` or `place`.
    pub step: u32,
    /// What that step said. In a store never [`Delivering`](DeliveryState::Delivering): readers get
    /// that from the attempts, by the epoch that is current ([`shown`](Self::shown)).
    pub state: DeliveryState,
    /// The record that says so: where the delivery waits, or how it ended. Requests name it. In
    /// `inbox`: the router has yet to send it on.
    pub place: Position,
    /// The append time of that record.
    pub since: Timestamp,
    /// Its attempts with an outcome, by number and epoch, and what was started and has no outcome:
    /// shown as under way while the epoch is current, as unknown once a higher one has gone by. The
    /// last [`MAX_ATTEMPTS`].
    pub attempts: Vec<AttemptRow>,
}

/// How many attempts a row holds: a schedule may have any number, a row is written again with each.
pub const MAX_ATTEMPTS: usize = 100;

/// The most of a response's body that a row holds, in bytes. All that was kept of it, and the
/// response's headers, are in the log, where [`AttemptRow::place`] says.
pub const BODY_FRONT: usize = 1_024;

impl DeliveryRow {
    /// Whether the fold of `inbox` makes it as well, from the routes of its event.
    #[must_use]
    pub fn is_routed_too(&self) -> bool {
        self.acceptance.position().topic == Topic::Inbox && self.run == Run::First
    }

    /// Whether only the routes of its event say that it is to be: the router may yet find that the
    /// event is a repeat.
    #[must_use]
    pub fn is_only_routed(&self) -> bool {
        self.place.topic == Topic::Inbox
    }

    /// The row's place in lists.
    #[must_use]
    pub const fn cursor(&self) -> Cursor {
        Cursor {
            accepted_at: self.accepted_at,
            acceptance: self.acceptance,
            delivery: Some(self.id),
        }
    }

    /// The row as readers see it while `epoch` is the highest of its partition of `attempts`.
    #[must_use]
    pub fn shown(mut self, epoch: u64) -> Self {
        let ended = |row: &AttemptRow| row.has_outcome.then_some(row.attempt.number);
        let last = self.attempts.iter().filter_map(ended).max().unwrap_or(0);
        let under_way =
            |row: &AttemptRow| !row.has_outcome && row.epoch >= epoch && row.attempt.number > last;
        if !self.state.is_end() && self.attempts.iter().any(under_way) {
            self.state = DeliveryState::Delivering;
        }
        self
    }

    /// The status code that the last attempt with an outcome was answered with.
    #[must_use]
    pub fn last_status(&self) -> Option<u16> {
        let last = self.attempts.iter().rev().find(|row| row.has_outcome);
        last.and_then(|row| row.attempt.status)
    }
}

impl EventRow {
    /// The row's place in lists.
    #[must_use]
    pub const fn cursor(&self) -> Cursor {
        Cursor {
            accepted_at: self.accepted_at,
            acceptance: self.acceptance,
            delivery: None,
        }
    }

    /// The deliveries of its first run, by its routes.
    pub fn deliveries(&self) -> impl Iterator<Item = DeliveryId> + '_ {
        let routes: &[EndpointId] = match &self.ending {
            Ending::Routed(endpoints) => endpoints,
            Ending::Duplicate(_) | Ending::Conflict(_) => &[],
        };
        let derive = |endpoint: &EndpointId| {
            DeliveryId::derive(self.acceptance, self.accepted_at, *endpoint, Run::First)
        };
        routes.iter().map(derive)
    }

    /// Its status in the api, where its deliveries stand like this: `no_route`, `pending`, `partial`,
    /// `delivered`, `failed`, `duplicate` or `idempotency_conflict`.
    #[must_use]
    pub fn status(&self, states: &[DeliveryState]) -> &'static str {
        let routes = match &self.ending {
            Ending::Duplicate(_) => return "duplicate",
            Ending::Conflict(_) => return "idempotency_conflict",
            Ending::Routed(endpoints) if endpoints.is_empty() => return "no_route",
            Ending::Routed(endpoints) => endpoints.len(),
        };
        let ended = states.iter().filter(|state| state.is_end()).count();
        let delivered = |state: &&DeliveryState| **state == DeliveryState::Delivered;
        let delivered = states.iter().filter(delivered).count();
        if ended < routes {
            "pending"
        } else if delivered == states.len() {
            "delivered"
        } else if delivered == 0 {
            "failed"
        } else {
            "partial"
        }
    }
}

/// One attempt of a delivery.
#[derive(Clone, Debug, PartialEq)]
pub struct AttemptRow {
    /// The epoch of the owner that made it.
    pub epoch: u64,
    /// The record that says so. What a row leaves out of an attempt is there.
    pub place: Position,
    /// What it came to, without the response's headers and with the front of its body
    /// ([`BODY_FRONT`]); of one that was only started, number and time, and `Unknown` as its result.
    pub attempt: Attempt,
    /// Whether an outcome says so. A start alone says only that it began.
    pub has_outcome: bool,
}

/// Where a delivery stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveryState {
    /// Accepted, and no attempt has ended.
    Pending,
    /// An attempt was started, and no outcome is known yet.
    Delivering,
    /// It waits for its next attempt.
    Retrying {
        /// When that is due, in log time.
        next_attempt_at: Timestamp,
    },
    /// A receiver took it. An end.
    Delivered,
    /// It failed for good. An end, which may be discarded later.
    DeadLettered(DeadLetterReason),
    /// It failed for good, and an operator put it away.
    Discarded,
    /// An operator ended it.
    Cancelled,
}

impl DeliveryState {
    /// Whether nothing more will be sent.
    #[must_use]
    pub const fn is_end(self) -> bool {
        match self {
            Self::Pending | Self::Delivering | Self::Retrying { .. } => false,
            Self::Delivered | Self::DeadLettered(_) | Self::Discarded | Self::Cancelled => true,
        }
    }

    /// Its name in the api.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Delivering => "delivering",
            Self::Retrying { .. } => "retrying",
            Self::Delivered => "delivered",
            Self::DeadLettered(_) => "dead_lettered",
            Self::Discarded => "discarded",
            Self::Cancelled => "cancelled",
        }
    }
}

/// What happened at one endpoint within one minute, as absolute totals, so that writing a row again
/// changes nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MinuteRow {
    /// Attempts that ended, by what they came to.
    pub succeeded: u64,
    /// As `succeeded`.
    pub failed: u64,
    /// Deliveries that ended delivered.
    pub delivered: u64,
    /// Deliveries that ended dead-lettered.
    pub dead_lettered: u64,
    /// The sum of the attempts' durations in microseconds.
    pub duration_us: u64,
    /// How many attempts took how long: bucket *n* counts those of 2^(n/4) microseconds and more,
    /// up to the next bucket: quantiles within 19 %.
    pub durations: BTreeMap<u16, u64>,
    /// Attempts that failed, by the second of the minute, 0 to 59.
    pub failed_in: BTreeMap<u8, u64>,
    /// When an attempt last succeeded.
    pub last_success: Option<Timestamp>,
}

/// Milliseconds in a minute.
const MINUTE: i64 = 60_000;

/// The first moment of the minute of `at`.
#[must_use]
pub const fn minute_of(at: Timestamp) -> Timestamp {
    let millis = at.as_millis();
    Timestamp::from_millis(millis - millis.rem_euclid(MINUTE))
}

impl MinuteRow {
    /// Counts an attempt whose outcome the log appended at `at`, in this minute. What is unknown
    /// counts for nothing.
    pub fn count(&mut self, attempt: &Attempt, at: Timestamp) {
        match attempt.result {
            AttemptResult::Unknown => return,
            AttemptResult::Succeeded => {
                self.succeeded += 1;
                self.last_success = self.last_success.max(Some(at));
            }
            AttemptResult::Failed => {
                self.failed += 1;
                *self.failed_in.entry(second_of(at)).or_default() += 1;
            }
        }
        self.duration_us = self.duration_us.saturating_add(attempt.duration_us);
        let bucket = bucket_of(attempt.duration_us);
        *self.durations.entry(bucket).or_default() += 1;
    }
}

/// The bucket of [`MinuteRow::durations`] that counts `micros`.
#[must_use]
pub fn bucket_of(micros: u64) -> u16 {
    let micros = micros.max(1);
    let whole = micros.ilog2();
    // Compares fourth powers, in which the bounds of a quarter are whole: 2^(4w + q).
    let fourth = u128::from(micros >> whole.saturating_sub(30)).pow(4);
    let shift = 4 * whole.min(30);
    let quarter = (0..4).rev().find(|q| fourth >> (shift + q) > 0);
    u16::try_from(whole * 4 + quarter.unwrap_or(0)).unwrap_or(u16::MAX)
}

fn second_of(at: Timestamp) -> u8 {
    u8::try_from(at.as_millis().rem_euclid(MINUTE) / 1_000).unwrap_or(0)
}

/// Failures in a row up to the end of `minutes`: those in later seconds than the last success, or
/// all of them without one.
#[must_use]
pub fn consecutive_failures(minutes: &BTreeMap<Timestamp, MinuteRow>) -> u64 {
    let mut failures = 0;
    for row in minutes.values().rev() {
        let Some(success) = row.last_success else {
            failures += row.failed;
            continue;
        };
        let later = row.failed_in.range(second_of(success).saturating_add(1)..);
        return failures + later.map(|(_, failed)| failed).sum::<u64>();
    }
    failures
}

/// What is known of an endpoint apart from any minute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EndpointRow {
    /// Its circuit.
    pub circuit: CircuitState,
    /// When the circuit lets a probe through, in log time, while it is open.
    pub probe_at: Option<Timestamp>,
    /// When the log last appended a success. In a store it is the first of the last minute that has
    /// one, so that it is written once a minute; readers get the last.
    pub last_success: Option<Timestamp>,
}

impl Default for EndpointRow {
    fn default() -> Self {
        Self {
            circuit: CircuitState::Closed,
            probe_at: None,
            last_success: None,
        }
    }
}

/// How many deliveries were made, and where they stand: the one is the sum of the others. Of what was
/// accepted within retention.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Accounting {
    /// Deliveries made.
    pub deliveries: u64,
    /// Accepted, no outcome yet; those under way are among them.
    pub pending: u64,
    /// They wait for an attempt; those under way are among them.
    pub retrying: u64,
    /// Ended.
    pub delivered: u64,
    /// Ended.
    pub dead_lettered: u64,
    /// Ended.
    pub discarded: u64,
    /// Ended.
    pub cancelled: u64,
}

impl std::ops::AddAssign for Accounting {
    fn add_assign(&mut self, more: Self) {
        self.deliveries += more.deliveries;
        self.pending += more.pending;
        self.retrying += more.retrying;
        self.delivered += more.delivered;
        self.dead_lettered += more.dead_lettered;
        self.discarded += more.discarded;
        self.cancelled += more.cancelled;
    }
}

impl Accounting {
    /// Deliveries whose state is not known: zero, or something is wrong.
    #[must_use]
    pub const fn unaccounted(&self) -> u64 {
        let known = self.pending
            + self.retrying
            + self.delivered
            + self.dead_lettered
            + self.discarded
            + self.cancelled;
        self.deliveries.abs_diff(known)
    }
}
