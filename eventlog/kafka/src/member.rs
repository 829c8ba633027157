//! A member of a group: told what it holds, and stores offsets.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use eventlog_port::{Commit, GroupError, GroupEvent, GroupSpec, Member, TopicPartition};
use rdkafka::ClientConfig;
use rdkafka::consumer::{CommitMode, Consumer};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode as Code};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use crate::cluster::Cluster;
use crate::config::Config;
use crate::error::{NoAnswer, not_made_again};
use crate::member_steps::{Done, Ending, assign, member_config, offsets};
use crate::membership::{Change, GroupConsumer, Membership, acknowledge};

/// How long one wait for a change may be; also what tells the driver that this member is alive.
const POLL_EVERY: Duration = Duration::from_millis(50);

/// How many of the driver's events are served in one go.
const EVENTS: usize = 64;

/// Tells members of one process apart.
static MEMBERS: AtomicU64 = AtomicU64::new(0);

/// Whether the group still knows this member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Member,
    /// Brokers have refused what the driver sent under its name, and the driver has given up.
    Refused,
    /// Another has taken the name.
    Fenced,
}

pub(crate) struct KafkaMember {
    consumer: Arc<GroupConsumer>,
    /// What a consumer of this member is made of.
    client: ClientConfig,
    spec: GroupSpec,
    full_group: String,
    held: BTreeSet<i32>,
    /// Told as revoked; given up when the member asks again.
    revoking: Vec<i32>,
    ready: VecDeque<GroupEvent>,
    step: Option<JoinHandle<Done>>,
    standing: Standing,
}

fn unavailable(error: impl Into<eventlog_port::BoxError>) -> GroupError {
    GroupError::Unavailable(error.into())
}

/// Whether an event that the member has not been told yet takes the partition away.
fn takes(event: &GroupEvent, partition: u32) -> bool {
    match event {
        GroupEvent::Assigned(_) => false,
        GroupEvent::Revoked(taken) | GroupEvent::Lost(taken) => taken.contains(&partition),
    }
}

fn numbers(partitions: &[i32]) -> Vec<u32> {
    partitions
        .iter()
        .filter_map(|partition| u32::try_from(*partition).ok())
        .collect()
}

impl KafkaMember {
    pub(crate) async fn join(
        config: &Config,
        cluster: &Cluster,
        spec: GroupSpec,
    ) -> Result<Self, GroupError> {
        let full_name = config.full_name(&spec.topic);
        if cluster
            .partitions(&full_name)
            .await
            .map_err(unavailable)?
            .is_none()
        {
            return Err(GroupError::NoSuchTopic(spec.topic));
        }
        // Static members of one process need client ids of their own.
        let number = MEMBERS.fetch_add(1, Ordering::Relaxed);
        let client_id = format!("{}-{}-{}", spec.instance, std::process::id(), number);
        let client = member_config(config, &spec, &client_id);
        let consumer = joined(&client, &full_name)?;
        Ok(Self {
            consumer,
            client,
            full_group: config.full_name(&spec.group),
            spec,
            held: BTreeSet::new(),
            revoking: Vec::new(),
            ready: VecDeque::new(),
            step: None,
            standing: Standing::Member,
        })
    }

    fn membership(&self) -> &Arc<Membership> {
        self.consumer.client().context()
    }

    /// Starts a step on a blocking thread. One at a time.
    fn start(&mut self, step: impl FnOnce(&GroupConsumer) -> Done + Send + 'static) {
        let consumer = Arc::clone(&self.consumer);
        self.step = Some(tokio::task::spawn_blocking(move || step(&consumer)));
    }

    /// Waits for the step under way, if there is one.
    async fn finish(&mut self) -> Result<Option<KafkaResult<()>>, GroupError> {
        let Some(step) = &mut self.step else {
            return Ok(None);
        };
        let done = step.await;
        self.step = None;
        match done.map_err(unavailable)? {
            Done::Assigned(claims) => {
                // A rebalance that gives this member nothing is no change.
                if !claims.is_empty() {
                    self.ready.push_back(GroupEvent::Assigned(claims));
                }
                Ok(None)
            }
            Done::NotAssigned(partitions, error) => {
                self.membership()
                    .changes
                    .lock()
                    .push_front(Change::Assigned(partitions));
                Err(unavailable(error))
            }
            Done::GivenUp => Ok(None),
            Done::Committed(result) => Ok(Some(result)),
        }
    }

    /// As [`finish`](Self::finish), but not for longer than until then; the member stays alive
    /// meanwhile. A broker answers a connection's requests in turn: where one waits for the group to be
    /// rearranged, a commit waits behind it.
    async fn finish_by(&mut self, until: Instant) -> Result<Option<KafkaResult<()>>, GroupError> {
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if let Ok(done) = timeout(left.min(POLL_EVERY), self.finish()).await {
                return done;
            }
            if left.is_zero() {
                return Err(unavailable(NoAnswer(self.spec.session / 2)));
            }
            self.poll()?;
        }
    }

    /// Serves the driver's events without waiting. The callback collects changes.
    fn poll(&mut self) -> Result<(), GroupError> {
        for _ in 0..EVENTS {
            match self.consumer.poll(Duration::ZERO) {
                None => break,
                // Fetched between being assigned and paused.
                Some(Ok(_message)) => {}
                Some(Err(error)) => self.heed(error)?,
            }
        }
        Ok(())
    }

    fn heed(&mut self, error: KafkaError) -> Result<(), GroupError> {
        let code = error.rdkafka_error_code();
        if matches!(code, Some(Code::FencedInstanceId | Code::Fatal)) {
            self.standing = Standing::Refused;
            return Ok(());
        }
        if code == Some(Code::PollExceeded) {
            self.membership().expelled.store(true, Ordering::SeqCst);
        }
        let lasting = matches!(
            code,
            Some(
                Code::GroupAuthorizationFailed
                    | Code::TopicAuthorizationFailed
                    | Code::InconsistentGroupProtocol
                    | Code::InvalidSessionTimeout
                    | Code::UnknownTopicOrPartition
            )
        );
        if matches!(error, KafkaError::MessageConsumptionFatal(_)) || lasting {
            return Err(unavailable(error));
        }
        // Of places that are not read, and of connections that are made again.
        tracing::debug!(%error, group = self.spec.group, "passing error of a group's member");
        Ok(())
    }

    /// Acts on the oldest change, if there is one.
    fn act(&mut self) -> bool {
        let change = self.membership().changes.lock().pop_front();
        match change {
            None => return false,
            Some(Change::Assigned(partitions)) => {
                let within = self.spec.session / 2;
                self.start(move |consumer| assign(consumer, partitions, within));
            }
            Some(Change::Revoked(partitions)) => {
                self.revoking.extend(&partitions);
                self.ready
                    .push_back(GroupEvent::Revoked(numbers(&partitions)));
            }
            Some(Change::Lost(partitions)) => {
                let told: Vec<i32> = partitions
                    .into_iter()
                    .filter(|p| self.held.contains(p))
                    .collect();
                if !told.is_empty() {
                    self.ready.push_back(GroupEvent::Lost(numbers(&told)));
                }
            }
        }
        true
    }

    /// Notes what the member holds once it has been told.
    fn told(&mut self, event: &GroupEvent) {
        let raw = |number: &u32| i32::try_from(*number).unwrap_or(i32::MAX);
        match event {
            GroupEvent::Assigned(claims) => {
                self.held
                    .extend(claims.iter().map(|claim| raw(&claim.partition)));
            }
            GroupEvent::Revoked(_) => {}
            GroupEvent::Lost(lost) => {
                for partition in lost {
                    self.held.remove(&raw(partition));
                }
            }
        }
    }

    /// The first partition that the member may not commit for.
    fn not_held(&self, commits: &[Commit]) -> Option<GroupError> {
        let changes = self.membership().changes.lock();
        let refused = commits.iter().find(|commit| {
            let partition = i32::try_from(commit.partition).unwrap_or(i32::MAX);
            !self.held.contains(&partition)
                || self.revoking.contains(&partition)
                || changes.iter().any(|change| change.takes(partition))
                || self
                    .ready
                    .iter()
                    .any(|event| takes(event, commit.partition))
        });
        refused.map(|commit| self.not_held_error(commit.partition))
    }

    fn not_held_error(&self, partition: u32) -> GroupError {
        GroupError::NotHeld(TopicPartition::new(self.spec.topic.as_str(), partition))
    }

    fn fenced_error(&self) -> GroupError {
        GroupError::Fenced(self.spec.instance.clone())
    }

    /// What the driver does for this member is over, and all is lost. Where it was expelled before, it
    /// may have refused itself: it joins again under a new id, and what it still sent under the old one,
    /// or under none, is refused as a namesake's. Else another has taken the name.
    fn refused(&mut self) -> Result<(), GroupError> {
        self.poll()?;
        if !self.held.is_empty() {
            let lost: Vec<i32> = self.held.iter().copied().collect();
            self.ready.push_back(GroupEvent::Lost(numbers(&lost)));
            return Ok(());
        }
        if self.membership().expelled.load(Ordering::SeqCst) {
            return self.join_again();
        }
        self.standing = Standing::Fenced;
        Ok(())
    }

    fn join_again(&mut self) -> Result<(), GroupError> {
        tracing::warn!(
            group = self.spec.group,
            "the group had expelled this member; it joins again"
        );
        let again = joined(&self.client, &self.membership().full_name)?;
        let ending = self.ending();
        self.consumer = again;
        self.standing = Standing::Member;
        vanish(ending);
        Ok(())
    }

    /// What a commit came to; `None`: the group was being rearranged, and it may be tried again.
    fn committed(&mut self, done: KafkaResult<()>, first: u32) -> Option<Result<(), GroupError>> {
        let error = match done {
            Ok(()) => return Some(Ok(())),
            Err(error) => error,
        };
        let code = error.rdkafka_error_code();
        if matches!(
            code,
            Some(Code::RebalanceInProgress | Code::IllegalGeneration)
        ) {
            None
        } else if matches!(code, Some(Code::FencedInstanceId | Code::Fatal)) {
            self.standing = Standing::Refused;
            Some(Err(self.not_held_error(first)))
        } else if code == Some(Code::UnknownMemberId) {
            Some(Err(self.not_held_error(first)))
        } else {
            Some(Err(unavailable(error)))
        }
    }
}

#[async_trait]
impl Member for KafkaMember {
    async fn next(&mut self) -> Result<GroupEvent, GroupError> {
        loop {
            self.finish().await?;
            if let Some(event) = self.ready.pop_front() {
                self.told(&event);
                return Ok(event);
            }
            match self.standing {
                Standing::Member => {}
                Standing::Refused => {
                    self.refused()?;
                    continue;
                }
                Standing::Fenced => return Err(self.fenced_error()),
            }
            if !self.revoking.is_empty() {
                let revoked = std::mem::take(&mut self.revoking);
                self.held.retain(|partition| !revoked.contains(partition));
                self.start(move |consumer| {
                    acknowledge(consumer, &Change::Revoked(revoked));
                    Done::GivenUp
                });
                continue;
            }
            self.poll()?;
            if self.standing == Standing::Member && !self.act() {
                let arrived = Arc::clone(&self.membership().arrived);
                drop(timeout(POLL_EVERY, arrived.notified()).await);
            }
        }
    }

    async fn commit(&mut self, commits: &[Commit]) -> Result<(), GroupError> {
        let Some(first) = commits.first().map(|commit| commit.partition) else {
            return Ok(());
        };
        let until = Instant::now() + self.spec.session / 2;
        loop {
            // One commit at a time: an older one that is still under way must not land on top.
            self.finish_by(until).await?;
            self.poll()?;
            match self.standing {
                Standing::Member => {}
                Standing::Refused => return Err(self.not_held_error(first)),
                Standing::Fenced => return Err(self.fenced_error()),
            }
            if let Some(refused) = self.not_held(commits) {
                return Err(refused);
            }
            let places = offsets(&self.membership().full_name, commits).map_err(unavailable)?;
            self.start(move |consumer| Done::Committed(consumer.commit(&places, CommitMode::Sync)));
            let Some(done) = self.finish_by(until).await? else {
                continue;
            };
            if let Some(answer) = self.committed(done, first) {
                return answer;
            }
            // Nothing is stored in the middle of a rebalance.
            if Instant::now() >= until {
                return Err(unavailable(KafkaError::ConsumerCommit(
                    Code::RebalanceInProgress,
                )));
            }
            tokio::time::sleep(POLL_EVERY).await;
        }
    }

    async fn leave(mut self: Box<Self>) {
        drop(self.finish().await);
        let ending = self.ending();
        drop(tokio::task::spawn_blocking(move || ending.leave()).await);
    }
}

impl Drop for KafkaMember {
    fn drop(&mut self) {
        vanish(self.ending());
    }
}

/// A static member does not say that it goes. Ending a consumer blocks.
fn vanish(ending: Ending) {
    drop(std::thread::Builder::new().spawn(move || ending.vanish()));
}

/// A consumer that joins the group.
fn joined(client: &ClientConfig, full_name: &str) -> Result<Arc<GroupConsumer>, GroupError> {
    let made = client.create_with_context(Membership::new(full_name.to_owned()));
    let mut consumer: GroupConsumer = made.map_err(|error| unavailable(not_made_again(error)))?;
    let arrived = Arc::clone(&consumer.client().context().arrived);
    consumer.set_nonempty_callback(move || arrived.notify_one());
    consumer.subscribe(&[full_name]).map_err(unavailable)?;
    Ok(Arc::new(consumer))
}

impl KafkaMember {
    fn ending(&mut self) -> Ending {
        self.membership().closing.store(true, Ordering::SeqCst);
        let mut open: Vec<Change> = self.membership().changes.lock().drain(..).collect();
        if !self.revoking.is_empty() {
            open.push(Change::Revoked(std::mem::take(&mut self.revoking)));
        }
        Ending {
            consumer: Arc::clone(&self.consumer),
            group: self.full_group.clone(),
            instance: self.spec.instance.clone(),
            within: self.spec.session,
            open,
        }
    }
}

#[cfg(test)]
mod tests;
