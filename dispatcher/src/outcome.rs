//! Outcomes as records: each input ends in exactly one of these (O1).

use domain::time::Timestamp;
use eventlog_port::NewRecord;
use schemas::attempt::Attempt;
use schemas::attempts::{AttemptsRecord, Succeeded};
use schemas::dead_letter::{DeadLetter, DeadLetterReason, DeadLetterRecord, End};
use schemas::retry::{Retry, RetryRecord, Wait, WaitReason};
use schemas::scalar::At;
use schemas::topics::{Tier, Topic};

use crate::budget::Reserved;
use crate::input::{Input, Job, LaneKey};

/// An outcome, or a note beside them, as it is appended.
#[derive(Clone, Debug)]
pub(crate) enum Out {
    Attempts(AttemptsRecord),
    Retry(RetryRecord),
    DeadLetter(DeadLetterRecord),
}

/// What the owner has to know once an outcome is durable, or its append has failed.
#[derive(Debug)]
pub(crate) struct Ticket {
    pub(crate) input: Input,
    pub(crate) lane: LaneKey,
    /// What ended, for metrics.
    pub(crate) ends: Ends,
    /// Whether it is the outcome of an attempt, which only this process knows of: appended again in
    /// the next epoch if this one's append fails. Of any other there is nothing to keep (O3).
    pub(crate) is_answer: bool,
    /// Held until the record is durable.
    #[expect(dead_code, reason = "given back to the budget when it is dropped")]
    pub(crate) reserved: Reserved,
}

/// What an outcome does to its delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ends {
    Delivered,
    DeadLettered,
    /// It goes on, by way of this tier.
    Waits(Tier),
}

/// What is said of a wait besides its delivery.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub(crate) tier: Tier,
    pub(crate) due_at: Timestamp,
    pub(crate) reason: WaitReason,
    pub(crate) attempts: u32,
    pub(crate) put_off: u32,
    pub(crate) attempt: Option<Attempt>,
}

impl Out {
    /// The topic that it goes to.
    pub(crate) const fn topic(&self) -> Topic {
        match self {
            Self::Attempts(_) => Topic::Attempts,
            Self::Retry(RetryRecord::Retry(retry)) => Topic::Retry(retry.wait.tier),
            // Fences are appended by the takeover, which names their topics itself.
            Self::Retry(RetryRecord::Fence(_)) | Self::DeadLetter(_) => Topic::DeadLetters,
        }
    }

    pub(crate) fn encode(&self) -> NewRecord {
        match self {
            Self::Attempts(record) => record.encode().into(),
            Self::Retry(record) => record.encode().into(),
            Self::DeadLetter(record) => record.encode().into(),
        }
    }

    /// The same outcome in another epoch (O3d).
    pub(crate) fn set_epoch(&mut self, epoch: u64) {
        match self {
            Self::Attempts(AttemptsRecord::Succeeded(succeeded)) => succeeded.link.epoch = epoch,
            Self::Retry(RetryRecord::Retry(retry)) => retry.wait.link.epoch = epoch,
            Self::DeadLetter(DeadLetterRecord::DeadLetter(dead)) => dead.end.link.epoch = epoch,
            Self::Attempts(_)
            | Self::Retry(RetryRecord::Fence(_))
            | Self::DeadLetter(DeadLetterRecord::Fence(_)) => {}
        }
    }
}

fn ticket(job: &Job, ends: Ends) -> (Input, LaneKey, Ends) {
    (job.input, job.lane(), ends)
}

fn closed(
    (input, lane, ends): (Input, LaneKey, Ends),
    reserved: Reserved,
    out: Out,
    is_answer: bool,
) -> (Box<Out>, Ticket) {
    let ticket = Ticket {
        input,
        lane,
        ends,
        is_answer,
        reserved,
    };
    (Box::new(out), ticket)
}

/// It arrived.
pub(crate) fn succeeded(
    job: Job,
    partition: u32,
    epoch: u64,
    attempt: Attempt,
) -> (Box<Out>, Ticket) {
    let head = ticket(&job, Ends::Delivered);
    let out = AttemptsRecord::Succeeded(Succeeded {
        link: job.link(partition, epoch),
        subject: job.subject(),
        delivery: job.delivery,
        attempt,
    });
    closed(head, job.reserved, Out::Attempts(out), true)
}

/// It waits, for another attempt or for its first.
pub(crate) fn waits(job: Job, partition: u32, epoch: u64, waiting: Waiting) -> (Box<Out>, Ticket) {
    let head = ticket(&job, Ends::Waits(waiting.tier));
    let is_answer = waiting.attempt.is_some();
    let wait = Wait {
        link: job.link(partition, epoch),
        delivery: job.delivery,
        tier: waiting.tier,
        due_at: At(waiting.due_at),
        reason: waiting.reason,
        attempts: waiting.attempts,
        put_off: waiting.put_off,
        attempt: waiting.attempt,
    };
    let addressed = job.addressed;
    let out = Out::Retry(RetryRecord::Retry(Retry { addressed, wait }));
    closed(head, job.reserved, out, is_answer)
}

/// It is given up.
pub(crate) fn dead(
    job: Job,
    partition: u32,
    epoch: u64,
    reason: DeadLetterReason,
    attempt: Option<Attempt>,
) -> (Box<Out>, Ticket) {
    let head = ticket(&job, Ends::DeadLettered);
    let is_answer = attempt.is_some();
    let attempts = attempt
        .as_ref()
        .map_or(job.attempts, |attempt| attempt.number);
    let end = End {
        link: job.link(partition, epoch),
        delivery: job.delivery,
        reason,
        attempts,
        attempt,
    };
    let addressed = job.addressed;
    let out = Out::DeadLetter(DeadLetterRecord::DeadLetter(DeadLetter { addressed, end }));
    closed(head, job.reserved, out, is_answer)
}
