//! The embedded log passes the suite that every adapter passes.
#![allow(clippy::unwrap_used, reason = "a test that can't go on panics")]

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use domain::time::{Clock, ManualClock, Timestamp};
use eventlog_embedded::{CommitHook, Config, EmbeddedLog};
use eventlog_port::conformance::{Cut, Fixture};
use eventlog_port::{EventLog, NewRecord, TopicPartition, TopicSpec, WriterKind, WriterSpec};
use parking_lot::{Condvar, Mutex};
use tempfile::TempDir;

/// Stands between the log and its disk.
#[derive(Default)]
struct Disk {
    cut: Mutex<Option<Cut>>,
    healed: Condvar,
    commits: AtomicU64,
}

impl Disk {
    fn set(&self, cut: Option<Cut>) {
        *self.cut.lock() = cut;
        self.healed.notify_all();
    }

    fn is_broken(&self) -> bool {
        *self.cut.lock() == Some(Cut::Break)
    }
}

/// While it is broken every commit fails as on a full disk, in turn before and after it happened.
impl CommitHook for Disk {
    fn before_commit(&self) -> io::Result<()> {
        let mut cut = self.cut.lock();
        while *cut == Some(Cut::Stall) {
            self.healed.wait(&mut cut);
        }
        drop(cut);
        let turn = self.commits.fetch_add(1, Ordering::Relaxed);
        if self.is_broken() && turn.is_multiple_of(2) {
            Err(io::ErrorKind::StorageFull.into())
        } else {
            Ok(())
        }
    }

    fn after_commit(&self) -> io::Result<()> {
        if self.is_broken() {
            Err(io::ErrorKind::StorageFull.into())
        } else {
            Ok(())
        }
    }
}

struct OnDisk {
    directory: TempDir,
    clock: Arc<ManualClock>,
    disk: Arc<Disk>,
    log: Mutex<Option<Arc<EmbeddedLog>>>,
}

impl OnDisk {
    async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::new(Timestamp::from_millis(1_000_000)));
        let fixture = Self {
            directory,
            clock,
            disk: Arc::default(),
            log: Mutex::default(),
        };
        *fixture.log.lock() = Some(fixture.open());
        fixture
    }

    fn open(&self) -> Arc<EmbeddedLog> {
        let clock: Arc<dyn Clock> = self.clock.clone();
        let config = Config {
            retention_check: Duration::from_millis(20),
            reserve_bytes: 1 << 20,
            hook: Some(self.disk.clone()),
            ..Config::new(self.directory.path(), clock)
        };
        Arc::new(EmbeddedLog::open(config).unwrap())
    }
}

#[async_trait]
impl Fixture for OnDisk {
    async fn log(&self) -> Arc<dyn EventLog> {
        self.log.lock().clone().expect("open between restarts")
    }

    async fn restarted(&self) -> Arc<dyn EventLog> {
        // Dropped before it is opened again: the folder is held by one at a time.
        *self.log.lock() = None;
        *self.log.lock() = Some(self.open());
        self.log().await
    }

    async fn cut(&self, how: Cut) {
        self.disk.set(Some(how));
    }

    async fn heal(&self) {
        self.disk.set(None);
        let log = self.log().await;
        let topic = TopicSpec {
            name: "healed".to_owned(),
            partitions: 1,
            retention: None,
            retention_bytes: None,
            max_record_bytes: 1,
        };
        while log.ensure(std::slice::from_ref(&topic)).await.is_err() {
            tokio::task::yield_now().await;
        }
        let spec = WriterSpec {
            kind: WriterKind::Ordered,
            name: "healed".to_owned(),
            max_in_flight: 1,
        };
        let writer = log.writer(spec).await.unwrap();
        let to = TopicPartition::new("healed", 0);
        while writer
            .append(&to, NewRecord::default())
            .await
            .unwrap()
            .await
            .is_err()
        {
            tokio::task::yield_now().await;
        }
    }

    fn breaks(&self, _: WriterKind) -> bool {
        true
    }

    async fn pass(&self, by: Duration) {
        self.clock.advance(by);
    }

    fn topic(&self, name: &str) -> String {
        name.to_owned()
    }

    fn session(&self) -> Duration {
        Duration::from_secs(1)
    }

    fn syncs(&self) -> Option<u64> {
        self.log.lock().as_ref().map(|log| log.syncs())
    }

    fn retention_slack(&self) -> u64 {
        10_000
    }
}

eventlog_port::conformance_suite!([flavor = "multi_thread", worker_threads = 2], OnDisk::new());
