//! A disk without room.

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use domain::time::{Clock, ManualClock, Timestamp};
use eventlog_embedded::{Config, EmbeddedLog};
use eventlog_port::{AppendError, EventLog, TopicSpec, Writer};
use tempfile::TempDir;

use crate::support::{append, config, events, open, read_all, topic, value, writer};

/// A file system of its own, so that it can be full.
struct SmallDisk(TempDir);

impl SmallDisk {
    fn new(mebibytes: u32) -> Self {
        let folder = TempDir::new().unwrap();
        let size = format!("size={mebibytes}m");
        let mounted = std::process::Command::new("mount")
            .args(["-t", "tmpfs", "-o", &size, "tmpfs"])
            .arg(folder.path())
            .status();
        assert!(
            mounted.is_ok_and(|status| status.success()),
            "this test mounts a small tmpfs to fill it: it has to run as root, with mount(8)"
        );
        Self(folder)
    }

    fn fill_up_to(&self, leave: u64) -> PathBuf {
        let ballast = self.0.path().join("ballast");
        let mut file = fs::File::create(&ballast).unwrap();
        let block = vec![1; 64 << 10];
        loop {
            let free = rustix::fs::statvfs(self.0.path())
                .map(|s| s.f_bavail * s.f_frsize)
                .unwrap();
            if free <= leave + block.len() as u64 || file.write_all(&block).is_err() {
                return ballast;
            }
        }
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let unmounted = std::process::Command::new("umount")
            .arg("-l")
            .arg(self.0.path())
            .status();
        assert!(unmounted.is_ok_and(|status| status.success()));
    }
}

/// Appends until it is refused; what was confirmed is counted.
async fn append_until_refused(writer: &dyn Writer, from: u64) -> (u64, AppendError) {
    for number in from.. {
        if let Err(refused) = append(writer, number, 100_000).await {
            return (number, refused);
        }
    }
    unreachable!("the disk is never full")
}

/// With room kept in reserve: refused as full, nothing lost, and taken again once there is room.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_refuses_and_heals_by_itself() {
    let disk = SmallDisk::new(300);
    let config = Config {
        reserve_bytes: 64 << 20,
        ..config(&disk.0.path().join("log"))
    };
    let log = EmbeddedLog::open(config).unwrap();
    let writer = writer(&log).await;
    append(&*writer, 0, 100_000).await.unwrap();
    let ballast = disk.fill_up_to(70 << 20);
    let (confirmed, refused) = append_until_refused(&*writer, 1).await;
    assert!(matches!(refused, AppendError::Full), "{refused}");
    assert!(refused.is_retryable());
    assert_eq!(
        read_all(&log).await.unwrap().len() as u64,
        confirmed,
        "reading goes on"
    );
    fs::remove_file(ballast).unwrap();
    append(&*writer, confirmed, 100_000)
        .await
        .expect("there is room again");
    check_values(&log, confirmed + 1, 0).await;
}

/// The room that is short is our own: retention gives it back, though the disk is full.
#[tokio::test(flavor = "multi_thread")]
async fn retention_frees_a_full_disk() {
    let disk = SmallDisk::new(400);
    let clock = Arc::new(ManualClock::new(Timestamp::from_millis(1_000)));
    let stamps: Arc<dyn Clock> = clock.clone();
    let config = Config {
        reserve_bytes: 100 << 20,
        retention_check: Duration::from_millis(20),
        ..Config::new(disk.0.path().join("log"), stamps)
    };
    let log = EmbeddedLog::open(config).unwrap();
    let writer = writer(&log).await;
    let (confirmed, refused) = append_until_refused(&*writer, 0).await;
    assert!(matches!(refused, AppendError::Full), "{refused}");
    // Below the reserve by more than a table of contents takes.
    disk.fill_up_to(90 << 20);
    let topic = TopicSpec {
        retention: Some(Duration::from_secs(60)),
        ..topic()
    };
    log.ensure(&[topic])
        .await
        .expect("what topics keep can be changed on a full disk");
    clock.advance(Duration::from_secs(3_600));
    let freed = async {
        while append(&*writer, confirmed, 100_000).await.is_err() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), freed)
        .await
        .expect("it is freed by retention");
    assert!(log.bounds(&events()).await.unwrap().start > 0);
}

/// Without a reserve the engine itself hits the end of the disk, in the midst of a write: what was
/// confirmed stays, and once there is room the log goes on by itself.
#[tokio::test(flavor = "multi_thread")]
async fn an_engine_that_ran_out_of_disk_is_opened_again() {
    let disk = SmallDisk::new(120);
    let config = Config {
        reserve_bytes: 0,
        ..config(&disk.0.path().join("log"))
    };
    let log = EmbeddedLog::open(config).unwrap();
    let writer = writer(&log).await;
    append(&*writer, 0, 100_000).await.unwrap();
    let ballast = disk.fill_up_to(10 << 20);
    let (confirmed, refused) = append_until_refused(&*writer, 1).await;
    assert!(refused.is_retryable(), "{refused}");
    fs::remove_file(ballast).unwrap();
    let healed = async {
        while append(&*writer, confirmed, 100_000).await.is_err() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), healed)
        .await
        .expect("it heals by itself");
    // The refused one may have landed as well: whether it did was not known.
    check_values(&log, confirmed + 1, 1).await;
    drop(writer);
    drop(log);
    check_values(&open(&disk.0.path().join("log")), confirmed + 1, 1).await;
}

/// Every record is as it was written, in order; the last may be there up to `twice` times more.
async fn check_values(log: &EmbeddedLog, count: u64, twice: usize) {
    let records = read_all(log).await.unwrap();
    let extra = records.len() - count as usize;
    assert!(
        extra <= twice,
        "{} records, {count} expected",
        records.len()
    );
    for (index, record) in records.iter().enumerate() {
        let number = (index as u64).min(count - 1);
        assert_eq!(
            record.value.as_ref().unwrap(),
            &value(number, 100_000),
            "record {index}"
        );
    }
}
