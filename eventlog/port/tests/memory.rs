//! The in-memory log passes the suite that every adapter passes.
#![cfg(feature = "conformance")]

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use domain::chance::Seeded;
use domain::time::{ManualClock, Timestamp};
use eventlog_port::conformance::{Cut, Fixture};
use eventlog_port::memory::{Faults, MemoryLog};
use eventlog_port::{EventLog, WriterKind};

const LATENCY: Faults = Faults {
    latency: Duration::from_millis(3),
    refuse_one_in: 0,
    lose_answer_one_in: 0,
    vanish_one_in: 0,
    late_one_in: 0,
    late_by: Duration::ZERO,
};

struct InMemory {
    clock: Arc<ManualClock>,
    log: Arc<MemoryLog>,
}

impl InMemory {
    async fn new() -> Self {
        let clock = Arc::new(ManualClock::new(Timestamp::from_millis(1_000_000)));
        let log = Arc::new(MemoryLog::new(clock.clone(), Box::new(Seeded::new(1))));
        log.set_faults(LATENCY);
        Self { clock, log }
    }
}

#[async_trait]
impl Fixture for InMemory {
    async fn log(&self) -> Arc<dyn EventLog> {
        self.log.clone()
    }

    async fn restarted(&self) -> Arc<dyn EventLog> {
        self.log.cut_power();
        self.log.clone()
    }

    async fn cut(&self, how: Cut) {
        self.log.set_faults(match how {
            Cut::Stall => Faults {
                latency: Duration::from_secs(50),
                ..LATENCY
            },
            Cut::Break => Faults {
                refuse_one_in: 20,
                lose_answer_one_in: 20,
                vanish_one_in: 20,
                late_one_in: 20,
                late_by: Duration::from_secs(1),
                ..LATENCY
            },
        });
    }

    async fn heal(&self) {
        self.log.set_faults(LATENCY);
        // What is late has landed by then.
        tokio::time::sleep(Duration::from_secs(2)).await;
    }

    fn breaks(&self, _: WriterKind) -> bool {
        true
    }

    async fn pass(&self, by: Duration) {
        self.clock.advance(by);
        tokio::time::sleep(by).await;
    }

    fn topic(&self, name: &str) -> String {
        name.to_owned()
    }

    fn session(&self) -> Duration {
        Duration::from_secs(10)
    }

    fn syncs(&self) -> Option<u64> {
        None
    }

    fn retention_slack(&self) -> u64 {
        0
    }
}

eventlog_port::conformance_suite!([start_paused = true], InMemory::new());
