//! The dispatcher of one process: a member of the group, with an owner for each partition that it is
//! given.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use control::Control;
use domain::chance::{Chance, Seeded};
use domain::sealing::Sealer;
use domain::time::Clock;
use eventlog_port::{
    Claim, Commit, EventLog, GroupError, GroupEvent, GroupSpec, LaneIndexes, Member, TopicError,
};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::Registry;
use schemas::topics::Topic;
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout_at};
use tokio_util::sync::CancellationToken;

use crate::budget::Budget;
use crate::config::Config;
use crate::metrics::Metrics;
use crate::outgoing::Opener;
use crate::owner::{Failure, Lease, Owner, Shared};
use crate::transport::Transport;

/// How often the group's commit, and with it every lease, is renewed.
const COMMIT_EVERY: Duration = Duration::from_secs(1);

/// Between two tries of a group that can't be reached.
const GROUP_AGAIN: Duration = Duration::from_millis(500);

/// What a dispatcher needs.
pub struct Deps<'a> {
    /// The log.
    pub log: Arc<dyn EventLog>,
    /// Where owners note what lagging lanes wait for.
    pub indexes: Arc<dyn LaneIndexes>,
    /// Endpoints.
    pub control: Control,
    /// The way to receivers.
    pub transport: Arc<dyn Transport>,
    /// Opens endpoints' secrets.
    pub sealer: Sealer,
    /// The wall clock, which signs.
    pub clock: Arc<dyn Clock>,
    /// Jitter is drawn from it.
    pub chance: Box<dyn Chance>,
    /// Where metrics are registered.
    pub registry: &'a mut Registry,
    /// Records that went to quarantine: all roles of a process count them together.
    pub quarantined: Counter,
}

/// A dispatcher that can't be built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The log can't say which topics it has.
    #[error(transparent)]
    Topics(#[from] TopicError),
    /// It lacks one.
    #[error("the log has no topic {0}")]
    Missing(Topic),
}

/// Dispatching ended.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The group can't be joined, or another process has this one's name.
    #[error(transparent)]
    Group(#[from] GroupError),
    /// A defect of this program.
    #[error("the owner of a partition panicked: {0}")]
    Panicked(String),
}

/// The dispatcher of one process.
pub struct Role {
    shared: Arc<Shared>,
    chance: Box<dyn Chance>,
}

/// Builds the role. Asks the log for its topics.
///
/// # Errors
/// When the log can't say, or lacks a topic.
pub async fn build(config: Config, deps: Deps<'_>) -> Result<Role, BuildError> {
    let topics = deps.log.topics().await?;
    let there: BTreeSet<Topic> = topics
        .iter()
        .filter_map(|t| t.spec.name.parse().ok())
        .collect();
    let tiers = config.ladder.tiers().iter().map(|tier| Topic::Retry(*tier));
    let needed = Topic::CO_PARTITIONED
        .into_iter()
        .chain([Topic::Control, Topic::Quarantine]);
    if let Some(missing) = needed.chain(tiers).find(|topic| !there.contains(topic)) {
        return Err(BuildError::Missing(missing));
    }
    // Tiers of an older ladder too: they drain.
    let is_output = |topic: &Topic| topic.is_written_by_its_owner() && *topic != Topic::Progress;
    let outputs = there.into_iter().filter(is_output).collect();
    let budget = Budget::new(config.max_bytes, config.max_records, config.concurrency);
    Ok(Role {
        chance: deps.chance,
        shared: Arc::new(Shared {
            facts: control::Writer::new(Arc::clone(&deps.log), deps.control.clone()),
            log: deps.log,
            indexes: deps.indexes,
            control: deps.control,
            transport: deps.transport,
            opener: Opener::new(deps.sealer),
            clock: deps.clock,
            budget,
            metrics: Metrics::register(deps.registry, deps.quarantined),
            outputs,
            config: Arc::new(config),
        }),
    })
}

/// A partition that this process was given.
struct Held {
    lease: watch::Sender<Arc<Lease>>,
    place: Arc<AtomicU64>,
    stop: CancellationToken,
    hurry: CancellationToken,
    task: AbortHandle,
}

/// A partition that the group took away unasked: it hasn't heard of the process for a session. What is out comes back, and
/// what has come back is known here alone, so that a group that gives the partition back, as after a silence of
/// the broker's, has nothing sent again.
struct Lost {
    held: Held,
    /// When it is given up: the group has given others meanwhile, so that this one is another's.
    until: Option<Instant>,
}

/// What runs while the process is a member.
struct Running {
    shared: Arc<Shared>,
    chance: Box<dyn Chance>,
    held: BTreeMap<u32, Held>,
    lost: BTreeMap<u32, Lost>,
    owners: JoinSet<(u32, Result<(), Failure>)>,
}

impl Role {
    /// Dispatches until `shutdown`; then lets what is on the wire come back, writes a checkpoint, and
    /// leaves. Cancelling at any point is a crash: what was in flight is sent again, and nothing is lost.
    ///
    /// # Errors
    /// When the group is lost for good. A partition that can't go on stops, says so, and lets the others go
    /// on.
    pub async fn run(self, shutdown: CancellationToken) -> Result<(), Error> {
        let mut member = tokio::select! {
            biased;
            () = shutdown.cancelled() => return Ok(()),
            member = join(&self.shared) => member?,
        };
        let mut running = Running {
            shared: self.shared,
            chance: self.chance,
            held: BTreeMap::new(),
            lost: BTreeMap::new(),
            owners: JoinSet::new(),
        };
        running.work(&mut *member, &shutdown).await?;
        running.commit(&mut *member).await?;
        member.leave().await;
        Ok(())
    }
}

async fn join(shared: &Shared) -> Result<Box<dyn Member>, GroupError> {
    loop {
        let spec = GroupSpec {
            group: shared.config.group.clone(),
            topic: Topic::Events.to_string(),
            instance: shared.config.instance.clone(),
            session: shared.config.session,
        };
        match shared.log.join(spec).await {
            Err(error) if error.is_retryable() => {
                tracing::warn!(%error, "the dispatchers' group can't be reached");
                sleep(GROUP_AGAIN).await;
            }
            joined => return joined,
        }
    }
}

impl Running {
    async fn work(
        &mut self,
        member: &mut dyn Member,
        shutdown: &CancellationToken,
    ) -> Result<(), Error> {
        let mut commits = interval(COMMIT_EVERY.min(self.shared.config.session / 8));
        commits.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut is_stopping = false;
        loop {
            if is_stopping && self.owners.is_empty() {
                return Ok(());
            }
            tokio::select! {
                biased;
                () = shutdown.cancelled(), if !is_stopping => {
                    is_stopping = true;
                    self.held.values().for_each(|held| held.stop.cancel());
                    self.give_up_lost(|_| true);
                }
                _ = commits.tick() => {
                    let now = Instant::now();
                    self.give_up_lost(|lost| lost.until.is_some_and(|until| until <= now));
                    self.commit(member).await?;
                }
                Some(ended) = self.owners.join_next(), if !self.owners.is_empty() => {
                    self.ended(ended)?;
                }
                event = member.next() => match event {
                    Ok(event) => self.follow(event, member, is_stopping).await?,
                    Err(error) if error.is_retryable() => {
                        tracing::warn!(%error, "the dispatchers' group can't be reached");
                        sleep(GROUP_AGAIN).await;
                    }
                    Err(error) => return Err(error.into()),
                },
            }
        }
    }

    async fn follow(
        &mut self,
        event: GroupEvent,
        member: &mut dyn Member,
        is_stopping: bool,
    ) -> Result<(), Error> {
        match event {
            GroupEvent::Assigned(_) if is_stopping => Ok(()),
            GroupEvent::Assigned(claims) => {
                for claim in &claims {
                    self.begin(claim);
                }
                // A group that gives partitions a few at a time has given all by then.
                let until = Instant::now() + self.shared.config.session;
                for lost in self.lost.values_mut() {
                    lost.until.get_or_insert(until);
                }
                self.commit(member).await
            }
            GroupEvent::Revoked(partitions) => self.give_up(&partitions).await,
            GroupEvent::Lost(partitions) => {
                for partition in &partitions {
                    if let Some(held) = self.held.remove(partition) {
                        held.lease.borrow().end();
                        self.lost.insert(*partition, Lost { held, until: None });
                    }
                    self.shared.metrics.is_gone(*partition);
                }
                if is_stopping {
                    self.give_up_lost(|_| true);
                }
                Ok(())
            }
        }
    }

    fn begin(&mut self, claim: &Claim) {
        let partition = claim.partition;
        let committed = claim.committed.as_ref().map_or(0, |commit| commit.offset);
        if let Some(Lost { held, .. }) = self.lost.remove(&partition)
            && held.lease.send(Arc::default()).is_ok()
        {
            held.place.fetch_max(committed, Ordering::Relaxed);
            self.held.insert(partition, held);
            return;
        }
        let (stop, hurry) = (CancellationToken::new(), CancellationToken::new());
        let (lease, leases) = watch::channel(Arc::<Lease>::default());
        let place = Arc::new(AtomicU64::new(committed));
        let owner = Owner {
            shared: Arc::clone(&self.shared),
            partition,
            leases,
            place: Arc::clone(&place),
            chance: Box::new(Seeded::new(self.chance.next_u64())),
            stop: stop.clone(),
            hurry: hurry.clone(),
        };
        let task = self
            .owners
            .spawn(async move { (partition, owner.run().await) });
        let held = Held {
            lease,
            place,
            stop,
            hurry,
            task,
        };
        if let Some(before) = self.held.insert(partition, held) {
            before.task.abort();
        }
    }

    /// Gives up what was lost and won't come back.
    fn give_up_lost(&mut self, is_gone: impl Fn(&Lost) -> bool) {
        let metrics = &self.shared.metrics;
        self.lost.retain(|partition, lost| {
            let is_gone = is_gone(lost);
            if is_gone {
                lost.held.task.abort();
                metrics.is_gone(*partition);
            }
            !is_gone
        });
    }

    /// Stops sending, and lets what is out come back as long as the group can wait; what is not back by
    /// then is sent again by the next owner.
    async fn give_up(&mut self, partitions: &[u32]) -> Result<(), Error> {
        let given: Vec<Held> = partitions
            .iter()
            .filter_map(|p| self.held.remove(p))
            .collect();
        given.iter().for_each(|held| held.stop.cancel());
        let session = self.shared.config.session;
        self.wait_for(&given, Instant::now() + session / 5).await?;
        given.iter().for_each(|held| held.hurry.cancel());
        self.wait_for(&given, Instant::now() + session / 10).await?;
        given.iter().for_each(|held| held.task.abort());
        partitions
            .iter()
            .for_each(|p| self.shared.metrics.is_gone(*p));
        Ok(())
    }

    async fn wait_for(&mut self, given: &[Held], until: Instant) -> Result<(), Error> {
        while given.iter().any(|held| !held.task.is_finished()) {
            match timeout_at(until, self.owners.join_next()).await {
                Ok(Some(ended)) => self.ended(ended)?,
                Ok(None) | Err(_) => return Ok(()),
            }
        }
        Ok(())
    }

    fn ended(
        &mut self,
        ended: Result<(u32, Result<(), Failure>), tokio::task::JoinError>,
    ) -> Result<(), Error> {
        match ended {
            Ok((partition, Ok(()))) => {
                self.shared.metrics.is_gone(partition);
                Ok(())
            }
            Ok((partition, Err(failure))) => {
                tracing::error!(partition, error = %failure, "dispatching a partition has stopped; the others go on");
                Ok(())
            }
            Err(error) if error.is_cancelled() => Ok(()),
            Err(error) => Err(Error::Panicked(error.to_string())),
        }
    }

    /// Commits every partition that is held; each that is stored renews its lease (O7).
    async fn commit(&mut self, member: &mut dyn Member) -> Result<(), Error> {
        let commits: Vec<Commit> = self.held.iter().map(|(p, held)| held.commit(*p)).collect();
        if commits.is_empty() {
            return Ok(());
        }
        let sent = Instant::now();
        match member.commit(&commits).await {
            Ok(()) => self
                .held
                .values()
                .for_each(|held| held.lease.borrow().renew(sent)),
            Err(GroupError::NotHeld(_)) => return self.commit_each(member, commits).await,
            Err(error @ GroupError::Fenced(_)) => return Err(error.into()),
            Err(error) => tracing::warn!(%error, "a commit of the dispatchers' group failed"),
        }
        Ok(())
    }

    /// One of them is being taken away: the others must not lose their leases for it.
    async fn commit_each(
        &mut self,
        member: &mut dyn Member,
        commits: Vec<Commit>,
    ) -> Result<(), Error> {
        for commit in commits {
            let sent = Instant::now();
            match member.commit(std::slice::from_ref(&commit)).await {
                Ok(()) => {
                    if let Some(held) = self.held.get(&commit.partition) {
                        held.lease.borrow().renew(sent);
                    }
                }
                Err(error @ GroupError::Fenced(_)) => return Err(error.into()),
                Err(error) => {
                    tracing::debug!(partition = commit.partition, %error, "a partition is not committed");
                }
            }
        }
        Ok(())
    }
}

impl Held {
    fn commit(&self, partition: u32) -> Commit {
        Commit {
            partition,
            offset: self.place.load(Ordering::Relaxed),
            metadata: String::new(),
        }
    }
}
