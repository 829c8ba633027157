//! A log, its topics, endpoints, receivers, and a dispatcher: what the tests run in.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use control::{Control, Writer};
use dispatcher::transport::{Answer, Request, Transport};
use dispatcher::{Config, Deps};
use domain::chance::Seeded;
use domain::sealing::Sealer;
use domain::time::{Clock, Timestamp};
use eventlog_port::memory::{MemoryLaneIndexes, MemoryLog};
use eventlog_port::{
    EventLog, ReadLimit, Record, TopicPartition, TopicSpec, WriterKind, WriterSpec,
};
use parking_lot::Mutex;
use prometheus_client::registry::Registry;
use schemas::accepted::Accepted;
use schemas::control::{Endpoint, Fact};
use schemas::event::{Addressed, Envelope};
use schemas::ids::{EndpointId, EventId};
use schemas::topics::Topic;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

/// A clock that goes with the runtime's.
#[derive(Debug)]
pub(crate) struct RuntimeClock(Instant);

impl Clock for RuntimeClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(1_767_323_045_678).saturating_add(self.0.elapsed())
    }
}

/// What a receiver does.
#[derive(Clone, Debug)]
pub(crate) enum Does {
    Answer(u16),
    /// With `Retry-After`.
    Wait(u16, &'static str),
    /// Accepts, and says nothing until the time is over.
    Hang,
    Refuse,
}

/// One request that came.
#[derive(Clone, Debug)]
pub(crate) struct Came {
    pub(crate) at: Instant,
    pub(crate) event: String,
    pub(crate) attempt: u32,
    pub(crate) body: Bytes,
}

/// Receivers by endpoint.
#[derive(Default)]
pub(crate) struct Receivers {
    does: Mutex<BTreeMap<EndpointId, Vec<Does>>>,
    came: Mutex<BTreeMap<EndpointId, Vec<Came>>>,
}

impl Receivers {
    /// The endpoint answers so, request by request; the last for all further ones.
    pub(crate) fn set(&self, endpoint: EndpointId, does: Vec<Does>) {
        self.does.lock().insert(endpoint, does);
    }

    pub(crate) fn came(&self, endpoint: EndpointId) -> Vec<Came> {
        self.came.lock().get(&endpoint).cloned().unwrap_or_default()
    }

    fn next(&self, endpoint: EndpointId) -> Does {
        let mut does = self.does.lock();
        match does.get_mut(&endpoint) {
            Some(list) if list.len() > 1 => list.remove(0),
            Some(list) => list[0].clone(),
            None => Does::Answer(200),
        }
    }
}

#[async_trait]
impl Transport for Receivers {
    async fn send(&self, request: Request) -> Answer {
        let text = |name: &str| request.headers[name].to_str().unwrap().to_owned();
        let came = Came {
            at: Instant::now(),
            event: text("webhook-id"),
            attempt: text("webhook-attempt").parse().unwrap(),
            body: request.body.clone(),
        };
        self.came
            .lock()
            .entry(request.endpoint)
            .or_default()
            .push(came);
        let begun = Instant::now();
        let mut answer = Answer::default();
        let failed = |class, message: &str| {
            Some(schemas::attempt::AttemptError {
                class,
                message: message.to_owned(),
            })
        };
        match self.next(request.endpoint) {
            Does::Answer(status) => {
                sleep(Duration::from_millis(3)).await;
                answer.status = Some(status);
            }
            Does::Wait(status, after) => {
                answer.status = Some(status);
                answer.retry_after = Some(after.to_owned());
            }
            Does::Hang => {
                sleep(request.timeout).await;
                answer.error = failed(schemas::attempt::ErrorClass::Timeout, "no answer");
            }
            Does::Refuse => answer.error = failed(schemas::attempt::ErrorClass::Connect, "refused"),
        }
        answer.duration = begun.elapsed();
        answer
    }
}

pub(crate) struct World {
    pub(crate) log: Arc<MemoryLog>,
    pub(crate) indexes: Arc<MemoryLaneIndexes>,
    pub(crate) receivers: Arc<Receivers>,
    pub(crate) control: Control,
    pub(crate) config: Config,
    clock: Arc<RuntimeClock>,
    facts: Writer,
    producer: Box<dyn eventlog_port::Writer>,
    events: Mutex<u128>,
    _tasks: JoinSet<()>,
}

/// A dispatcher that runs. Dropping it is a crash.
pub(crate) struct Dispatcher {
    task: JoinSet<()>,
    shutdown: CancellationToken,
}

impl Dispatcher {
    pub(crate) async fn stop(mut self) {
        self.shutdown.cancel();
        self.task.join_next().await.unwrap().unwrap();
    }
}

impl World {
    pub(crate) async fn new(partitions: u32) -> Self {
        let clock = Arc::new(RuntimeClock(Instant::now()));
        let shared: Arc<dyn Clock> = Arc::<RuntimeClock>::clone(&clock);
        let log = Arc::new(MemoryLog::new(shared, Box::new(Seeded::new(7))));
        let spec = |topic: Topic| TopicSpec {
            name: topic.to_string(),
            partitions: if topic.is_co_partitioned() {
                partitions
            } else {
                1
            },
            retention: None,
            retention_bytes: None,
            max_record_bytes: (1 << 20) + (512 << 10),
        };
        let specs: Vec<TopicSpec> = Topic::all().into_iter().map(spec).collect();
        log.ensure(&specs).await.unwrap();
        let port: Arc<dyn EventLog> = Arc::<MemoryLog>::clone(&log);
        let (control, follower) = control::follow::follow(Arc::clone(&port));
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { follower.run(CancellationToken::new()).await.unwrap() });
        let producer = WriterSpec {
            kind: WriterKind::Ordered,
            name: "producer".to_owned(),
            max_in_flight: 1_024,
        };
        let producer = log.writer(producer).await.unwrap();
        Self {
            facts: Writer::new(port, control.clone()),
            log,
            indexes: Arc::new(MemoryLaneIndexes::new(100_000)),
            receivers: Arc::default(),
            control,
            config: Config::default(),
            clock,
            producer,
            events: Mutex::new(0),
            _tasks: tasks,
        }
    }

    pub(crate) async fn dispatcher(&self, instance: &str) -> Dispatcher {
        let config = Config {
            instance: instance.to_owned(),
            ..self.config.clone()
        };
        let deps = Deps {
            log: Arc::<MemoryLog>::clone(&self.log),
            indexes: Arc::<MemoryLaneIndexes>::clone(&self.indexes),
            control: self.control.clone(),
            transport: Arc::<Receivers>::clone(&self.receivers),
            sealer: Sealer::new([7; 32]),
            clock: Arc::<RuntimeClock>::clone(&self.clock),
            chance: Box::new(Seeded::new(1)),
            registry: &mut Registry::default(),
        };
        let role = dispatcher::build(config, deps).await.unwrap();
        let shutdown = CancellationToken::new();
        let (mut task, stop) = (JoinSet::new(), shutdown.clone());
        task.spawn(async move { role.run(stop).await.unwrap() });
        Dispatcher { task, shutdown }
    }

    /// Makes or changes endpoint `number`; `change` is merged over what it usually is.
    pub(crate) async fn endpoint(&self, number: u128, change: Value) -> EndpointId {
        let id = EndpointId::new(Timestamp::from_millis(1), number);
        let current = self.control.read(|state| state.endpoint(&id).cloned());
        let mut json = json!({
            "change": {"tenant": "default", "by": "local"},
            "did": "created", "id": id, "partition": 0, "created_at": 1,
            "state": "active", "paused": false, "circuit_resets": 0,
            "url": "https://example.com/hook", "event_types": [], "ordering": "none",
            "on_dead_letter": "continue", "max_in_flight": 20, "timeout_seconds": 30,
            "connect_timeout_seconds": 10,
            "retry": {"schedule": {"seconds": [5, 300]}, "jitter": 0.1, "retry_on": "transient"},
            "signing": "both", "algorithm": "hmac-sha256", "secrets": [], "custom_headers": {},
            "metadata": {},
        });
        if let Some(current) = current {
            json["change"]["replaces"] = json!(current.version);
        }
        let (Value::Object(json_members), Value::Object(changed)) = (&mut json, change) else {
            panic!("objects");
        };
        json_members.extend(changed);
        let endpoint: Endpoint = serde_json::from_value(json).unwrap();
        self.facts
            .write(&Fact::Endpoint(Box::new(endpoint)))
            .await
            .unwrap();
        id
    }

    /// Accepts one more event for it.
    pub(crate) async fn accept(&self, endpoint: EndpointId) -> String {
        let number = {
            let mut events = self.events.lock();
            *events += 1;
            *events
        };
        let id = EventId::new(Timestamp::from_millis(1), number);
        let text = id.to_string();
        let addressed = Addressed {
            endpoint,
            tenant: "default".parse().unwrap(),
            id,
            envelope: Envelope {
                event_type: "test.event".parse().unwrap(),
                source: "test".parse().unwrap(),
                time: None,
                content_type: None,
                trace_parent: None,
                trace_state: None,
                tags: None,
                given_id: None,
                extensions: Vec::new(),
            },
            ordering_key: None,
            priority: schemas::event::Priority::Normal,
            payload: Bytes::from(format!(r#"{{"n":{number}}}"#)),
        };
        let accepted = Accepted {
            addressed,
            routed: None,
            control: self.control.read(control::ControlState::end),
            deliver_after: None,
            copied_from: None,
        };
        let to = TopicPartition::of(Topic::Events, 0);
        let appending = self
            .producer
            .append(&to, accepted.encode().into())
            .await
            .unwrap();
        appending.await.unwrap();
        text
    }

    /// Waits until `is_so`, for as long as a test may think of.
    pub(crate) async fn until(&self, what: &str, is_so: impl Fn(&Receivers) -> bool) {
        let reached = timeout(Duration::from_secs(400_000), async {
            while !is_so(&self.receivers) {
                sleep(Duration::from_millis(10)).await;
            }
        });
        assert!(reached.await.is_ok(), "never: {what}");
    }

    /// Waits until a partition of a topic has so many records that are no fences and no notes.
    pub(crate) async fn outcomes(&self, topic: Topic, count: usize) -> Vec<Record> {
        let found = timeout(Duration::from_secs(400_000), async {
            loop {
                let records = self.records(topic).await;
                let outcomes: Vec<Record> = records.into_iter().filter(is_outcome).collect();
                if outcomes.len() >= count {
                    return outcomes;
                }
                sleep(Duration::from_millis(10)).await;
            }
        });
        found
            .await
            .unwrap_or_else(|_| panic!("never {count} outcomes in {topic}"))
    }

    pub(crate) async fn records(&self, topic: Topic) -> Vec<Record> {
        let partition = TopicPartition::of(topic, 0);
        let mut reader = self.log.reader(&partition, 0).await.unwrap();
        let limit = ReadLimit {
            records: usize::MAX,
            bytes: usize::MAX,
            wait: Duration::ZERO,
        };
        reader.next(limit).await.unwrap()
    }
}

fn is_outcome(record: &Record) -> bool {
    let json = record.header("postrider").or(record.value.as_ref());
    let json: Value = serde_json::from_slice(json.unwrap()).unwrap();
    let kinds = ["succeeded", "cancelled", "dead_letter", "retry"];
    kinds.iter().any(|kind| json["kind"] == *kind)
}

/// The JSON of an outcome.
pub(crate) fn said(record: &Record) -> Value {
    let json = record.header("postrider").or(record.value.as_ref());
    serde_json::from_slice(json.unwrap()).unwrap()
}
