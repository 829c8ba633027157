//! Rows of the views.

use std::collections::BTreeMap;

use domain::time::Timestamp;
use schemas::attempt::Attempt;
use schemas::dead_letter::DeadLetterReason;
use schemas::ids::{DeliveryId, EndpointId, EventId};
use schemas::origin::{Acceptance, Position, Run};
use schemas::text::{EventType, Source, Tags, TenantId};

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
    /// What that step said.
    pub state: DeliveryState,
    /// The record that says so: where the delivery waits, or how it ended. Requests name it.
    pub place: Position,
    /// The append time of that record.
    pub since: Timestamp,
    /// Its attempts with an outcome, by number, and what was started and has no outcome: shown as
    /// under way while the epoch is current, as unknown once a higher one has gone by.
    pub attempts: Vec<AttemptRow>,
}

/// One attempt of a delivery.
#[derive(Clone, Debug, PartialEq)]
pub struct AttemptRow {
    /// The epoch of the owner that made it.
    pub epoch: u64,
    /// What it came to; of one that was only started, number and time, and `Unknown` as its result.
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
    /// Failures in a row up to now, over minutes; a success makes it zero.
    pub consecutive_failures: u64,
    /// When an attempt last succeeded.
    pub last_success: Option<Timestamp>,
}

/// How many deliveries were made, and where they stand: the one is the sum of the others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Accounting {
    /// Deliveries made.
    pub deliveries: u64,
    /// Accepted, no outcome yet; those under way are among them.
    pub pending: u64,
    /// They wait for an attempt.
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
