//! The router: from `inbox` to `events` (`docs/protocol.md`, "What a router keeps").
//!
//! The group hands each partition of `inbox` to one process. Another that takes itself for the holder does no
//! harm: both write the same in the same order, and owners drop what they have.

mod decide;
mod decisions;
mod error;
mod outputs;
mod partition;
mod progress;
mod records;
mod session;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use control::Control;
use domain::time::Clock;
use eventlog_port::{
    Claim, Commit, EventLog, GroupError, GroupEvent, GroupSpec, Member, TopicPartition,
};
use parking_lot::Mutex;
use projections_port::Keys;
use prometheus_client::metrics::counter::Counter;
use schemas::text::TenantId;
use schemas::topics::Topic;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, MissedTickBehavior, interval, interval_at, sleep};
use tokio_util::sync::CancellationToken;

use self::error::Failure;
use self::partition::{Place, Shared};
use crate::accept::BuildError;
use crate::limits::MAX_IDEMPOTENCY_WINDOW;
use crate::placement::Partitions;

/// The group that shares out `inbox`, unless a deployment has more than one.
pub const GROUP: &str = "postrider-routers";

/// Between two tries of a group that can't be reached.
const GROUP_AGAIN: Duration = Duration::from_millis(500);

/// How often rows are forgotten that no record can ask for any more.
const EXPIRE_EVERY: Duration = Duration::from_secs(3_600);

/// How routers behave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The group, by which processes share out the partitions.
    pub group: String,
    /// This process's name in the group, kept across restarts.
    pub instance: String,
    /// After this long without a sign of life the group gives its partitions to others.
    pub session: Duration,
    /// How often what is done is committed.
    pub commit_every: Duration,
    /// For how long a Kafka producer's idempotency key holds. Records of ours state their own window.
    pub idempotency_window: Duration,
    /// Whose the events of Kafka producers are.
    pub kafka_tenant: TenantId,
    /// How many routes a partition may have on their way into the log at once.
    pub max_in_flight: u32,
}

impl Config {
    /// The usual settings for the process called `instance`.
    #[must_use]
    pub fn new(instance: impl Into<String>) -> Self {
        Self {
            group: GROUP.to_owned(),
            instance: instance.into(),
            session: Duration::from_secs(10),
            commit_every: Duration::from_secs(1),
            idempotency_window: Duration::from_secs(24 * 3_600),
            kafka_tenant: "default".parse().expect("the name is a tenant"),
            max_in_flight: 4_096,
        }
    }
}

/// What routers need.
pub struct Deps {
    /// The log.
    pub log: Arc<dyn EventLog>,
    /// The wall clock: which rows are old.
    pub clock: Arc<dyn Clock>,
    /// Endpoints, for events that don't say their routes.
    pub control: Control,
    /// Which records were the first of their idempotency key.
    pub keys: Arc<dyn Keys>,
    /// Records that went to quarantine: all roles of a process count them together.
    pub quarantined: Counter,
}

/// Routing ended.
#[derive(Debug, thiserror::Error)]
pub enum RouteError {
    /// The group can't be joined, or another process has this one's name.
    #[error(transparent)]
    Group(#[from] GroupError),
    /// A defect of this program.
    #[error("routing a partition panicked: {0}")]
    Panicked(String),
}

/// The routers of one process.
pub struct Routers {
    shared: Arc<Shared>,
    clock: Arc<dyn Clock>,
    /// How long `inbox` keeps a record; `None`: for ever.
    retention: Option<Duration>,
}

/// Builds the role. Asks the log for its topics.
///
/// # Errors
/// When the log can't say, or lacks a topic.
pub async fn build(config: Config, deps: Deps) -> Result<Routers, BuildError> {
    let inbox = Partitions::info(&*deps.log, Topic::Inbox).await?;
    let events = Partitions::read(&*deps.log, Topic::Events).await?;
    Ok(Routers {
        clock: deps.clock,
        retention: inbox.spec.retention,
        shared: Arc::new(Shared {
            config,
            events,
            quarantine: TopicPartition::of(Topic::Quarantine, 0),
            quarantined: deps.quarantined,
            log: deps.log,
            control: deps.control,
            keys: deps.keys,
        }),
    })
}

/// A partition that this process was given.
struct Held {
    place: Arc<Mutex<Place>>,
    committed: Option<Place>,
    task: AbortHandle,
}

/// What runs while the process is a member.
struct Running {
    shared: Arc<Shared>,
    held: BTreeMap<u32, Held>,
    tasks: JoinSet<(u32, Result<(), Failure>)>,
    stop: CancellationToken,
}

impl Routers {
    /// Routes until `shutdown`; then waits for what is under way, commits, and leaves. Cancelling at any
    /// point is a crash, and loses nothing.
    ///
    /// # Errors
    /// When the group is lost for good. A partition that can't go on stops, says so, and lets the others go
    /// on.
    pub async fn run(self, shutdown: CancellationToken) -> Result<(), RouteError> {
        let mut member = tokio::select! {
            biased;
            () = shutdown.cancelled() => return Ok(()),
            member = self.join() => member?,
        };
        let mut running = Running {
            shared: Arc::clone(&self.shared),
            held: BTreeMap::new(),
            tasks: JoinSet::new(),
            stop: CancellationToken::new(),
        };
        self.work(&mut *member, &mut running, &shutdown).await?;
        running.stop.cancel();
        while let Some(ended) = running.tasks.join_next().await {
            Running::ended(ended)?;
        }
        running.commit(&mut *member).await?;
        member.leave().await;
        Ok(())
    }

    async fn work(
        &self,
        member: &mut dyn Member,
        running: &mut Running,
        shutdown: &CancellationToken,
    ) -> Result<(), RouteError> {
        let mut commits = interval(self.shared.config.commit_every);
        commits.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut expiries = interval_at(Instant::now() + EXPIRE_EVERY, EXPIRE_EVERY);
        loop {
            tokio::select! {
                biased;
                () = shutdown.cancelled() => return Ok(()),
                _ = commits.tick() => running.commit(member).await?,
                Some(ended) = running.tasks.join_next() => Running::ended(ended)?,
                event = member.next() => match event {
                    Ok(event) => running.follow(event).await?,
                    Err(error) if error.is_retryable() => {
                        tracing::warn!(%error, "the routers' group can't be reached");
                        sleep(GROUP_AGAIN).await;
                    }
                    Err(error) => return Err(error.into()),
                },
                _ = expiries.tick() => self.expire().await,
            }
        }
    }

    async fn join(&self) -> Result<Box<dyn Member>, GroupError> {
        let config = &self.shared.config;
        loop {
            let spec = GroupSpec {
                group: config.group.clone(),
                topic: Topic::Inbox.to_string(),
                instance: config.instance.clone(),
                session: config.session,
            };
            match self.shared.log.join(spec).await {
                Err(error) if error.is_retryable() => {
                    tracing::warn!(%error, "the routers' group can't be joined");
                    sleep(GROUP_AGAIN).await;
                }
                joined => return joined,
            }
        }
    }

    /// Rows live for the longest window plus the retention of `inbox` (R8).
    async fn expire(&self) {
        let Some(retention) = self.retention else {
            return;
        };
        let kept = retention.saturating_add(MAX_IDEMPOTENCY_WINDOW);
        let before = self.clock.now().saturating_sub(kept);
        if let Err(error) = self.shared.keys.expire(before).await {
            tracing::warn!(%error, "old idempotency keys could not be forgotten");
        }
    }
}

type Ended = Result<(u32, Result<(), Failure>), tokio::task::JoinError>;

impl Running {
    async fn follow(&mut self, event: GroupEvent) -> Result<(), RouteError> {
        match event {
            GroupEvent::Assigned(claims) => {
                claims.iter().for_each(|claim| self.begin(claim));
                Ok(())
            }
            GroupEvent::Revoked(partitions) | GroupEvent::Lost(partitions) => {
                self.give_up(&partitions).await
            }
        }
    }

    fn begin(&mut self, claim: &Claim) {
        let partition = claim.partition;
        let committed = match Place::committed(claim.committed.as_ref()) {
            Ok(committed) => committed,
            Err(failure) => return stopped(partition, &failure),
        };
        tracing::info!(partition, from = committed.inbox, "routing a partition");
        let place = Arc::new(Mutex::new(committed));
        let (shared, stop) = (Arc::clone(&self.shared), self.stop.clone());
        let running = Arc::clone(&place);
        let task = self.tasks.spawn(async move {
            let ended = partition::run(shared, partition, running, stop).await;
            (partition, ended)
        });
        let held = Held {
            place,
            committed: claim.committed.as_ref().map(|_| committed),
            task,
        };
        self.held.insert(partition, held);
    }

    /// Stops at once: what is under way lands or doesn't, and whoever holds the partition then makes it
    /// again.
    async fn give_up(&mut self, partitions: &[u32]) -> Result<(), RouteError> {
        for partition in partitions {
            let Some(held) = self.held.remove(partition) else {
                continue;
            };
            held.task.abort();
            while !held.task.is_finished() {
                match self.tasks.join_next().await {
                    Some(ended) => Self::ended(ended)?,
                    None => break,
                }
            }
        }
        Ok(())
    }

    fn ended(ended: Ended) -> Result<(), RouteError> {
        match ended {
            Ok((_, Ok(()))) => Ok(()),
            Ok((partition, Err(failure))) => {
                stopped(partition, &failure);
                Ok(())
            }
            Err(error) if error.is_cancelled() => Ok(()),
            Err(error) => Err(RouteError::Panicked(error.to_string())),
        }
    }

    /// Commits what has moved.
    async fn commit(&mut self, member: &mut dyn Member) -> Result<(), RouteError> {
        let moved = |held: &Held| Some(*held.place.lock()).filter(|at| held.committed != Some(*at));
        let moved: Vec<(u32, Place)> = self
            .held
            .iter()
            .filter_map(|(partition, held)| Some((*partition, moved(held)?)))
            .collect();
        if moved.is_empty() {
            return Ok(());
        }
        let commits: Vec<Commit> = moved.iter().map(|(p, place)| place.commit(*p)).collect();
        match member.commit(&commits).await {
            Ok(()) => {
                for (partition, place) in moved {
                    if let Some(held) = self.held.get_mut(&partition) {
                        held.committed = Some(place);
                    }
                }
                Ok(())
            }
            Err(error @ GroupError::Fenced(_)) => Err(error.into()),
            // What was taken away is told next; what can't be stored now is stored later.
            Err(error) => {
                tracing::warn!(%error, "a commit of the routers' group failed");
                Ok(())
            }
        }
    }
}

fn stopped(partition: u32, failure: &Failure) {
    tracing::error!(partition, error = %failure, "routing a partition has stopped; the others go on");
}
