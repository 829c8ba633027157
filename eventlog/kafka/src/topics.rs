//! Topics: listed, planned, made, waited for.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use eventlog_port::{
    Action, AppendError, BoxError, Coalesced, Plan, TopicError, TopicInfo, TopicSpec,
};
use parking_lot::Mutex;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::metadata::{Metadata, MetadataTopic};
use tokio::time::Instant;

use crate::cluster::{ASK_AGAIN, BEHIND, Cluster};
use crate::config::Config;
use crate::context::Quiet;
use crate::error::{ConnectError, NotLed, not_made};
use crate::topic_settings::{Comparison, Found, wanted};
use crate::writer_target::Target;

/// How long new topics may take until they are made, and again until each of their partitions has a leader that
/// answers. Hundreds of partitions are many for a busy cluster.
const LEADERS_WITHIN: Duration = Duration::from_secs(60);

/// How long what one writer has found is good for the next, which begins at the same moment: a start makes many.
const KNOWN_FOR: Duration = Duration::from_secs(1);

/// How long one request for topics' settings may take before another broker is asked.
const SETTINGS_WITHIN: Duration = Duration::from_secs(2);

/// A topic that the brokers did not make.
#[derive(Debug, thiserror::Error)]
#[error("topic {topic:?} was not made: {code}")]
struct NotMade {
    topic: String,
    code: RDKafkaErrorCode,
}

pub(crate) struct Topics {
    config: Config,
    cluster: Arc<Cluster>,
    admin: Arc<AdminClient<Quiet>>,
    /// The limit that each topic was asked for; a topic's own is never below Kafka's default.
    limits: Mutex<BTreeMap<String, u32>>,
    /// The full names of those that this process writes to.
    written: Mutex<BTreeSet<String>>,
    /// What they were when they were looked up last.
    known: Mutex<Option<(Instant, Arc<Listing>)>>,
    looking: Coalesced<Result<Arc<Listing>, AppendError>>,
}

/// What a listing found: topics by their full names, and the brokers.
struct Listing {
    topics: BTreeMap<String, Found>,
    brokers: Vec<i32>,
}

fn unavailable(error: impl Into<BoxError>) -> TopicError {
    TopicError::Unavailable(error.into())
}

impl Topics {
    pub(crate) fn connect(config: &Config, cluster: Arc<Cluster>) -> Result<Self, ConnectError> {
        let made = config
            .client("topics")
            .create_with_context(Quiet::default());
        let admin = made.map_err(|error| not_made(error, &config.bootstrap))?;
        Ok(Self {
            config: config.clone(),
            cluster,
            admin: Arc::new(admin),
            limits: Mutex::default(),
            written: Mutex::default(),
            known: Mutex::default(),
            looking: Coalesced::default(),
        })
    }

    /// The topics with our prefix, in the order of their names.
    pub(crate) async fn list(&self) -> Result<Vec<TopicInfo>, TopicError> {
        let prefix = &self.config.topic_prefix;
        let listing = self
            .listing(|name| name.starts_with(prefix) && !is_internal(name))
            .await?;
        let info = |(name, found): (String, Found)| found.info(&name[prefix.len()..]);
        Ok(listing.topics.into_iter().map(info).collect())
    }

    pub(crate) async fn plan(&self, specs: &[TopicSpec]) -> Result<Vec<Plan>, TopicError> {
        let mut names = Vec::new();
        for spec in specs {
            spec.check()?;
            // The name in the cluster must be one too.
            let name = self.config.full_name(&spec.name);
            TopicSpec {
                name: name.clone(),
                ..spec.clone()
            }
            .check()?;
            names.push(name);
        }
        let listing = self
            .listing(|name| names.iter().any(|wanted| wanted == name))
            .await?;
        let action = |(spec, name): (&TopicSpec, &String)| {
            let found = listing.topics.get(name);
            let action = found.map_or(Action::Create, |found| self.compare(spec, found, &listing));
            Plan {
                spec: spec.clone(),
                action,
            }
        };
        Ok(specs.iter().zip(&names).map(action).collect())
    }

    fn compare(&self, spec: &TopicSpec, found: &Found, listing: &Listing) -> Action {
        let comparison = Comparison {
            found,
            spec,
            brokers: &listing.brokers,
            replication: self.config.replication,
            bootstrap: &self.config.bootstrap,
        };
        let mismatches = comparison.mismatches();
        if mismatches.is_empty() {
            Action::Fits
        } else {
            Action::Mismatch(mismatches)
        }
    }

    pub(crate) async fn ensure(&self, specs: &[TopicSpec]) -> Result<(), TopicError> {
        let mut missing = Vec::new();
        for plan in self.plan(specs).await? {
            match plan.action {
                Action::Fits | Action::Update(_) => {}
                Action::Create => missing.push(plan.spec),
                Action::Mismatch(mismatches) => {
                    return Err(TopicError::Mismatch {
                        topic: plan.spec.name,
                        mismatches,
                    });
                }
            }
        }
        self.create(&missing).await?;
        self.led(&missing).await?;
        for spec in specs {
            let name = self.config.full_name(&spec.name);
            self.cluster.knows(name.clone(), spec.partitions);
            self.written.lock().insert(name);
        }
        let mut limits = self.limits.lock();
        limits.extend(
            specs
                .iter()
                .map(|spec| (spec.name.clone(), spec.max_record_bytes)),
        );
        Ok(())
    }

    async fn create(&self, specs: &[TopicSpec]) -> Result<(), TopicError> {
        if specs.is_empty() {
            return Ok(());
        }
        let replication = self.config.replication;
        let settings: Vec<_> = specs.iter().map(|spec| wanted(spec, replication)).collect();
        let names: Vec<_> = specs
            .iter()
            .map(|spec| self.config.full_name(&spec.name))
            .collect();
        let new = |((spec, settings), name): ((&TopicSpec, _), _)| {
            let settings: &BTreeMap<&'static str, String> = settings;
            let name: &String = name;
            let partitions = i32::try_from(spec.partitions).unwrap_or(i32::MAX);
            let replicas = i32::try_from(replication).unwrap_or(i32::MAX);
            let new = NewTopic::new(name, partitions, TopicReplication::Fixed(replicas));
            settings
                .iter()
                .fold(new, |new, (key, value)| new.set(key, value))
        };
        let new: Vec<_> = specs.iter().zip(&settings).zip(&names).map(new).collect();
        // The brokers' time, and ours for their answer: a cluster that is busy takes long to make many.
        let options = AdminOptions::new()
            .operation_timeout(Some(LEADERS_WITHIN))
            .request_timeout(Some(LEADERS_WITHIN + SETTINGS_WITHIN));
        let admin = self.admin().await.map_err(unavailable)?;
        let made = admin
            .create_topics(&new, &options)
            .await
            .map_err(unavailable)?;
        for result in made {
            match result {
                // Another node was quicker; what it made is checked like any other at its use.
                Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
                Err((topic, code)) => return Err(unavailable(NotMade { topic, code })),
            }
        }
        Ok(())
    }

    /// Waits until each partition of these topics has a leader, and the leader knows of it.
    async fn led(&self, specs: &[TopicSpec]) -> Result<(), TopicError> {
        let until = Instant::now() + LEADERS_WITHIN;
        for spec in specs {
            let name = self.config.full_name(&spec.name);
            loop {
                let why = match self.leaders_know(&name, spec.partitions).await {
                    Ok(true) => break,
                    Ok(false) => "not every partition has a leader".to_owned(),
                    Err(error) => error.to_string(),
                };
                if Instant::now() >= until {
                    return Err(unavailable(NotLed {
                        topic: name,
                        within: LEADERS_WITHIN,
                        why,
                    }));
                }
                tokio::time::sleep(ASK_AGAIN).await;
            }
        }
        Ok(())
    }

    /// Whether each of the first `count` partitions has a leader; an error where one of them does not know it, or the
    /// broker that was asked.
    async fn leaders_know(&self, name: &str, count: u32) -> KafkaResult<bool> {
        let metadata = self.cluster.metadata(Some(name.to_owned())).await?;
        let asked_for = metadata.topics().iter().find(|topic| topic.name() == name);
        if let Some(error) = asked_for.and_then(MetadataTopic::error) {
            return Err(KafkaError::MetadataFetch(error.into()));
        }
        if !is_led(&metadata, name, count) {
            return Ok(false);
        }
        self.cluster.leaders_answer(name, count).await?;
        Ok(true)
    }

    /// The client, once it knows the brokers that there are now. It sends everything to the one that they
    /// named as their controller; where that one is gone it waits for it, in vain, and with a whole
    /// processor: each failed connection wakes the request, which asks for the next.
    async fn admin(&self) -> Result<&AdminClient<Quiet>, KafkaError> {
        let (admin, timeout) = (Arc::clone(&self.admin), self.config.request_timeout);
        let asked =
            tokio::task::spawn_blocking(move || admin.inner().fetch_metadata(None, timeout));
        asked.await.unwrap_or(Err(KafkaError::Canceled))?;
        Ok(&self.admin)
    }

    /// Asks until a broker has answered that does not lag behind another, for a request's time: one that goes away takes
    /// the question with it, and the next may know.
    async fn listing(&self, wanted: impl Fn(&str) -> bool) -> Result<Listing, TopicError> {
        let until = Instant::now() + self.config.request_timeout;
        loop {
            match self.listed(&wanted).await {
                Err(_again) if Instant::now() < until => tokio::time::sleep(ASK_AGAIN).await,
                done => return done,
            }
        }
    }

    async fn listed(&self, wanted: impl Fn(&str) -> bool) -> Result<Listing, TopicError> {
        let metadata = self.cluster.metadata(None).await.map_err(unavailable)?;
        let brokers = metadata
            .brokers()
            .iter()
            .map(|broker| broker.id())
            .collect();
        let mut topics = BTreeMap::new();
        for topic in metadata.topics() {
            if topic.error().is_none() && wanted(topic.name()) {
                let mut partitions: Vec<_> = topic.partitions().iter().collect();
                partitions.sort_by_key(|partition| partition.id());
                let found = Found {
                    full_name: topic.name().to_owned(),
                    replicas: partitions.iter().map(|p| p.replicas().to_vec()).collect(),
                    settings: BTreeMap::new(),
                };
                topics.insert(found.full_name.clone(), found);
            }
        }
        let found = |name: &str| topics.get(name).map(Found::partitions);
        if self.cluster.lags(wanted, found) {
            return Err(unavailable(BEHIND));
        }
        self.read_settings(&mut topics).await.map_err(unavailable)?;
        Ok(Listing { topics, brokers })
    }

    async fn read_settings(&self, topics: &mut BTreeMap<String, Found>) -> Result<(), KafkaError> {
        if topics.is_empty() {
            return Ok(());
        }
        let names: Vec<String> = topics.keys().cloned().collect();
        let asked: Vec<_> = names
            .iter()
            .map(|name| ResourceSpecifier::Topic(name))
            .collect();
        let within = self.config.request_timeout.min(SETTINGS_WITHIN);
        let options = AdminOptions::new().request_timeout(Some(within));
        let answers = self
            .admin()
            .await?
            .describe_configs(&asked, &options)
            .await?;
        for (name, answer) in names.iter().zip(answers) {
            match answer {
                Ok(resource) => {
                    let known = resource.entries.into_iter();
                    let settings = known.filter_map(|entry| entry.value.map(|v| (entry.name, v)));
                    if let Some(found) = topics.get_mut(name) {
                        found.settings = settings.collect();
                    }
                }
                // Also where another broker has not heard of it yet, or it was deleted since it was listed.
                Err(code) => return Err(KafkaError::AdminOp(code)),
            }
        }
        Ok(())
    }

    /// What a writer to `partition` must know of a topic; `None` when it isn't there.
    pub(crate) async fn target(
        self: &Arc<Self>,
        topic: &str,
        partition: u32,
    ) -> Result<Option<Arc<Target>>, AppendError> {
        let full_name = self.config.full_name(topic);
        let known = self.known.lock().clone();
        let known = known.filter(|(at, listing)| {
            let found = listing.topics.get(&full_name);
            at.elapsed() < KNOWN_FOR && found.is_some_and(|found| partition < found.partitions())
        });
        let listing = match known {
            Some((_, listing)) => listing,
            None => self.look_up(topic).await?,
        };
        let limit = self.limits.lock().get(topic).copied();
        Ok(listing.topics.get(&full_name).map(|found| {
            Arc::new(Target {
                full_name: full_name.clone(),
                partitions: found.partitions(),
                max_record_bytes: limit.unwrap_or(found.info(topic).spec.max_record_bytes),
                max_message_bytes: found.max_message_bytes(),
            })
        }))
    }

    /// The topics that this process writes to, `topic` among them, as they are now.
    async fn look_up(self: &Arc<Self>, topic: &str) -> Result<Arc<Listing>, AppendError> {
        self.written.lock().insert(self.config.full_name(topic));
        let topics = Arc::clone(self);
        let asking = self.looking.ask(move || async move {
            let written = topics.written.lock().clone();
            let found = topics.listing(|name| written.contains(name)).await;
            let found = found.map_err(|error| AppendError::Unavailable(Arc::new(error)))?;
            let found = Arc::new(found);
            *topics.known.lock() = Some((Instant::now(), Arc::clone(&found)));
            Ok(found)
        });
        asking.await
    }
}

/// The brokers' own topics.
fn is_internal(full_name: &str) -> bool {
    full_name.starts_with("__")
}

fn is_led(metadata: &Metadata, name: &str, partitions: u32) -> bool {
    metadata.topics().iter().any(|topic| {
        topic.name() == name
            && topic.partitions().len() >= partitions as usize
            && topic
                .partitions()
                .iter()
                .all(|partition| partition.leader() >= 0)
    })
}
