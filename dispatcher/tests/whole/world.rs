//! A log, its topics, endpoints, receivers, and dispatchers that can be crashed.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use control::Control;
use dispatcher::{Config, Deps};
use domain::chance::Seeded;
use domain::sealing::Sealer;
use domain::time::{Clock, Timestamp};
use eventlog_port::memory::{MemoryLaneIndexes, MemoryLog};
use eventlog_port::{
    EventLog, ReadLimit, Record, TopicPartition, TopicSpec, Writer, WriterKind, WriterSpec,
};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::Registry;
use schemas::accepted::{Accepted, RoutedFrom};
use schemas::control::{Endpoint, Fact};
use schemas::event::{Addressed, Envelope, Priority};
use schemas::ids::{EndpointId, EventId};
use schemas::topics::Topic;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::receivers::Receivers;

/// A clock that goes with the runtime's.
#[derive(Debug)]
pub(crate) struct RuntimeClock {
    begun: Instant,
    /// How many milliseconds it was set back.
    back: AtomicU64,
}

impl RuntimeClock {
    pub(crate) fn set_back(&self, by: Duration) {
        let by = u64::try_from(by.as_millis()).unwrap();
        self.back.fetch_add(by, Ordering::Relaxed);
    }
}

impl Clock for RuntimeClock {
    fn now(&self) -> Timestamp {
        let back = Duration::from_millis(self.back.load(Ordering::Relaxed));
        Timestamp::from_millis(1_767_323_045_678)
            .saturating_add(self.begun.elapsed())
            .saturating_sub(back)
    }
}

pub(crate) struct World {
    pub(crate) log: Arc<MemoryLog>,
    pub(crate) clock: Arc<RuntimeClock>,
    pub(crate) control: Control,
    pub(crate) receivers: Arc<Receivers>,
    pub(crate) indexes: Arc<MemoryLaneIndexes>,
    facts: control::Writer,
    events: tokio::sync::Mutex<Option<Box<dyn Writer>>>,
    appended: std::sync::atomic::AtomicU32,
    _tasks: JoinSet<()>,
}

/// A dispatcher, running. Dropping it is a crash.
pub(crate) struct Running {
    task: JoinSet<()>,
    shutdown: CancellationToken,
}

impl Running {
    /// Ends it as a shutdown does.
    pub(crate) async fn stop(mut self) {
        self.shutdown.cancel();
        self.task.join_next().await.unwrap().unwrap();
    }
}

impl World {
    pub(crate) async fn new(seed: u64) -> Self {
        Self::with(seed, 1, 1 << 20).await
    }

    /// With so many partitions, and room for so many notes of a lane.
    pub(crate) async fn with(seed: u64, partitions: u32, room: usize) -> Self {
        let clock = Arc::new(RuntimeClock {
            begun: Instant::now(),
            back: AtomicU64::new(0),
        });
        let shared: Arc<dyn Clock> = Arc::<RuntimeClock>::clone(&clock);
        let log = Arc::new(MemoryLog::new(
            Arc::clone(&shared),
            Box::new(Seeded::new(seed)),
        ));
        let specs: Vec<TopicSpec> = Topic::all()
            .into_iter()
            .map(|topic| spec(topic, partitions))
            .collect();
        log.ensure(&specs).await.unwrap();
        let port: Arc<dyn EventLog> = Arc::<MemoryLog>::clone(&log);
        let (control, follower) = control::follow::follow(Arc::clone(&port));
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { follower.run(CancellationToken::new()).await.unwrap() });
        Self {
            facts: control::Writer::new(port, control.clone()),
            events: tokio::sync::Mutex::default(),
            receivers: Arc::new(Receivers::new(shared)),
            indexes: Arc::new(MemoryLaneIndexes::new(room)),
            appended: 0.into(),
            log,
            clock,
            control,
            _tasks: tasks,
        }
    }

    /// A dispatcher that joins and runs.
    pub(crate) async fn run(&self, instance: &str) -> Running {
        self.run_with(Config {
            instance: instance.to_owned(),
            ..Config::default()
        })
        .await
    }

    pub(crate) async fn run_with(&self, config: Config) -> Running {
        let mut registry = Registry::default();
        let role = dispatcher::build(
            config,
            Deps {
                log: Arc::<MemoryLog>::clone(&self.log),
                indexes: Arc::<MemoryLaneIndexes>::clone(&self.indexes),
                control: self.control.clone(),
                transport: Arc::<Receivers>::clone(&self.receivers),
                sealer: Sealer::new([7; 32]),
                clock: Arc::<RuntimeClock>::clone(&self.clock),
                chance: Box::new(Seeded::new(9)),
                registry: &mut registry,
                quarantined: Counter::default(),
            },
        )
        .await
        .unwrap();
        let shutdown = CancellationToken::new();
        let mut task = JoinSet::new();
        let stop = shutdown.clone();
        task.spawn(async move { role.run(stop).await.unwrap() });
        Running { task, shutdown }
    }

    /// Makes or changes an endpoint. Returns its version.
    pub(crate) async fn put(&self, endpoint: Value) -> u64 {
        let endpoint: Endpoint = serde_json::from_value(endpoint).unwrap();
        self.facts
            .write(&Fact::Endpoint(Box::new(endpoint)))
            .await
            .unwrap()
    }

    /// Appends an event for endpoint `number`; the payload is its own id.
    pub(crate) async fn send(&self, number: u32) {
        self.send_as(number, Priority::Normal, None).await;
    }

    pub(crate) async fn send_as(&self, number: u32, priority: Priority, from: Option<(u64, u32)>) {
        let n = self
            .appended
            .fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let id = EventId::new(
            Timestamp::from_millis(1),
            from.map_or(u128::from(n), |from| u128::from(from.0) << 40),
        );
        let accepted = Accepted {
            addressed: Addressed {
                payload: id.to_bytes(),
                id,
                tenant: "default".parse().unwrap(),
                endpoint: endpoint_id(number),
                envelope: envelope(),
                ordering_key: None,
                priority,
            },
            routed: from.map(|(offset, partition)| RoutedFrom {
                partition,
                offset,
                accepted_at: self.clock.now(),
            }),
            control: self.control.read(control::ControlState::end),
            deliver_after: None,
            copied_from: None,
        };
        let partitions = self.partitions().await;
        let to = TopicPartition::of(Topic::Events, number % partitions);
        let mut events = self.events.lock().await;
        loop {
            let writer = match events.take() {
                Some(writer) => writer,
                None => self.log.writer(ordered()).await.unwrap(),
            };
            // Whether it lands, the log says. A writer that the power left is done with.
            if let Ok(appending) = writer.append(&to, accepted.encode().into()).await {
                drop(appending);
                *events = Some(writer);
                return;
            }
        }
    }

    pub(crate) async fn partitions(&self) -> u32 {
        let topics = self.log.topics().await.unwrap();
        let events = topics.iter().find(|info| info.spec.name == "events");
        events.unwrap().spec.partitions
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

fn ordered() -> WriterSpec {
    WriterSpec {
        kind: WriterKind::Ordered,
        name: "ingest".to_owned(),
        max_in_flight: 1 << 20,
    }
}

fn envelope() -> Envelope {
    Envelope {
        event_type: "order.created".parse().unwrap(),
        source: "postrider".parse().unwrap(),
        time: None,
        content_type: None,
        trace_parent: None,
        trace_state: None,
        tags: None,
        given_id: None,
        extensions: Vec::new(),
    }
}

fn spec(topic: Topic, partitions: u32) -> TopicSpec {
    let is_one = matches!(topic, Topic::Control | Topic::Quarantine);
    TopicSpec {
        name: topic.to_string(),
        partitions: if is_one { 1 } else { partitions },
        retention: None,
        retention_bytes: None,
        max_record_bytes: (1 << 20) + (512 << 10),
    }
}

pub(crate) fn endpoint_id(number: u32) -> EndpointId {
    EndpointId::new(Timestamp::from_millis(1), u128::from(number))
}

/// Endpoint `number`, as JSON, to be changed at will. It never stops trying for failures in a row.
pub(crate) fn endpoint(number: u32, waits: &[u64]) -> Value {
    json!({
        "change": {"tenant": "default", "by": "local"},
        "did": "created", "id": endpoint_id(number), "partition": 0, "created_at": 1,
        "state": "active", "paused": false, "circuit_resets": 0,
        "url": format!("https://example.com/{number}"),
        "event_types": [], "ordering": "none", "on_dead_letter": "continue",
        "max_in_flight": 20, "timeout_seconds": 30, "connect_timeout_seconds": 10,
        "retry": {"schedule": {"seconds": waits}, "jitter": 0.1, "retry_on": "transient"},
        "signing": "both", "algorithm": "hmac-sha256", "secrets": [], "custom_headers": {},
        "metadata": {},
    })
}

/// Time passes.
pub(crate) async fn pass(seconds: f64) {
    tokio::time::sleep(Duration::from_secs_f64(seconds)).await;
}

impl World {
    pub(crate) fn clock_now(&self) -> i64 {
        self.clock.now().as_millis()
    }
}
