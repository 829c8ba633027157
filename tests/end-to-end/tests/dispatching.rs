//! The dispatcher on the embedded log and on real sockets, with receivers that answer everything a
//! receiver can: each delivery ends as the rules say, and every acceptance ends once.
#![allow(clippy::unwrap_used, reason = "a test that can't go on panics")]

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use control::{Control, Writer as Facts};
use dispatcher::http::{HttpConfig, HttpTransport, SystemResolver};
use dispatcher::{Config, Deps};
use domain::chance::Seeded;
use domain::sealing::{self, Sealer};
use domain::target::Rules;
use domain::time::Timestamp;
use end_to_end::attempts::MachineClock;
use eventlog_embedded::{EmbeddedLaneIndexes, EmbeddedLog, IndexConfig};
use eventlog_port::{
    EventLog, ReadLimit, Record, TopicPartition, TopicSpec, WriterKind, WriterSpec,
};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::Registry;
use schemas::accepted::Accepted;
use schemas::control::{Endpoint, EndpointState, Fact};
use schemas::event::{Addressed, Envelope, Priority};
use schemas::ids::{EndpointId, EventId};
use schemas::topics::Topic;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{Instant, interval, sleep};
use tokio_util::sync::CancellationToken;

/// What a receiver does with a request, once it has read it.
#[derive(Clone, Debug)]
enum Does {
    Say(String),
    /// Something else the first time.
    First(String, String),
    Hang,
    Drip,
    Reset,
    Close,
    Large,
}

fn status(status: u16) -> Does {
    Does::Say(answer(status, ""))
}

fn answer(status: u16, header: &str) -> String {
    let body = if status == 204 {
        ""
    } else {
        "content-length: 2\r\n"
    };
    let end = if status == 204 { "" } else { "ok" };
    format!("HTTP/1.1 {status} Said\r\n{header}{body}\r\n{end}")
}

async fn serve(listener: TcpListener, does: Does) {
    let mut open = JoinSet::new();
    let mut met = 0;
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        open.spawn(meet(stream, does.clone(), met));
        met += 1;
    }
}

async fn meet(mut stream: TcpStream, does: Does, met: usize) {
    let mut seen = met;
    while read_request(&mut stream).await.is_some() {
        let said = match &does {
            Does::Say(said) => said.clone(),
            Does::First(first, _) if seen == 0 => first.clone(),
            Does::First(_, then) => then.clone(),
            Does::Hang => return std::future::pending().await,
            Does::Drip => return drip(stream).await,
            Does::Reset => return stream.set_zero_linger().unwrap(),
            Does::Close => return,
            Does::Large => format!(
                "HTTP/1.1 200 OK\r\ncontent-length: 10000000\r\n\r\n{}",
                "x".repeat(10_000_000)
            ),
        };
        seen += 1;
        if stream.write_all(said.as_bytes()).await.is_err() {
            return;
        }
    }
}

async fn drip(mut stream: TcpStream) {
    let mut turn = interval(Duration::from_millis(20));
    let head = b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n";
    let mut is_open = stream.write_all(head).await.is_ok();
    while is_open {
        turn.tick().await;
        is_open = stream.write_all(b"x").await.is_ok();
    }
}

async fn read_request(stream: &mut TcpStream) -> Option<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).unwrap();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; length.unwrap().parse().unwrap()];
    stream.read_exact(&mut body).await.ok()?;
    Some(())
}

const KEY: [u8; 32] = [7; 32];
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

struct World {
    log: Arc<dyn EventLog>,
    control: Control,
    facts: Facts,
    tasks: JoinSet<()>,
    folder: tempfile::TempDir,
}

impl World {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config =
            eventlog_embedded::Config::new(folder.path().join("log"), Arc::new(MachineClock));
        let log: Arc<dyn EventLog> = Arc::new(EmbeddedLog::open(config).unwrap());
        let spec = |topic: Topic| TopicSpec {
            name: topic.to_string(),
            partitions: 1,
            retention: None,
            retention_bytes: None,
            max_record_bytes: (1 << 20) + (512 << 10),
        };
        let specs: Vec<TopicSpec> = Topic::all().into_iter().map(spec).collect();
        log.ensure(&specs).await.unwrap();
        let (control, follower) = control::follow::follow(Arc::clone(&log));
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { follower.run(CancellationToken::new()).await.unwrap() });
        Self {
            facts: Facts::new(Arc::clone(&log), control.clone()),
            control,
            log,
            tasks,
            folder,
        }
    }

    async fn dispatch(&mut self) {
        let indexes = IndexConfig::new(self.folder.path().join("lanes"));
        let http = HttpConfig {
            rules: Rules::development(),
            ..HttpConfig::default()
        };
        let resolver = Arc::new(SystemResolver::default());
        let deps = Deps {
            log: Arc::clone(&self.log),
            indexes: Arc::new(EmbeddedLaneIndexes::new(indexes)),
            control: self.control.clone(),
            transport: Arc::new(HttpTransport::new(http, resolver).unwrap()),
            sealer: Sealer::new(KEY),
            clock: Arc::new(MachineClock),
            chance: Box::new(Seeded::new(1)),
            registry: &mut Registry::default(),
            quarantined: Counter::default(),
        };
        let role = dispatcher::build(Config::default(), deps).await.unwrap();
        self.tasks
            .spawn(async move { role.run(CancellationToken::new()).await.unwrap() });
    }

    /// An endpoint whose receiver does as it is told, with one retry after a second.
    async fn endpoint(&mut self, number: u128, does: Does) -> EndpointId {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address: SocketAddr = listener.local_addr().unwrap();
        let timeout = match does {
            Does::Hang | Does::Drip => 1,
            Does::Say(_) | Does::First(..) | Does::Reset | Does::Close | Does::Large => 30,
        };
        self.tasks.spawn(serve(listener, does));
        let id = EndpointId::new(Timestamp::from_millis(1), number);
        let context = sealing::context(&id.to_string(), "k1");
        let sealed = Sealer::new(KEY).seal(SECRET.as_bytes(), &context, &mut Seeded::new(1));
        let sealed = serde_json::to_value(schemas::scalar::Sealed(sealed.into())).unwrap();
        let endpoint: Endpoint = serde_json::from_value(json!({
            "change": {"tenant": "default", "by": "local"},
            "did": "created", "id": id, "partition": 0, "created_at": 1,
            "state": "active", "paused": false, "circuit_resets": 0,
            "url": format!("http://{address}/"), "event_types": [], "ordering": "none",
            "on_dead_letter": "continue", "max_in_flight": 20, "timeout_seconds": timeout,
            "connect_timeout_seconds": 1,
            "retry": {"schedule": {"seconds": [1]}, "jitter": 0.0, "retry_on": "transient"},
            "signing": "both", "algorithm": "hmac-sha256",
            "secrets": [{"id": "k1", "sealed": sealed}], "custom_headers": {}, "metadata": {},
        }))
        .unwrap();
        let fact = Fact::Endpoint(Box::new(endpoint));
        self.facts.write(&fact).await.unwrap();
        id
    }

    async fn accept(&self, endpoint: EndpointId, number: u128) {
        let addressed = Addressed {
            endpoint,
            tenant: "default".parse().unwrap(),
            id: EventId::new(Timestamp::from_millis(1), number),
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
            priority: Priority::Normal,
            payload: Bytes::from_static(b"{}"),
        };
        let accepted = Accepted {
            addressed,
            routed: None,
            control: self.control.read(control::ControlState::end),
            deliver_after: None,
            copied_from: None,
        };
        let spec = WriterSpec {
            kind: WriterKind::Ordered,
            name: "producer".to_owned(),
            max_in_flight: 16,
        };
        let writer = self.log.writer(spec).await.unwrap();
        let to = TopicPartition::of(Topic::Events, 0);
        let appending = writer.append(&to, accepted.encode().into()).await.unwrap();
        appending.await.unwrap();
    }

    async fn records(&self, topic: Topic) -> Vec<Record> {
        let partition = TopicPartition::of(topic, 0);
        let mut reader = self.log.reader(&partition, 0).await.unwrap();
        let limit = ReadLimit {
            records: usize::MAX,
            bytes: usize::MAX,
            wait: Duration::ZERO,
        };
        reader.next(limit).await.unwrap()
    }

    /// What each endpoint's delivery ended as, once there are `count` ends.
    async fn ends(&self, count: usize) -> BTreeMap<EndpointId, Value> {
        let begun = Instant::now();
        loop {
            let mut ends = BTreeMap::new();
            let mut found = 0;
            for topic in [Topic::Attempts, Topic::DeadLetters] {
                for record in self.records(topic).await {
                    let Some((endpoint, end)) = end(&record) else {
                        continue;
                    };
                    found += 1;
                    ends.insert(endpoint, end);
                }
            }
            if found >= count {
                assert_eq!((found, ends.len()), (count, count), "each ends once");
                return ends;
            }
            let late = begun.elapsed() > Duration::from_secs(60);
            assert!(!late, "{found} of {count} have ended: {ends:?}");
            sleep(Duration::from_millis(50)).await;
        }
    }
}

/// The endpoint and the JSON of a record that ends a delivery.
fn end(record: &Record) -> Option<(EndpointId, Value)> {
    let json = record.header("postrider").or(record.value.as_ref())?;
    let json: Value = serde_json::from_slice(json).ok()?;
    let endpoint = match json["kind"].as_str()? {
        "succeeded" => json["subject"]["endpoint"].as_str()?.to_owned(),
        "dead_letter" => String::from_utf8(record.key.as_ref()?.to_vec()).ok()?,
        _ => return None,
    };
    Some((endpoint.parse().ok()?, json))
}

/// What a delivery comes to: delivered or the reason, after how many attempts, and the class of the
/// last one's error.
type Expected = (&'static str, u64, Option<&'static str>);

fn cases() -> Vec<(Does, Expected)> {
    let after = |value: &str| Does::Say(answer(429, &format!("retry-after: {value}\r\n")));
    let delivered = ("succeeded", 1, None);
    let permanent = ("permanent_failure", 1, Some("status"));
    let exhausted = |class| ("attempts_exhausted", 2, Some(class));
    vec![
        (status(200), delivered),
        (status(201), delivered),
        (status(204), delivered),
        (Does::Large, delivered),
        (
            Does::First(answer(500, ""), answer(200, "")),
            ("succeeded", 2, None),
        ),
        (status(301), exhausted("status")),
        (status(400), permanent),
        (status(404), permanent),
        (status(408), exhausted("status")),
        (status(410), ("gone", 1, Some("status"))),
        (after("1"), exhausted("status")),
        (after("Wed, 21 Oct 2015 07:28:00 GMT"), exhausted("status")),
        (after("soon, I hope"), exhausted("status")),
        (status(500), exhausted("status")),
        (status(503), exhausted("status")),
        (Does::Hang, exhausted("timeout")),
        (Does::Drip, exhausted("timeout")),
        (Does::Reset, exhausted("reset")),
        (Does::Close, exhausted("reset")),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_receiver_gets_what_the_rules_say() {
    let mut world = World::new().await;
    let mut expected = BTreeMap::new();
    let mut gone = None;
    for (number, (does, end)) in cases().into_iter().enumerate() {
        let id = world.endpoint(number as u128 + 1, does.clone()).await;
        gone = gone.or((end.0 == "gone").then_some(id));
        expected.insert(id, (does, end));
        world.accept(id, number as u128 + 1).await;
    }
    world.dispatch().await;
    let ends = world.ends(expected.len()).await;
    for (id, (does, (how, attempts, class))) in &expected {
        let end = &ends[id];
        let did = end["reason"].as_str().or(end["kind"].as_str());
        let number = end["attempt"]["number"].as_u64();
        let error = end["attempt"]["error"]["class"].as_str();
        let said = format!("{does:.60?}");
        assert_eq!(
            (did, number, error),
            (Some(*how), Some(*attempts), *class),
            "{said} {end:.400}"
        );
        let body = &end["attempt"]["body"]["utf8"];
        assert!(body.as_str().unwrap_or_default().len() <= 16_384, "{said}");
    }
    let gone = gone.unwrap();
    let state = world.control.read(|state| {
        let current = state.endpoint(&gone)?;
        Some(current.endpoint.state)
    });
    assert_eq!(state, Some(EndpointState::Disabled), "410 disables");
}
