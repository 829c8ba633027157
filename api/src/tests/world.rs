//! The api on a log and views in memory, asked as a client asks.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use domain::chance::Seeded;
use domain::sealing::Sealer;
use domain::target::Rules;
use domain::time::{Clock, ManualClock, Timestamp};
use eventlog_port::memory::MemoryLog;
use eventlog_port::{EventLog, TopicSpec, Writer, WriterKind, WriterSpec};
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt as _;
use problem::{Caller, RequestId};
use projections_port::Views;
use projections_port::memory::MemoryViews;
use schemas::actor::Actor;
use schemas::topics::Topic;
use serde_json::Value;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use crate::{Config, Deps};

/// When everything begins: 2026-01-02T03:04:05.678Z.
pub(super) const BEGIN: i64 = 1_767_323_045_678;

/// The topics that there are, each with this many partitions.
pub(super) const TOPICS: [Topic; 6] = [
    Topic::Inbox,
    Topic::Routed,
    Topic::Events,
    Topic::Attempts,
    Topic::DeadLetters,
    Topic::Control,
];

pub(super) fn partitions(topic: Topic) -> u32 {
    if topic == Topic::Control { 1 } else { 2 }
}

pub(super) struct World {
    pub(super) log: Arc<MemoryLog>,
    pub(super) views: Arc<MemoryViews>,
    pub(super) clock: Arc<ManualClock>,
    pub(super) writer: Box<dyn Writer>,
    pub(super) sealer: Arc<Sealer>,
    app: Router,
    _tasks: JoinSet<()>,
}

/// What came back.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) text: String,
    /// The body as JSON; null where there is none.
    pub(super) body: Value,
}

impl Reply {
    pub(super) fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or("none")
    }

    pub(super) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("none", |value| value.to_str().unwrap())
    }

    /// Where the body says something is wrong.
    pub(super) fn pointers(&self) -> Vec<&str> {
        let errors = self.body["errors"].as_array().into_iter().flatten();
        errors
            .map(|error| error["pointer"].as_str().unwrap())
            .collect()
    }

    pub(super) fn id(&self) -> String {
        self.body["id"].as_str().unwrap().to_owned()
    }
}

impl World {
    pub(super) async fn new() -> Self {
        let clock = Arc::new(ManualClock::new(Timestamp::from_millis(BEGIN)));
        let shared: Arc<dyn Clock> = Arc::<ManualClock>::clone(&clock);
        let log = Arc::new(MemoryLog::new(shared, Box::new(Seeded::new(1))));
        let specs = TOPICS.map(|topic| TopicSpec {
            name: topic.to_string(),
            partitions: partitions(topic),
            retention: None,
            retention_bytes: None,
            max_record_bytes: 2 << 20,
        });
        log.ensure(&specs).await.unwrap();
        let port: Arc<dyn EventLog> = Arc::<MemoryLog>::clone(&log);
        let (control, follower) = control::follow::follow(Arc::clone(&port));
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { follower.run(CancellationToken::new()).await.unwrap() });
        let spec = WriterSpec {
            kind: WriterKind::Ordered,
            name: "world".to_owned(),
            max_in_flight: 64,
        };
        let writer = log.writer(spec).await.unwrap();
        let views = Arc::new(MemoryViews::new());
        let sealer = Arc::new(Sealer::new([7; 32]));
        let deps = Deps {
            log: port,
            control,
            views: Arc::<MemoryViews>::clone(&views) as Arc<dyn Views>,
            clock: Arc::<ManualClock>::clone(&clock),
            chance: Box::new(Seeded::new(2)),
            sealer: Arc::clone(&sealer),
        };
        let config = Config {
            rules: Rules::default(),
            ..Config::default()
        };
        let role = crate::build(config, deps).await.unwrap();
        Self {
            app: crate::with_fallbacks(role.router()),
            log,
            views,
            clock,
            writer,
            sealer,
            _tasks: tasks,
        }
    }

    pub(super) fn advance(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    /// As `default` and without headers.
    pub(super) async fn ask(&self, method: &str, path: &str, body: &str) -> Reply {
        self.ask_as("default", method, path, body.to_owned(), &[])
            .await
    }

    /// The time in so many seconds.
    pub(super) fn clock_in(&self, seconds: u64) -> Timestamp {
        self.clock
            .now()
            .saturating_add(Duration::from_secs(seconds))
    }

    pub(super) async fn get(&self, path: &str) -> Reply {
        self.ask("GET", path, "").await
    }

    /// An answer that has to be 200.
    pub(super) async fn got(&self, path: &str) -> Value {
        let reply = self.get(path).await;
        assert_eq!(reply.status, StatusCode::OK, "{path}: {}", reply.text);
        reply.body
    }

    pub(super) async fn ask_as(
        &self,
        tenant: &str,
        method: &str,
        path: &str,
        body: impl Into<Body>,
        headers: &[(&str, &str)],
    ) -> Reply {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .extension(Caller {
                tenant: tenant.parse().unwrap(),
                actor: Actor::Local,
            })
            .extension(RequestId("req-1".into()));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(body.into()).unwrap();
        let response = self.app.clone().oneshot(request).await.unwrap();
        let (head, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let text = String::from_utf8(body.to_vec()).unwrap();
        Reply {
            status: head.status,
            headers: head.headers,
            body: serde_json::from_str(&text).unwrap_or_default(),
            text,
        }
    }

    /// An endpoint of `tenant` that was made by `body`.
    pub(super) async fn endpoint_of(&self, tenant: &str, body: &str) -> Reply {
        let reply = self
            .ask_as(tenant, "POST", "/api/v1/endpoints", body.to_owned(), &[])
            .await;
        assert_eq!(reply.status, StatusCode::CREATED, "{}", reply.text);
        reply
    }

    /// An endpoint of `default` that takes everything.
    pub(super) async fn endpoint(&self) -> String {
        let made = self.endpoint_of("default", r#"{"url":"https://example.com/hook"}"#);
        made.await.id()
    }
}
