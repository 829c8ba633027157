//! The owner of one partition: epoch after epoch, each from a fence to its end.

mod acks;
mod epoch;
mod index;
mod reads;
mod takeover;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use control::{Behind, Control};
use domain::chance::Chance;
use domain::time::{Clock, Timestamp};
use eventlog_port::{
    AppendError, EventLog, IndexError, LaneIndexes, LaneNumber, Offset, ReadError, TopicError,
    TopicPartition,
};
use parking_lot::Mutex;
use schemas::topics::Topic;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use self::epoch::Epoch;
use crate::budget::Budget;
use crate::config::Config;
use crate::core::{Returned, Stop, Surroundings};
use crate::input::{Input, LaneKey};
use crate::metrics::Metrics;
use crate::outcome::{Out, Ticket};
use crate::outgoing::Opener;
use crate::transport::Transport;

/// What all owners of one process use.
pub(crate) struct Shared {
    pub(crate) config: Arc<Config>,
    pub(crate) log: Arc<dyn EventLog>,
    pub(crate) indexes: Arc<dyn LaneIndexes>,
    pub(crate) control: Control,
    pub(crate) facts: control::Writer,
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) opener: Opener,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) budget: Arc<Budget>,
    pub(crate) metrics: Metrics,
    /// Every topic that owners write, `progress` aside.
    pub(crate) outputs: Vec<Topic>,
}

/// Why an epoch ended, or a partition stopped.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// An append failed, or may have (O3).
    #[error(transparent)]
    Append(#[from] AppendError),
    /// The log gives no writer.
    #[error(transparent)]
    Log(#[from] TopicError),
    /// The log can't be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The index of waiting records can't be used.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// Control can't be followed.
    #[error(transparent)]
    Control(#[from] Behind),
    /// Going on would throw away, or skip, what somebody was promised.
    #[error(transparent)]
    Stop(#[from] Stop),
    /// The lease ran out before the fences were in place (O7).
    #[error("the lease has run out")]
    NoLease,
    /// The group has taken the partition away unasked; it may give it back.
    #[error("the group has taken the partition away")]
    Lost,
    /// A later owner has fenced this one out (O6).
    #[error("epoch {0} is a later owner's")]
    Superseded(u64),
}

impl Failure {
    /// Whether a new epoch may do better.
    fn is_passing(&self) -> bool {
        match self {
            Self::Append(_)
            | Self::Log(_)
            | Self::Index(_)
            | Self::Superseded(_)
            | Self::NoLease
            | Self::Lost => true,
            Self::Read(error) => error.is_retryable(),
            Self::Control(Behind::Unknown(error)) => error.is_retryable(),
            Self::Control(Behind::Stopped) | Self::Stop(_) => false,
        }
    }
}

/// Leave to send, given by a group commit that succeeded (O7), from when the group gives a partition until it takes
/// it away.
#[derive(Debug, Default)]
pub(crate) struct Lease {
    sent: Mutex<Option<Instant>>,
    over: CancellationToken,
}

impl Lease {
    /// A commit that was sent at `sent` has succeeded.
    pub(crate) fn renew(&self, sent: Instant) {
        *self.sent.lock() = Some(sent);
    }

    /// The group has taken the partition away. Another may have it from now on, so it never holds again.
    pub(crate) fn end(&self) {
        self.over.cancel();
    }

    /// Returns when the group has taken the partition away.
    pub(crate) async fn over(&self) {
        self.over.cancelled().await;
    }

    /// Whether one was sent less than half a session ago.
    pub(crate) fn holds(&self, session: Duration) -> bool {
        let sent = *self.sent.lock();
        !self.over.is_cancelled() && sent.is_some_and(|sent| sent.elapsed() < session / 2)
    }
}

/// Log time (O13): the append time of the last durable append, and the monotonic time since. It does
/// not go back where the log's clock is set back, nor below what a checkpoint said, and never stands
/// still.
///
/// The record was appended at some moment between its being handed to the log and its
/// acknowledgement. Counted from the acknowledgement, log time is never ahead: what is due by that is
/// due. Counted from the handing over, it is never behind: a wait that begins now is counted from
/// there, and is never too short.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LogTime {
    stamp: Timestamp,
    sent: Instant,
    at: Instant,
    /// What it was at a moment, and from where it went on.
    floor: (Timestamp, Instant),
}

/// What is taken off of the speed at which it goes on from its floor, as a divisor: an hour that the log's
/// clock was set back is made up for in ten.
const FLOOR_LAGS: u32 = 10;

impl LogTime {
    fn new() -> Self {
        let (zero, now) = (Timestamp::from_millis(0), Instant::now());
        Self {
            stamp: zero,
            sent: now,
            at: now,
            floor: (zero, now),
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.stamped().max(self.floor())
    }

    /// The latest that it can be.
    pub(crate) fn latest(&self) -> Timestamp {
        self.stamp
            .saturating_add(self.sent.elapsed())
            .max(self.floor())
    }

    /// What the log's clock says, though it was set back: tiers count from its stamps.
    pub(crate) fn stamped(&self) -> Timestamp {
        self.stamp.saturating_add(self.at.elapsed())
    }

    fn floor(&self) -> Timestamp {
        let (floor, since) = self.floor;
        let elapsed = since.elapsed();
        floor.saturating_add(elapsed - elapsed / FLOOR_LAGS)
    }

    /// What was handed over at `sent` was appended at `at`.
    pub(crate) fn appended(&mut self, at: Timestamp, sent: Instant) {
        self.not_below(self.now());
        self.stamp = at;
        self.sent = sent;
        self.at = Instant::now();
    }

    pub(crate) fn not_below(&mut self, floor: Timestamp) {
        if floor > self.floor() {
            self.floor = (floor, Instant::now());
        }
    }
}

/// What an epoch leaves to the next of the same process.
#[derive(Default)]
pub(crate) struct Rest {
    /// Requests that are out.
    pub(crate) wire: BTreeMap<Input, LaneKey>,
    /// Answers whose outcomes are not known to be durable.
    pub(crate) answers: Vec<(Box<Out>, Ticket)>,
    pub(crate) lane_numbers: LaneNumber,
}

/// The owner of one partition.
pub(crate) struct Owner {
    pub(crate) shared: Arc<Shared>,
    pub(crate) partition: u32,
    /// One each time that the group gives the partition.
    pub(crate) leases: watch::Receiver<Arc<Lease>>,
    /// How far the partition is done: what the group's commit says.
    pub(crate) place: Arc<AtomicU64>,
    pub(crate) chance: Box<dyn Chance>,
    /// Told to stop: nothing new is sent, what is out may come back.
    pub(crate) stop: CancellationToken,
    /// No time is left for that.
    pub(crate) hurry: CancellationToken,
}

/// What lives longer than an epoch.
pub(crate) struct Life {
    pub(crate) sends: JoinSet<Returned>,
    pub(crate) log_time: LogTime,
    pub(crate) stop: CancellationToken,
    pub(crate) hurry: CancellationToken,
    /// When it was first seen to be told to stop.
    pub(crate) stopped: Option<Instant>,
    pub(crate) leases: watch::Receiver<Arc<Lease>>,
    /// The last of them that it has acted under.
    pub(crate) lease: Arc<Lease>,
    pub(crate) place: Arc<AtomicU64>,
}

/// Between two epochs, so that a log that refuses is not asked without end.
const AGAIN: Duration = Duration::from_millis(100);
const AGAIN_AT_MOST: Duration = Duration::from_secs(2);

/// How often it is looked whether there is a lease.
const LOOK_FOR_LEASE: Duration = Duration::from_millis(20);

impl Owner {
    /// Acts for the partition until it is told to stop. While the group has taken it away it keeps what it alone
    /// knows, and goes on with that if the group gives it back. Cancelling at any point is a crash: what was in
    /// flight is sent again by the next owner, and nothing is lost.
    ///
    /// # Errors
    /// When going on would break a promise. The partition stands until somebody has seen to it.
    pub(crate) async fn run(mut self) -> Result<(), Failure> {
        let lease = Arc::clone(&self.leases.borrow_and_update());
        let mut life = Life {
            sends: JoinSet::new(),
            log_time: LogTime::new(),
            stop: self.stop,
            hurry: self.hurry,
            stopped: None,
            leases: self.leases,
            lease,
            place: self.place,
        };
        let mut around = Surroundings {
            partition: self.partition,
            config: Arc::clone(&self.shared.config),
            control: self.shared.control.clone(),
            budget: Arc::clone(&self.shared.budget),
            chance: self.chance,
            metrics: self.shared.metrics.clone(),
        };
        let mut rest = Rest::default();
        let mut again = AGAIN;
        loop {
            if !leased(&self.shared, &mut life, &rest).await {
                return Ok(());
            }
            let _sharer = self.shared.budget.share();
            let begun = Instant::now();
            let failure;
            (around, rest, failure) = Epoch::live(&self.shared, around, rest, &mut life).await;
            let Some(failure) = failure else {
                return Ok(());
            };
            if !failure.is_passing() {
                return Err(failure);
            }
            tracing::warn!(partition = self.partition, error = %failure, "an owner's epoch has ended, it fences anew once it has a lease");
            if begun.elapsed() > AGAIN_AT_MOST {
                again = AGAIN;
            }
            tokio::select! {
                biased;
                () = life.hurry.cancelled() => {}
                () = tokio::time::sleep(again) => {}
            }
            again = (again * 2).min(AGAIN_AT_MOST);
        }
    }
}

/// Waits for a lease. False: it is told to stop first, and nothing is out and nothing owed, or there is
/// no time left for that.
async fn leased(shared: &Shared, life: &mut Life, rest: &Rest) -> bool {
    loop {
        if life.stop.is_cancelled() {
            let stopped = *life.stopped.get_or_insert_with(Instant::now);
            let is_late = life.hurry.is_cancelled() || stopped.elapsed() >= shared.config.drain;
            if is_late || (life.sends.is_empty() && rest.answers.is_empty()) {
                return false;
            }
        }
        if life.lease.holds(shared.config.session) {
            return true;
        }
        let is_given = !life.lease.over.is_cancelled() || life.stop.is_cancelled();
        tokio::select! {
            biased;
            given = life.leases.changed() => match given {
                Ok(()) => life.lease = Arc::clone(&life.leases.borrow_and_update()),
                Err(_) => return false,
            },
            () = tokio::time::sleep(LOOK_FOR_LEASE), if is_given => {}
        }
    }
}

impl Life {
    pub(crate) fn places(&self, below: Offset) {
        self.place.fetch_max(below, Ordering::Relaxed);
    }
}

pub(crate) fn at(topic: Topic, partition: u32) -> TopicPartition {
    TopicPartition::of(topic, partition)
}
