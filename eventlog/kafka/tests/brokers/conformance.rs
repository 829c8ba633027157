//! The suite that every log passes, on real brokers.

use std::sync::Arc;
use std::time::Duration;

use crate::proxy::{Mode, Proxy};
use async_trait::async_trait;
use eventlog_kafka::{Config, KafkaLog};
use eventlog_port::conformance::{Cut, Fixture};
use eventlog_port::{EventLog, WriterKind};
use tokio::sync::Mutex;

/// How long requests still reach the brokers after their answers don't come back any more.
const ANSWERS_LOST: Duration = Duration::from_millis(100);

struct Kafka {
    proxy: Proxy,
    config: Config,
    log: Mutex<Arc<KafkaLog>>,
}

async fn kafka() -> Kafka {
    let proxy = Proxy::start().await;
    let config = crate::broker::hasty(proxy.bootstrap());
    let log = KafkaLog::connect(config.clone()).await.unwrap();
    Kafka {
        proxy,
        config,
        log: Mutex::new(Arc::new(log)),
    }
}

#[async_trait]
impl Fixture for Kafka {
    async fn log(&self) -> Arc<dyn EventLog> {
        Arc::clone(&*self.log.lock().await) as _
    }

    async fn restarted(&self) -> Arc<dyn EventLog> {
        let new = Arc::new(KafkaLog::connect(self.config.clone()).await.unwrap());
        *self.log.lock().await = Arc::clone(&new);
        new
    }

    async fn cut(&self, how: Cut) {
        match how {
            Cut::Stall => self.proxy.set(Mode::Stall),
            Cut::Break => {
                self.proxy.set(Mode::SwallowAnswers);
                tokio::time::sleep(ANSWERS_LOST).await;
                self.proxy.set(Mode::Refuse);
            }
        }
    }

    async fn heal(&self) {
        self.proxy.set(Mode::Forward);
    }

    /// A prefix writer has no time limit: it waits until it is healed, and loses nothing.
    fn breaks(&self, kind: WriterKind) -> bool {
        kind == WriterKind::Ordered
    }

    async fn pass(&self, by: Duration) {
        tokio::time::sleep(by).await;
    }

    /// The prefix is the fixture's own.
    fn topic(&self, name: &str) -> String {
        name.to_owned()
    }

    fn session(&self) -> Duration {
        Duration::from_secs(2)
    }

    fn syncs(&self) -> Option<u64> {
        None
    }

    /// One segment: it must have room for the largest record, 1 MiB.
    fn retention_slack(&self) -> u64 {
        (1 << 20) + 100_000
    }
}

eventlog_port::conformance_suite!([flavor = "multi_thread"], kafka());
