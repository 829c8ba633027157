//! What projections cost for each delivery: read, decode, fold, write, and what the store does behind it.
//!
//! `cargo bench -p projections --bench folding -- [deliveries] [endpoints]`

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a benchmark that can't go on panics, and measures real time"
)]

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use domain::time::{Clock, Timestamp};
use eventlog_embedded::EmbeddedLog;
use eventlog_port::{
    Appending, EventLog, NewRecord, ReadLimit, TopicPartition, TopicSpec, Writer, WriterKind,
    WriterSpec,
};
use projections::{rebuild, verify};
use projections_embedded::{Config, Rebuilding, Scratch, Store};
use projections_port::ViewWriter;
use schemas::accepted::Accepted;
use schemas::attempt::{Attempt, AttemptResult};
use schemas::attempts::{AttemptsRecord, Succeeded};
use schemas::delivery::{Delivery, Link, Subject};
use schemas::event::{Addressed, Envelope, Priority};
use schemas::ids::{EndpointId, EventId};
use schemas::origin::{Acceptance, Position, Run};
use schemas::scalar::{At, Blob};
use schemas::topics::Topic;

const PARTITIONS: u32 = 8;

#[derive(Debug)]
struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        Timestamp::from_millis(since.unwrap().as_millis() as i64)
    }
}

fn main() {
    let mut numbers = std::env::args().filter_map(|argument| argument.parse::<u64>().ok());
    let deliveries = numbers.next().unwrap_or(200_000);
    let endpoints = numbers.next().unwrap_or(10);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_time()
        .build()
        .unwrap();
    runtime.block_on(run(deliveries, endpoints));
}

async fn run(deliveries: u64, endpoints: u64) {
    let folder = tempfile::tempdir().unwrap();
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let log = eventlog_embedded::Config::new(folder.path().join("log"), clock);
    let log: Arc<dyn EventLog> = Arc::new(EmbeddedLog::open(log).unwrap());
    fill(&*log, deliveries, endpoints).await;
    println!("{deliveries} deliveries to {endpoints} endpoints; per delivery:");
    measured("reading alone", deliveries, read_all(&log)).await;
    let config = Config::new(folder.path().join("views"));
    let rebuilding = Rebuilding::begin(&config).unwrap();
    measured("read, decode, fold, rows on disk", deliveries, async {
        rebuild(&log, &rebuilding.views()).await.unwrap();
    })
    .await;
    rebuilding.finish().unwrap();
    let store = Store::open(&config).unwrap();
    let views = store.views();
    let bytes = size_of_folder(folder.path().join("views").as_path());
    println!("  {:>8.0} bytes on disk", bytes as f64 / deliveries as f64);
    let (counts, _) = views.totals().await.unwrap();
    assert_eq!((counts.delivered, counts.unaccounted()), (deliveries, 0));
    println!("  {:>8.0} MB resident", resident_mb());
    let scratch = Scratch::make(folder.path().join("scratch"), 8 << 20).unwrap();
    let views: Arc<dyn ViewWriter> = views;
    measured("verification", deliveries, async {
        let report = verify(&log, &views, &scratch.views(), |_| {}).await;
        assert_eq!(report.unwrap().differences, 0);
    })
    .await;
}

async fn measured(what: &str, deliveries: u64, work: impl Future<Output = ()>) {
    let (begun, cpu) = (Instant::now(), cpu_micros());
    work.await;
    let took = begun.elapsed().as_secs_f64() * 1e6 / deliveries as f64;
    let cpu = (cpu_micros() - cpu) / deliveries as f64;
    println!("  {cpu:>8.2} µs of CPU, {took:>6.2} µs: {what}");
}

async fn read_all(log: &Arc<dyn EventLog>) {
    for topic in [Topic::Events, Topic::Attempts] {
        for partition in 0..PARTITIONS {
            let at = TopicPartition::of(topic, partition);
            let mut reader = log.reader(&at, 0).await.unwrap();
            let limit = ReadLimit {
                records: 1_000,
                bytes: 512 << 10,
                wait: Duration::ZERO,
            };
            while !reader.next(limit).await.unwrap().is_empty() {}
        }
    }
}

async fn fill(log: &dyn EventLog, deliveries: u64, endpoints: u64) {
    let spec = |topic: Topic| TopicSpec {
        name: topic.to_string(),
        partitions: PARTITIONS,
        retention: None,
        retention_bytes: None,
        max_record_bytes: 1 << 20,
    };
    let topics = [Topic::Events, Topic::Attempts, Topic::DeadLetters].map(spec);
    log.ensure(&topics).await.unwrap();
    let spec = WriterSpec {
        kind: WriterKind::Ordered,
        name: "fill".to_owned(),
        max_in_flight: 4_096,
    };
    let writer = log.writer(spec).await.unwrap();
    let payload = Bytes::from(vec![b'x'; 1_024]);
    for chunk in 0..deliveries.div_ceil(1_000) {
        let numbers = chunk * 1_000..deliveries.min((chunk + 1) * 1_000);
        let mut accepted = Vec::new();
        for n in numbers {
            let to = EndpointId::new(Timestamp::from_millis(1), u128::from(n % endpoints));
            let event = EventId::new(SystemClock.now(), u128::from(n) * 0x9e37_79b9_7f4a_7c15);
            let partition = (n % endpoints) as u32 % PARTITIONS;
            let record = accepted_record(&event, to, &payload);
            let appending = append(&*writer, Topic::Events, partition, record.encode()).await;
            accepted.push((to, event, partition, appending));
        }
        let mut outcomes = Vec::new();
        for (to, event, partition, appending) in accepted {
            let appended = appending.await.unwrap();
            let acceptance = Acceptance::events(partition, appended.offset);
            let delivery = Delivery::new(acceptance, appended.appended_at, to, Run::First);
            let record = outcome(event, to, delivery);
            outcomes.push(append(&*writer, Topic::Attempts, partition, record.encode()).await);
        }
        for outcome in outcomes {
            outcome.await.unwrap();
        }
    }
}

async fn append(
    writer: &dyn Writer,
    topic: Topic,
    partition: u32,
    parts: schemas::Parts,
) -> Appending {
    let to = TopicPartition::of(topic, partition);
    writer.append(&to, NewRecord::from(parts)).await.unwrap()
}

fn accepted_record(event: &EventId, to: EndpointId, payload: &Bytes) -> Accepted {
    Accepted {
        addressed: Addressed {
            endpoint: to,
            tenant: "default".parse().unwrap(),
            id: event.clone(),
            envelope: Envelope {
                event_type: "invoice.paid".parse().unwrap(),
                source: "postrider".parse().unwrap(),
                time: Some("2026-01-02T03:04:05.678Z".parse().unwrap()),
                content_type: Some("application/json".parse().unwrap()),
                trace_parent: None,
                trace_state: None,
                tags: None,
                given_id: None,
                extensions: Vec::new(),
            },
            ordering_key: None,
            priority: Priority::Normal,
            payload: payload.clone(),
        },
        routed: None,
        control: 17,
        deliver_after: None,
        copied_from: None,
    }
}

fn outcome(event: EventId, to: EndpointId, delivery: Delivery) -> AttemptsRecord {
    let origin: Position = delivery.acceptance.position();
    AttemptsRecord::Succeeded(Succeeded {
        link: Link {
            origin,
            request: None,
            step: 1,
            epoch: 3,
        },
        subject: Subject {
            tenant: "default".parse().unwrap(),
            endpoint: to,
            event,
            event_type: "invoice.paid".parse().unwrap(),
        },
        attempt: Attempt {
            number: 1,
            started_at: delivery.accepted_at,
            duration_us: 1_234,
            result: AttemptResult::Succeeded,
            status: Some(200),
            error: None,
            headers: vec![
                ("content-type".to_owned(), "text/plain".to_owned()),
                ("content-length".to_owned(), "2".to_owned()),
                (
                    "date".to_owned(),
                    "Wed, 25 Nov 2026 08:00:00 GMT".to_owned(),
                ),
            ],
            body: Some(Blob(Bytes::from_static(b"ok"))),
            keys: vec!["key_0190a0b0-0000-7000-8000-000000000001".to_owned()],
            address: Some("127.0.0.1:9999".to_owned()),
        },
        delivery: Delivery {
            accepted_at: At(delivery.accepted_at.0),
            ..delivery
        },
    })
}

fn cpu_micros() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields = stat.rsplit_once(')').unwrap().1.split_whitespace();
    let ticks: f64 = fields
        .skip(11)
        .take(2)
        .map(|n| n.parse::<f64>().unwrap())
        .sum();
    ticks * 10_000.0
}

fn resident_mb() -> f64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: f64 = statm.split_whitespace().nth(1).unwrap().parse().unwrap();
    pages * 4_096.0 / 1e6
}

fn size_of_folder(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).unwrap().flatten();
    let size = |entry: std::fs::DirEntry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => size_of_folder(&entry.path()),
        Ok(metadata) => metadata.len(),
        Err(_) => 0,
    };
    entries.map(size).sum()
}
