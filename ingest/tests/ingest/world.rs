//! A log, its topics, endpoints, and a keyed store: what the tests run in.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use control::{Control, Writer};
use domain::chance::Seeded;
use domain::time::{Clock, Timestamp};
use eventlog_port::memory::MemoryLog;
use eventlog_port::{
    EventLog, ReadLimit, Record, TopicPartition, TopicSpec, WriterKind, WriterSpec,
};
use ingest::{Config, Deps, Ingest};
use parking_lot::Mutex;
use projections_port::{First, KeyScope, Keys, ViewError};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::Registry;
use schemas::control::{Endpoint, Fact};
use schemas::ids::EndpointId;
use schemas::parts::Parts;
use schemas::topics::Topic;
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

pub(crate) const INBOX: u32 = 3;
pub(crate) const EVENTS: u32 = 4;

/// A clock that goes with the runtime's.
#[derive(Debug)]
pub(crate) struct RuntimeClock(Instant);

impl Clock for RuntimeClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(1_767_323_045_678).saturating_add(self.0.elapsed())
    }
}

/// The keyed store, in memory; down when told so.
#[derive(Debug, Default)]
pub(crate) struct MemoryKeys {
    pub(crate) rows: Mutex<BTreeMap<(KeyScope, u64), First>>,
    pub(crate) down: AtomicBool,
}

impl MemoryKeys {
    fn check(&self) -> Result<(), ViewError> {
        if self.down.load(Ordering::SeqCst) {
            Err(ViewError::Unavailable("down".into()))
        } else {
            Ok(())
        }
    }
}

#[async_trait]
impl Keys for MemoryKeys {
    async fn firsts(&self, wanted: &[(KeyScope, u64)]) -> Result<Vec<Option<First>>, ViewError> {
        self.check()?;
        let rows = self.rows.lock();
        let find = |(scope, most): &(KeyScope, u64)| {
            let up_to = (scope.clone(), 0)..=(scope.clone(), *most);
            rows.range(up_to)
                .next_back()
                .map(|(_, first)| first.clone())
        };
        Ok(wanted.iter().map(find).collect())
    }

    async fn put(&self, rows: &[(KeyScope, First)]) -> Result<(), ViewError> {
        self.check()?;
        let mut all = self.rows.lock();
        for (scope, first) in rows {
            let before = all.insert((scope.clone(), first.offset), first.clone());
            assert!(
                before.is_none_or(|before| before == *first),
                "a row changed"
            );
        }
        Ok(())
    }

    async fn expire(&self, before: Timestamp) -> Result<(), ViewError> {
        self.check()?;
        self.rows
            .lock()
            .retain(|_, first| first.appended_at >= before);
        Ok(())
    }
}

pub(crate) struct World {
    pub(crate) log: Arc<MemoryLog>,
    pub(crate) clock: Arc<RuntimeClock>,
    pub(crate) control: Control,
    pub(crate) keys: Arc<MemoryKeys>,
    pub(crate) registry: Registry,
    writer: Writer,
    _tasks: JoinSet<()>,
}

impl World {
    pub(crate) async fn new(seed: u64) -> Self {
        let clock = Arc::new(RuntimeClock(Instant::now()));
        let shared: Arc<dyn Clock> = Arc::<RuntimeClock>::clone(&clock);
        let log = Arc::new(MemoryLog::new(shared, Box::new(Seeded::new(seed))));
        let topics = [
            (Topic::Inbox, INBOX),
            (Topic::Routed, INBOX),
            (Topic::Events, EVENTS),
            (Topic::Control, 1),
            (Topic::Quarantine, 1),
        ];
        log.ensure(&topics.map(|(topic, partitions)| spec(topic, partitions)))
            .await
            .unwrap();
        let port: Arc<dyn EventLog> = Arc::<MemoryLog>::clone(&log);
        let (control, follower) = control::follow::follow(Arc::clone(&port));
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { follower.run(CancellationToken::new()).await.unwrap() });
        Self {
            writer: Writer::new(port, control.clone()),
            log,
            clock,
            control,
            keys: Arc::default(),
            registry: Registry::default(),
            _tasks: tasks,
        }
    }

    pub(crate) async fn ingest(&mut self, config: Config) -> Ingest {
        let deps = Deps {
            log: Arc::<MemoryLog>::clone(&self.log),
            clock: Arc::<RuntimeClock>::clone(&self.clock),
            chance: Box::new(Seeded::new(1)),
            control: self.control.clone(),
            keys: Arc::<MemoryKeys>::clone(&self.keys),
            registry: &mut self.registry,
        };
        ingest::build(config, deps).await.unwrap()
    }

    /// Makes or changes an endpoint, and waits until it is known.
    pub(crate) async fn put(&self, endpoint: Endpoint) -> u64 {
        self.writer
            .write(&Fact::Endpoint(Box::new(endpoint)))
            .await
            .unwrap()
    }

    /// As [`put`](Self::put), on a log that may not take it.
    pub(crate) async fn try_put(&self, endpoint: Endpoint) -> Option<u64> {
        let fact = Fact::Endpoint(Box::new(endpoint));
        self.writer.write(&fact).await.ok()
    }

    /// Writes to `inbox`, as a Kafka producer does.
    pub(crate) async fn write(&self, partition: u32, parts: Parts) {
        assert!(self.try_write(partition, parts).await);
    }

    pub(crate) async fn try_write(&self, partition: u32, parts: Parts) -> bool {
        let spec = WriterSpec {
            kind: WriterKind::Ordered,
            name: "producer".to_owned(),
            max_in_flight: 1,
        };
        let writer = self.log.writer(spec).await.unwrap();
        let to = TopicPartition::of(Topic::Inbox, partition);
        let appending = writer.append(&to, parts.into()).await.unwrap();
        appending.await.is_ok()
    }

    /// A router, running.
    pub(crate) async fn router(&mut self, instance: &str, group: &str) -> Router {
        let config = ingest::router::Config {
            group: group.to_owned(),
            ..ingest::router::Config::new(instance)
        };
        let deps = ingest::router::Deps {
            log: Arc::<MemoryLog>::clone(&self.log),
            clock: Arc::<RuntimeClock>::clone(&self.clock),
            control: self.control.clone(),
            keys: Arc::<MemoryKeys>::clone(&self.keys),
            quarantined: Counter::default(),
        };
        let routers = ingest::router::build(config, deps).await.unwrap();
        let shutdown = CancellationToken::new();
        let mut task = JoinSet::new();
        let stop = shutdown.clone();
        task.spawn(async move { routers.run(stop).await.unwrap() });
        Router { task, shutdown }
    }

    /// Every record of every topic that routers write, as text.
    pub(crate) async fn dump(&self) -> String {
        let mut text = String::new();
        let topics = [
            (Topic::Inbox, INBOX),
            (Topic::Routed, INBOX),
            (Topic::Events, EVENTS),
            (Topic::Quarantine, 1),
        ];
        for (topic, partitions) in topics {
            for partition in 0..partitions {
                for record in self.records(topic, partition).await {
                    text += &format!("{topic} {partition} {record:?}\n");
                }
            }
        }
        text
    }

    /// Everything in a partition.
    pub(crate) async fn records(&self, topic: Topic, partition: u32) -> Vec<Record> {
        let partition = TopicPartition::of(topic, partition);
        let mut reader = self.log.reader(&partition, 0).await.unwrap();
        let limit = ReadLimit {
            records: usize::MAX,
            bytes: usize::MAX,
            wait: Duration::ZERO,
        };
        reader.next(limit).await.unwrap()
    }
}

/// Dropping it is a crash.
pub(crate) struct Router {
    task: JoinSet<()>,
    shutdown: CancellationToken,
}

impl Router {
    /// Ends it as a shutdown does.
    pub(crate) async fn stop(mut self) {
        self.shutdown.cancel();
        self.task.join_next().await.unwrap().unwrap();
    }
}

fn spec(topic: Topic, partitions: u32) -> TopicSpec {
    TopicSpec {
        name: topic.to_string(),
        partitions,
        retention: None,
        retention_bytes: None,
        max_record_bytes: (1 << 20) + (512 << 10),
    }
}

pub(crate) fn endpoint_id(number: u32) -> EndpointId {
    EndpointId::new(Timestamp::from_millis(1), u128::from(number))
}

/// Endpoint `number`, in partition `number` of those there are.
pub(crate) fn endpoint(number: u32, event_types: &[&str], replaces: Option<u64>) -> Endpoint {
    let mut json = json!({
        "change": {"tenant": "default", "by": "local"},
        "did": "created", "id": endpoint_id(number), "partition": number % EVENTS, "created_at": 1,
        "state": "active", "paused": false, "circuit_resets": 0, "url": "https://example.com/hook",
        "event_types": event_types, "ordering": "none", "on_dead_letter": "continue",
        "max_in_flight": 20, "timeout_seconds": 30, "connect_timeout_seconds": 10,
        "retry": {"schedule": {"seconds": [5]}, "jitter": 0.1, "retry_on": "transient"},
        "signing": "both", "algorithm": "hmac-sha256", "secrets": [], "custom_headers": {},
        "metadata": {},
    });
    if let Some(replaces) = replaces {
        json["change"]["replaces"] = json!(replaces);
    }
    serde_json::from_value(json).unwrap()
}
