//! What taking an event costs in this process: everything between the HTTP server and the log, on a log that
//! confirms at once. The bare peer is a handler that reads the body, checks that it is JSON, and answers 202.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::response::IntoResponse as _;
use axum::routing::post;
use control::{Control, Writer as ControlWriter};
use domain::chance::{Chance as _, Seeded};
use domain::time::{Clock, Timestamp};
use eventlog_port::completion::Completions;
use eventlog_port::memory::MemoryLog;
use eventlog_port::{
    AppendError, Appended, Appending, Bounds, EventLog, GroupError, GroupSpec, Member, NewRecord,
    Offset, Plan, ReadError, Reader, Record, TopicError, TopicInfo, TopicPartition, TopicSpec,
    Writer, WriterSpec,
};
use http::StatusCode;
use problem::Caller;
use projections_port::memory::MemoryKeys;
use prometheus_client::registry::Registry;
use schemas::actor::Actor;
use schemas::control::{Endpoint, Fact};
use schemas::ids::EndpointId;
use schemas::topics::Topic;
use serde_json::json;
use serde_json::value::RawValue;
use tokio::runtime::Builder;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use crate::measure::{SystemClock, compare, median};

const PARTITIONS: u32 = 8;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Events a run.
    #[arg(long, default_value_t = 100_000)]
    events: u64,
    /// Bytes of a payload.
    #[arg(long, default_value_t = 1_024)]
    payload: usize,
    /// Runs, of which the median counts; odd.
    #[arg(long, default_value_t = 5)]
    runs: usize,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let runtime = Builder::new_current_thread().enable_time().build()?;
    runtime.block_on(measure(arguments))
}

async fn measure(arguments: &Arguments) -> anyhow::Result<()> {
    let bench = Bench::new().await?;
    let payload = payload(arguments.payload);
    println!(
        "{:<44} {:>12} {:>12} {:<5} {:>6}",
        "taking an event", "ours", "bare", "unit", "ratio"
    );
    let bodies = [
        ("addressed", bench.addressed(&payload)),
        ("by subscription, 1 endpoint", event("one.made", &payload)),
        ("by subscription, 10 endpoints", event("ten.made", &payload)),
        ("by subscription, none", event("none.made", &payload)),
    ];
    for (what, body) in bodies {
        let bare = per_event(arguments, || Router::clone(&bench.bare), &body).await?;
        let ours = per_event(arguments, || Router::clone(&bench.ours), &body).await?;
        compare(what, ours, bare, "µs");
    }
    Ok(())
}

/// Microseconds an event, the median of the runs.
async fn per_event(
    arguments: &Arguments,
    door: impl Fn() -> Router,
    body: &Bytes,
) -> anyhow::Result<f64> {
    let mut runs = Vec::new();
    for _ in 0..arguments.runs {
        let begun = tokio::time::Instant::now();
        for _ in 0..arguments.events {
            send(door(), body.clone()).await?;
        }
        runs.push(begun.elapsed().as_secs_f64() * 1e6 / arguments.events as f64);
    }
    Ok(median(runs))
}

async fn send(door: Router, body: Bytes) -> anyhow::Result<()> {
    let request = Request::post("/api/v1/events")
        .header("content-type", "application/json")
        .extension(Caller {
            tenant: TENANT.with(Clone::clone),
            actor: Actor::Local,
        })
        .body(Body::from(body))?;
    let response = door.oneshot(request).await?;
    anyhow::ensure!(response.status() == StatusCode::ACCEPTED, "{response:?}");
    Ok(())
}

thread_local! {
    static TENANT: schemas::text::TenantId = "default".parse().expect("the name is a tenant's");
}

fn event(event_type: &str, payload: &str) -> Bytes {
    Bytes::from(format!(
        r#"{{"event_type":"{event_type}","payload":{payload}}}"#
    ))
}

/// An object like those of an order.
fn payload(bytes: usize) -> String {
    let mut text = String::from(r#"{"object":"order","lines":["#);
    let mut line = 0;
    while text.len() + 80 < bytes {
        let comma = if line == 0 { "" } else { "," };
        text += &format!(
            r#"{comma}{{"id":{line},"sku":"AB-{line:04}","price":"99.90","name":"Caf\u00e9 crème"}}"#
        );
        line += 1;
    }
    text + "]}"
}

/// A server's parts, as far as taking an event goes.
struct Bench {
    ours: Router,
    bare: Router,
    addressed: EndpointId,
    _follower: JoinSet<()>,
}

impl Bench {
    async fn new() -> anyhow::Result<Self> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let log = Arc::new(Confirming::new(Arc::clone(&clock)));
        log.ensure(&topics()).await?;
        let log: Arc<dyn EventLog> = log;
        let (control, follower) = control::follow::follow(Arc::clone(&log));
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { drop(follower.run(CancellationToken::new()).await) });
        put_endpoints(&log, &control).await?;
        let mut registry = Registry::default();
        let deps = ingest::Deps {
            log,
            clock,
            chance: Box::new(Seeded::new(1)),
            control,
            keys: Arc::new(MemoryKeys::default()),
            registry: &mut registry,
        };
        let ours = ingest::build(ingest::Config::default(), deps).await?.http();
        Ok(Self {
            ours,
            bare: Router::new().route("/api/v1/events", post(bare)),
            addressed: endpoint_id(0),
            _follower: tasks,
        })
    }

    fn addressed(&self, payload: &str) -> Bytes {
        let endpoint = self.addressed;
        Bytes::from(format!(
            r#"{{"event_type":"one.made","endpoint_id":"{endpoint}","payload":{payload}}}"#
        ))
    }
}

async fn bare(body: Bytes) -> axum::response::Response {
    match serde_json::from_slice::<&RawValue>(&body) {
        Ok(_) => (StatusCode::ACCEPTED, r#"{"status":"accepted"}"#).into_response(),
        Err(_) => StatusCode::BAD_REQUEST.into_response(),
    }
}

fn topics() -> [TopicSpec; 3] {
    let topic = |topic: Topic, partitions| TopicSpec {
        name: topic.to_string(),
        partitions,
        retention: None,
        retention_bytes: None,
        max_record_bytes: 2 << 20,
    };
    [
        topic(Topic::Inbox, PARTITIONS),
        topic(Topic::Events, PARTITIONS),
        topic(Topic::Control, 1),
    ]
}

fn endpoint_id(number: u32) -> EndpointId {
    let random = Seeded::new(u64::from(number)).next_u64();
    EndpointId::new(Timestamp::from_millis(1), u128::from(random))
}

/// One endpoint that takes `one.*`, ten that take `ten.*`, and 1,000 that take neither.
async fn put_endpoints(log: &Arc<dyn EventLog>, control: &Control) -> anyhow::Result<()> {
    let writer = ControlWriter::new(Arc::clone(log), control.clone());
    for number in 0..1_011 {
        let event_type = match number {
            0 => "one.*",
            1..=10 => "ten.*",
            _ => "other.made",
        };
        writer.write(&fact(number, event_type)?).await?;
    }
    Ok(())
}

fn fact(number: u32, event_type: &str) -> anyhow::Result<Fact> {
    let endpoint: Endpoint = serde_json::from_value(json!({
        "change": {"tenant": "default", "by": "local"},
        "did": "created", "id": endpoint_id(number), "partition": number % PARTITIONS,
        "created_at": 1, "state": "active", "paused": false, "circuit_resets": 0,
        "url": "https://example.com/hook", "event_types": [event_type], "ordering": "none",
        "on_dead_letter": "continue", "max_in_flight": 20, "timeout_seconds": 30,
        "connect_timeout_seconds": 10,
        "retry": {"schedule": {"seconds": [5]}, "jitter": 0.1, "retry_on": "transient"},
        "signing": "both", "algorithm": "hmac-sha256", "secrets": [], "custom_headers": {},
        "metadata": {},
    }))?;
    Ok(Fact::Endpoint(Box::new(endpoint)))
}

/// A log that keeps `control` only, and confirms everything else at once.
struct Confirming {
    kept: MemoryLog,
    next: Arc<AtomicU64>,
    completions: Arc<Completions<Result<Appended, AppendError>>>,
}

impl Confirming {
    fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            kept: MemoryLog::new(clock, Box::new(Seeded::new(1))),
            next: Arc::default(),
            completions: Arc::default(),
        }
    }
}

struct ConfirmingWriter {
    next: Arc<AtomicU64>,
    completions: Arc<Completions<Result<Appended, AppendError>>>,
}

#[async_trait]
impl Writer for ConfirmingWriter {
    async fn append(&self, _: &TopicPartition, _: NewRecord) -> Result<Appending, AppendError> {
        let (waiter, place) = self.completions.open();
        let offset = self.next.fetch_add(1, Ordering::Relaxed);
        let appended_at = Timestamp::from_millis(1);
        self.completions.answer(
            place,
            Ok(Appended {
                offset,
                appended_at,
            }),
        );
        Ok(Appending::new(waiter))
    }

    async fn close(&self) {}
}

#[async_trait]
impl EventLog for Confirming {
    async fn topics(&self) -> Result<Vec<TopicInfo>, TopicError> {
        self.kept.topics().await
    }

    async fn plan(&self, specs: &[TopicSpec]) -> Result<Vec<Plan>, TopicError> {
        self.kept.plan(specs).await
    }

    async fn ensure(&self, specs: &[TopicSpec]) -> Result<(), TopicError> {
        self.kept.ensure(specs).await
    }

    async fn writer(&self, spec: WriterSpec) -> Result<Box<dyn Writer>, TopicError> {
        if spec.name != "ingest" {
            return self.kept.writer(spec).await;
        }
        Ok(Box::new(ConfirmingWriter {
            next: Arc::clone(&self.next),
            completions: Arc::clone(&self.completions),
        }))
    }

    async fn reader(
        &self,
        partition: &TopicPartition,
        from: Offset,
    ) -> Result<Box<dyn Reader>, ReadError> {
        self.kept.reader(partition, from).await
    }

    async fn read_at(
        &self,
        partition: &TopicPartition,
        offset: Offset,
    ) -> Result<Option<Record>, ReadError> {
        self.kept.read_at(partition, offset).await
    }

    async fn bounds(&self, partition: &TopicPartition) -> Result<Bounds, ReadError> {
        self.kept.bounds(partition).await
    }

    async fn offset_at(
        &self,
        partition: &TopicPartition,
        time: Timestamp,
    ) -> Result<Offset, ReadError> {
        self.kept.offset_at(partition, time).await
    }

    async fn join(&self, spec: GroupSpec) -> Result<Box<dyn Member>, GroupError> {
        self.kept.join(spec).await
    }
}
