//! What an owner is given to do: an input, and the job that it is.

use domain::time::Timestamp;
use eventlog_port::Offset;
use schemas::accepted::Accepted;
use schemas::delivery::{Delivery, Link, Subject};
use schemas::event::{Addressed, Priority};
use schemas::ids::EndpointId;
use schemas::origin::{Position, Run};
use schemas::retry::Retry;
use schemas::topics::{Tier, Topic};

use crate::budget::Reserved;

/// A record that ends in exactly one outcome, by where it lies in the owner's partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Input {
    /// In `events`.
    Event(Offset),
    /// In a tier.
    Retry(Tier, Offset),
}

impl Input {
    /// Its position, in partition `partition`.
    pub(crate) const fn position(self, partition: u32) -> Position {
        let (topic, offset) = match self {
            Self::Event(offset) => (Topic::Events, offset),
            Self::Retry(tier, offset) => (Topic::Retry(tier), offset),
        };
        Position {
            topic,
            partition,
            offset,
        }
    }

    /// What a position names, where it is an input.
    pub(crate) const fn at(position: Position) -> Option<Self> {
        match position.topic {
            Topic::Events => Some(Self::Event(position.offset)),
            Topic::Retry(tier) => Some(Self::Retry(tier, position.offset)),
            Topic::Inbox
            | Topic::Routed
            | Topic::Attempts
            | Topic::DeadLetters
            | Topic::Requests
            | Topic::Progress
            | Topic::Control
            | Topic::Quarantine => None,
        }
    }

    pub(crate) const fn is_retry(self) -> bool {
        matches!(self, Self::Retry(..))
    }
}

/// A lane: an endpoint's events of one priority.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct LaneKey {
    pub(crate) endpoint: EndpointId,
    pub(crate) priority: Priority,
}

/// An input with all that is needed to send it.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) input: Input,
    pub(crate) addressed: Addressed,
    pub(crate) delivery: Delivery,
    /// The input's step; its outcome's is one more.
    pub(crate) step: u32,
    /// How many attempts were made.
    pub(crate) attempts: u32,
    pub(crate) put_off: u32,
    /// When it was due, in log time; the acceptance's time for a first attempt.
    pub(crate) due_at: Timestamp,
    /// Its part of the process's budget, given back when it is dropped.
    pub(crate) reserved: Reserved,
}

/// What a job weighs besides its payload: about what its parts take up.
const OVERHEAD: usize = 512;

/// What a record of this payload weighs in memory.
pub(crate) const fn weight(payload: usize) -> usize {
    payload + OVERHEAD
}

impl Job {
    /// The first attempt at what lies at `offset` of `events`.
    pub(crate) fn first(
        partition: u32,
        offset: Offset,
        appended_at: Timestamp,
        accepted: Accepted,
        reserved: Reserved,
    ) -> Self {
        let (acceptance, accepted_at) = accepted.acceptance(partition, offset, appended_at);
        let endpoint = accepted.addressed.endpoint;
        Self {
            input: Input::Event(offset),
            delivery: Delivery::new(acceptance, accepted_at, endpoint, Run::First),
            step: 0,
            attempts: 0,
            put_off: 0,
            due_at: accepted.deliver_after.unwrap_or(accepted_at),
            addressed: accepted.addressed,
            reserved,
        }
    }

    /// What a tier has let go.
    pub(crate) fn again(tier: Tier, offset: Offset, retry: Retry, reserved: Reserved) -> Self {
        let Retry { addressed, wait } = retry;
        Self {
            input: Input::Retry(tier, offset),
            addressed,
            delivery: wait.delivery,
            step: wait.link.step,
            attempts: wait.attempts,
            put_off: wait.put_off,
            due_at: wait.due_at.0,
            reserved,
        }
    }

    pub(crate) const fn lane(&self) -> LaneKey {
        LaneKey {
            endpoint: self.addressed.endpoint,
            priority: self.addressed.priority,
        }
    }

    pub(crate) const fn link(&self, partition: u32, epoch: u64) -> Link {
        Link {
            origin: self.input.position(partition),
            request: None,
            step: self.step.saturating_add(1),
            epoch,
        }
    }

    pub(crate) fn subject(&self) -> Subject {
        Subject {
            tenant: self.addressed.tenant.clone(),
            endpoint: self.addressed.endpoint,
            event: self.addressed.id.clone(),
            event_type: self.addressed.envelope.event_type.clone(),
        }
    }
}
