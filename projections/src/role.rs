//! The role: which partitions are folded here, and by which tasks.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use domain::time::Clock;
use eventlog_port::{EventLog, GroupError, GroupEvent, GroupSpec, Member, TopicError};
use parking_lot::Mutex;
use projections_port::ViewWriter;
use projections_port::row::minute_of;
use prometheus_client::registry::Registry;
use schemas::topics::Topic;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::metrics::Metrics;
use crate::partition::{Claimed, Folding, tiers};

/// The group that shares out what owners write.
pub const GROUP: &str = "postrider-projections";

/// The group that shares out `inbox`.
pub const INBOX_GROUP: &str = "postrider-projections-inbox";

/// How long after a failure that may pass a partition is tried again.
const AGAIN: Duration = Duration::from_millis(500);

/// How long after a failure that somebody has to mend it is looked whether somebody has.
const MENDED: Duration = Duration::from_secs(60);

/// How many partitions fold at once: a store has one writer.
const AT_ONCE: usize = 2;

/// Rows that are forgotten at a time.
const SWEPT_AT_ONCE: usize = 2_000;

/// How projections are run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The instance's name in its groups.
    pub instance: String,
    /// After this long without a sign of life its partitions go to another.
    pub session: Duration,
    /// While records come, rows of a partition are written at most this often; at once when it was
    /// idle.
    pub pace: Duration,
    /// Rows of events accepted longer ago than this are forgotten: the retention of events. `None`:
    /// never.
    pub retention: Option<Duration>,
    /// How often that is looked after.
    pub sweep_every: Duration,
    /// How often metrics that have to be asked for are.
    pub measure_every: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            instance: "postrider".to_owned(),
            session: Duration::from_secs(10),
            pace: Duration::from_millis(100),
            retention: None,
            sweep_every: Duration::from_secs(60),
            measure_every: Duration::from_secs(1),
        }
    }
}

/// What projections need.
pub struct Deps<'a> {
    /// The log.
    pub log: Arc<dyn EventLog>,
    /// The rows.
    pub views: Arc<dyn ViewWriter>,
    /// Tells the age of rows.
    pub clock: Arc<dyn Clock>,
    /// Where metrics go.
    pub registry: &'a mut Registry,
}

/// Why the role ended.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A group could not be joined, or another process took this one's name in it.
    #[error(transparent)]
    Group(#[from] GroupError),
    /// The log's topics could not be listed.
    #[error(transparent)]
    Topics(#[from] TopicError),
}

/// Projections, ready to run.
pub struct Role {
    config: Config,
    shared: Arc<Shared>,
    clock: Arc<dyn Clock>,
}

pub(crate) struct Shared {
    pub(crate) log: Arc<dyn EventLog>,
    pub(crate) views: Arc<dyn ViewWriter>,
    pub(crate) metrics: Metrics,
    pub(crate) folded: Mutex<BTreeMap<(Topic, u32), u64>>,
    state: Arc<Mutex<State>>,
    turns: Semaphore,
}

/// How folding stands.
#[derive(Default)]
struct State {
    stopped: BTreeMap<(Topic, u32), String>,
    /// The leading topics of groups that have yet to say which partitions are this process's.
    waiting: BTreeSet<Topic>,
}

/// How folding stands: what a health check tells.
#[derive(Clone, Default)]
pub struct Status(Arc<Mutex<State>>);

impl Status {
    /// Partitions that have stopped: the leading topic and the partition, with the reason.
    #[must_use]
    pub fn stopped(&self) -> BTreeMap<(Topic, u32), String> {
        self.0.lock().stopped.clone()
    }

    /// Whether it is not known yet what this process is to fold: its groups have just been joined.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        !self.0.lock().waiting.is_empty()
    }
}

/// The role, not yet running. Registers its metrics.
#[must_use]
pub fn build(config: Config, deps: Deps<'_>) -> Role {
    let shared = Shared {
        log: deps.log,
        views: deps.views,
        metrics: Metrics::register(deps.registry),
        folded: Mutex::default(),
        state: Arc::new(Mutex::new(State {
            waiting: [Claimed::Deliveries(0), Claimed::Acceptances(0)]
                .map(|claimed| claimed.leader().0)
                .into(),
            ..State::default()
        })),
        turns: Semaphore::new(AT_ONCE),
    };
    Role {
        config,
        shared: Arc::new(shared),
        clock: deps.clock,
    }
}

impl Role {
    /// A handle that says how folding stands.
    #[must_use]
    pub fn status(&self) -> Status {
        Status(Arc::clone(&self.shared.state))
    }

    /// Folds what its groups give it until `shutdown`. A partition that can't go on stops and says
    /// so; the others go on. Dropping this is a crash, and safe: rows are written with how far they go.
    ///
    /// # Errors
    /// When it can't be a member of its groups.
    pub async fn run(self, shutdown: CancellationToken) -> Result<(), Error> {
        let tiers = tiers(&*self.shared.log).await?;
        let groups = [
            (
                GROUP,
                Topic::Attempts,
                Claimed::Deliveries as fn(u32) -> Claimed,
            ),
            (INBOX_GROUP, Topic::Inbox, Claimed::Acceptances),
        ];
        let [owned, inbox] = groups.map(|(group, topic, claim)| {
            let spec = GroupSpec {
                group: group.to_owned(),
                topic: topic.to_string(),
                instance: self.config.instance.clone(),
                session: self.config.session,
            };
            self.member(spec, claim, &tiers, &shutdown)
        });
        let members = async { tokio::try_join!(biased; owned, inbox) };
        tokio::select! {
            biased;
            ended = members => ended.map(drop),
            () = self.sweep() => Ok(()),
            () = self.measure() => Ok(()),
        }
    }

    /// Holds what one group gives.
    async fn member(
        &self,
        spec: GroupSpec,
        claim: fn(u32) -> Claimed,
        tiers: &[Topic],
        shutdown: &CancellationToken,
    ) -> Result<(), Error> {
        let (topic, session) = (claim(0).leader().0, spec.session);
        let mut member = self.shared.log.join(spec).await?;
        // After a session without a word there are more members than partitions, or the coordinator is out
        // of reach, which the log's own probe tells.
        let given = tokio::time::sleep(session);
        tokio::pin!(given);
        let mut is_waiting = true;
        let mut tasks: BTreeMap<u32, JoinSet<()>> = BTreeMap::new();
        loop {
            let event = tokio::select! {
                biased;
                () = shutdown.cancelled() => break,
                () = &mut given, if is_waiting => {
                    self.shared.state.lock().waiting.remove(&topic);
                    is_waiting = false;
                    continue;
                }
                event = member.next() => event,
            };
            match event {
                Ok(GroupEvent::Assigned(claims)) => {
                    for partition in claims.into_iter().map(|claim| claim.partition) {
                        let task = self.task(claim(partition), tiers);
                        let mut set = JoinSet::new();
                        set.spawn(task);
                        tasks.insert(partition, set);
                    }
                    self.shared.state.lock().waiting.remove(&topic);
                    is_waiting = false;
                }
                Ok(GroupEvent::Revoked(partitions) | GroupEvent::Lost(partitions)) => {
                    for partition in partitions {
                        end(tasks.remove(&partition)).await;
                        let leader = claim(partition).leader();
                        self.shared.state.lock().stopped.remove(&leader);
                    }
                }
                Err(error) if error.is_retryable() => {
                    tracing::warn!(%error, "the group is out of reach, trying again");
                    tokio::time::sleep(AGAIN).await;
                }
                Err(error) => return Err(error.into()),
            }
        }
        for task in std::mem::take(&mut tasks).into_values() {
            end(Some(task)).await;
        }
        leave(member).await;
        Ok(())
    }

    fn task(&self, claimed: Claimed, tiers: &[Topic]) -> impl Future<Output = ()> + use<> {
        let (shared, tiers) = (Arc::clone(&self.shared), tiers.to_vec());
        let pace = self.config.pace;
        async move {
            loop {
                let begun = Folding::begin(&shared.log, &shared.views, claimed, &tiers, None).await;
                let (topic, partition) = claimed.leader();
                let error = match begun {
                    Ok(folding) => {
                        shared.state.lock().stopped.remove(&(topic, partition));
                        let wrote = |topic, partition, offset| {
                            shared.folded.lock().insert((topic, partition), offset);
                        };
                        folding.run(pace, &shared.turns, wrote).await
                    }
                    Err(error) => error,
                };
                if !error.is_retryable() {
                    tracing::error!(%topic, partition, %error, "a partition of the views stopped");
                    let why = error.to_string();
                    let stopped = ((topic, partition), why);
                    shared.state.lock().stopped.extend([stopped]);
                    if !error.may_be_mended() {
                        return;
                    }
                    tokio::time::sleep(MENDED).await;
                    continue;
                }
                tracing::warn!(%topic, partition, %error, "views wait, trying again");
                tokio::time::sleep(AGAIN).await;
            }
        }
    }

    /// Forgets what is past retention, a bounded number of rows at a time.
    async fn sweep(&self) {
        let Some(retention) = self.config.retention else {
            return std::future::pending().await;
        };
        loop {
            tokio::time::sleep(self.config.sweep_every).await;
            // Whole minutes: stores forget what they keep by the minute all at once.
            let before = minute_of(self.clock.now().saturating_sub(retention));
            loop {
                match self.shared.views.expire(before, SWEPT_AT_ONCE).await {
                    Ok(true) => tokio::task::yield_now().await,
                    Ok(false) => break,
                    Err(error) => {
                        tracing::warn!(%error, "old rows could not be forgotten");
                        break;
                    }
                }
            }
        }
    }

    async fn measure(&self) {
        loop {
            tokio::time::sleep(self.config.measure_every).await;
            self.shared.measure().await;
        }
    }
}

/// Ends a task: what it has begun to write is written, or isn't.
async fn end(task: Option<JoinSet<()>>) {
    if let Some(mut task) = task {
        task.shutdown().await;
    }
}

async fn leave(member: Box<dyn Member>) {
    member.leave().await;
}
