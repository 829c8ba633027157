//! A disk that fails, and a thread that does.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use eventlog_embedded::{CommitHook, Config, EmbeddedLog};
use eventlog_port::{AppendError, EventLog, NewRecord, Outcome, TopicSpec};
use parking_lot::{Condvar, Mutex};
use tempfile::TempDir;

use crate::support::{append, config, events, open, read_all, topic, value, writer};

/// Fails every write in a way that says nothing of room.
struct BrokenDisk(AtomicBool);

impl CommitHook for BrokenDisk {
    fn after_commit(&self) -> std::io::Result<()> {
        if self.0.load(Ordering::Relaxed) {
            return Err(std::io::Error::other("input/output error"));
        }
        Ok(())
    }
}

/// After a sync that failed, what the system says of the disk can't be believed: nothing is written
/// any more, what was confirmed is still read, and the next start goes on.
#[tokio::test]
async fn after_a_failed_sync_it_stops() {
    let directory = TempDir::new().unwrap();
    let disk = Arc::new(BrokenDisk(false.into()));
    let log = EmbeddedLog::open(Config {
        hook: Some(disk.clone()),
        ..config(directory.path())
    });
    let log = log.unwrap();
    let writer = writer(&log).await;
    append(&*writer, 0, 100).await.unwrap();
    disk.0.store(true, Ordering::Relaxed);
    let unknown = append(&*writer, 1, 100).await.unwrap_err();
    assert_eq!(unknown.outcome(), Outcome::Unknown, "{unknown}");
    disk.0.store(false, Ordering::Relaxed);
    for _ in 0..3 {
        let stopped = append(&*writer, 2, 100).await.unwrap_err();
        assert!(matches!(stopped, AppendError::Unavailable(_)), "{stopped}");
        assert!(stopped.to_string().contains("started again"), "{stopped}");
    }
    assert_eq!(read_all(&log).await.unwrap().len(), 1);
    drop((writer, log));
    let log = open(directory.path());
    let found = read_all(&log).await.unwrap().len();
    assert!(
        (1..=2).contains(&found),
        "the unknown one is there or not, the stopped ones are not"
    );
}

/// Holds the thread that commits, and lets it go with a panic.
#[derive(Default)]
struct Fault {
    armed: Mutex<Armed>,
    changed: Condvar,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Armed {
    #[default]
    Off,
    /// The next commit stops here.
    Hold,
    Held,
    Panic,
}

impl Fault {
    fn set(&self, armed: Armed) {
        *self.armed.lock() = armed;
        self.changed.notify_all();
    }

    fn wait_until_held(&self) {
        let mut armed = self.armed.lock();
        while *armed != Armed::Held {
            self.changed.wait(&mut armed);
        }
    }
}

impl CommitHook for Fault {
    fn before_commit(&self) -> std::io::Result<()> {
        let mut armed = self.armed.lock();
        if *armed == Armed::Hold {
            *armed = Armed::Held;
            self.changed.notify_all();
        }
        while *armed == Armed::Held {
            self.changed.wait(&mut armed);
        }
        assert!(*armed != Armed::Panic, "told to");
        Ok(())
    }
}

/// Nobody waits for ever for a thread that is gone: who was in its batch is told that the outcome is
/// unknown, who was behind it that nothing was tried, and what was confirmed is still read.
#[tokio::test(flavor = "multi_thread")]
async fn a_panic_of_the_thread_that_commits_is_told_to_who_waits() {
    let directory = TempDir::new().unwrap();
    let fault = Arc::new(Fault::default());
    let log = EmbeddedLog::open(Config {
        hook: Some(fault.clone()),
        ..config(directory.path())
    });
    let log = log.unwrap();
    let writer = writer(&log).await;
    append(&*writer, 0, 100).await.unwrap();
    fault.set(Armed::Hold);
    let record = || NewRecord {
        value: Some(value(1, 100).into()),
        ..NewRecord::default()
    };
    let in_hand = writer.append(&events(), record()).await.unwrap();
    fault.wait_until_held();
    let behind = writer.append(&events(), record()).await.unwrap();
    fault.set(Armed::Panic);

    let told = async {
        let unknown = in_hand.await.unwrap_err();
        assert_eq!(unknown.outcome(), Outcome::Unknown, "{unknown}");
        assert!(unknown.to_string().contains("panicked"), "{unknown}");
        let untried = behind.await.unwrap_err();
        assert_eq!(untried.outcome(), Outcome::NotAppended, "{untried}");
        let later = append(&*writer, 2, 100).await.unwrap_err();
        assert!(matches!(later, AppendError::Unavailable(_)), "{later}");
        let changed = TopicSpec {
            partitions: 2,
            ..topic()
        };
        assert!(
            log.ensure(&[changed]).await.is_err(),
            "topics are written by it too"
        );
        writer.close().await;
    };
    tokio::time::timeout(Duration::from_secs(60), told)
        .await
        .expect("everyone is told");
    assert_eq!(read_all(&log).await.unwrap().len(), 1);
    drop((writer, log));
    assert_eq!(read_all(&open(directory.path())).await.unwrap().len(), 1);
}
