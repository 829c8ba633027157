//! What a disk and another process do to a log, and what the log says of it.
#![allow(clippy::unwrap_used, reason = "a test that can't go on panics")]

use std::fs;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use domain::time::{Clock, ManualClock, Timestamp};
use eventlog_embedded::{Config, EmbeddedLog, OpenError};
use eventlog_port::{
    AppendError, EventLog, NewRecord, ReadError, ReadLimit, Record, TopicPartition, TopicSpec,
    Writer, WriterKind, WriterSpec,
};
use tempfile::TempDir;

fn config(directory: &Path) -> Config {
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::new(Timestamp::from_millis(1_000)));
    Config {
        reserve_bytes: 1 << 20,
        ..Config::new(directory, clock)
    }
}

fn open(directory: &Path) -> EmbeddedLog {
    EmbeddedLog::open(config(directory)).unwrap()
}

fn events() -> TopicPartition {
    TopicPartition::new("events", 0)
}

fn topic() -> TopicSpec {
    TopicSpec {
        name: "events".to_owned(),
        partitions: 1,
        retention: None,
        retention_bytes: None,
        max_record_bytes: 1 << 20,
    }
}

async fn writer(log: &EmbeddedLog) -> Box<dyn Writer> {
    log.ensure(&[topic()]).await.unwrap();
    let spec = WriterSpec {
        kind: WriterKind::Ordered,
        name: "test".to_owned(),
        max_in_flight: 1_000,
    };
    log.writer(spec).await.unwrap()
}

/// Bytes that differ from record to record and compress badly.
fn value(number: u64, size: usize) -> Vec<u8> {
    let mut state = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let noise = (0..size).map(|_| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 56) as u8
    });
    noise.collect()
}

async fn append(writer: &dyn Writer, number: u64, size: usize) -> Result<(), AppendError> {
    let record = NewRecord {
        value: Some(value(number, size).into()),
        ..NewRecord::default()
    };
    writer.append(&events(), record).await?.await.map(drop)
}

async fn fill(log: &EmbeddedLog, numbers: std::ops::Range<u64>, size: usize) {
    let writer = writer(log).await;
    let mut answers = Vec::new();
    for number in numbers {
        let record = NewRecord {
            value: Some(value(number, size).into()),
            ..NewRecord::default()
        };
        answers.push(writer.append(&events(), record).await.unwrap());
    }
    for answer in answers {
        answer.await.unwrap();
    }
}

async fn read_all(log: &EmbeddedLog) -> Result<Vec<Record>, ReadError> {
    let bounds = log.bounds(&events()).await?;
    let mut reader = log.reader(&events(), bounds.start).await?;
    let limit = ReadLimit {
        records: 1_000,
        bytes: 1 << 20,
        wait: Duration::ZERO,
    };
    let mut records = Vec::new();
    while reader.position() < bounds.end {
        records.extend(reader.next(limit).await?);
    }
    Ok(records)
}

fn files(directory: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path, extension));
        } else if path.extension().is_some_and(|e| e == extension) || extension.is_empty() {
            found.push(path);
        }
    }
    found
}

fn journals(directory: &Path) -> Vec<PathBuf> {
    let journals = files(directory, "jnl");
    assert!(
        !journals.is_empty(),
        "the engine keeps journals under this name"
    );
    journals
}

/// The journal's bytes without the zeros that it was made with.
fn written(journal: &Path) -> usize {
    let bytes = fs::read(journal).unwrap();
    bytes
        .iter()
        .rposition(|byte| *byte != 0)
        .map_or(0, |last| last + 1)
}

fn flip(file: &Path, at: u64) {
    let mut file = fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open(file)
        .unwrap();
    let mut byte = [0];
    file.seek(SeekFrom::Start(at)).unwrap();
    file.read_exact(&mut byte).unwrap();
    file.seek(SeekFrom::Start(at)).unwrap();
    file.write_all(&[byte[0] ^ 0x10]).unwrap();
}

#[tokio::test]
async fn a_second_process_is_refused_by_name() {
    let directory = TempDir::new().unwrap();
    let first = Config {
        holder: "postrider serve".to_owned(),
        ..config(directory.path())
    };
    let first = EmbeddedLog::open(first).unwrap();
    let refused = EmbeddedLog::open(config(directory.path()))
        .map(drop)
        .unwrap_err();
    let said = refused.to_string();
    assert!(matches!(refused, OpenError::InUse { .. }), "{said}");
    assert!(said.contains("postrider serve"), "{said}");
    assert!(said.contains(&std::process::id().to_string()), "{said}");
    drop(first);
    drop(open(directory.path()));
}

#[tokio::test]
async fn a_newer_data_version_is_refused_and_left_alone() {
    let directory = TempDir::new().unwrap();
    drop(open(directory.path()));
    let format = directory.path().join("format.json");
    let newer = fs::read_to_string(&format).unwrap().replace(":1}", ":2}");
    fs::write(&format, &newer).unwrap();
    let refused = EmbeddedLog::open(config(directory.path()))
        .map(drop)
        .unwrap_err();
    assert!(
        matches!(
            refused,
            OpenError::NewerVersion {
                found: 2,
                known: 1,
                ..
            }
        ),
        "{refused}"
    );
    assert_eq!(fs::read_to_string(&format).unwrap(), newer);
}

#[tokio::test]
async fn a_folder_of_something_else_is_refused() {
    let directory = TempDir::new().unwrap();
    fs::write(directory.path().join("thesis.txt"), "words").unwrap();
    let refused = EmbeddedLog::open(config(directory.path()))
        .map(drop)
        .unwrap_err();
    assert!(matches!(refused, OpenError::NotALog { .. }), "{refused}");
    fs::write(directory.path().join("format.json"), "{").unwrap();
    let refused = EmbeddedLog::open(config(directory.path()))
        .map(drop)
        .unwrap_err();
    assert!(matches!(refused, OpenError::NotALog { .. }), "{refused}");
}

/// What a kill leaves: a batch of which only a part was written. It was never acknowledged, so it is
/// dropped, and what was acknowledged is all there.
#[tokio::test]
async fn a_torn_tail_is_dropped() {
    let directory = TempDir::new().unwrap();
    let log = open(directory.path());
    fill(&log, 0..50, 100).await;
    let before = read_all(&log).await.unwrap();
    drop(log);
    let journal = journals(directory.path()).pop().unwrap();
    let bytes = fs::read(&journal).unwrap();
    let end = written(&journal);
    for torn in [1, 5, 30, 90, 300] {
        // The beginning of a batch as the journal's own first one has it, cut off.
        let mut file = bytes[..end].to_vec();
        file.extend_from_slice(&bytes[..torn]);
        fs::write(&journal, &file).unwrap();
        let log = open(directory.path());
        assert_eq!(
            read_all(&log).await.unwrap(),
            before,
            "torn after {torn} bytes"
        );
        drop(log);
    }
    let log = open(directory.path());
    fill(&log, 50..60, 100).await;
    let after = read_all(&log).await.unwrap();
    assert_eq!(after.len(), 60);
    assert!(
        after
            .iter()
            .zip(0..)
            .all(|(record, offset)| record.offset == offset)
    );
}

/// A journal that lost its end, or whose middle is damaged, is not a torn tail: records that were
/// acknowledged are missing, and the log says so instead of going on without them.
#[tokio::test]
async fn a_damaged_journal_is_never_taken_for_a_torn_tail() {
    let directory = TempDir::new().unwrap();
    let log = open(directory.path());
    let writer = writer(&log).await;
    for number in 0..20 {
        append(&*writer, number, 100).await.unwrap();
    }
    drop((writer, log));
    let journal = journals(directory.path()).pop().unwrap();
    let good = fs::read(&journal).unwrap();
    let end = written(&journal);

    let mut found = 0;
    for at in (0..end as u64).step_by(61) {
        flip(&journal, at);
        match EmbeddedLog::open(config(directory.path())) {
            Err(error) => {
                assert!(
                    matches!(
                        error,
                        OpenError::Lost { .. }
                            | OpenError::Engine { .. }
                            | OpenError::Damaged { .. }
                    ),
                    "byte {at}: {error}"
                );
                found += 1;
            }
            Ok(log) => {
                // A bit that carries no meaning, as in a length that nothing uses: then all is there.
                let records = read_all(&log).await.unwrap();
                let values = records.iter().map(|record| record.value.clone().unwrap());
                assert!(
                    values.eq((0..20).map(|number| value(number, 100))),
                    "byte {at}"
                );
            }
        }
        fs::write(&journal, &good).unwrap();
    }
    assert!(found > 0);

    let cut = fs::OpenOptions::new().write(true).open(&journal).unwrap();
    cut.set_len(end as u64 - 150).unwrap();
    let lost = EmbeddedLog::open(config(directory.path()))
        .map(drop)
        .unwrap_err();
    assert!(matches!(lost, OpenError::Lost { .. }), "{lost}");
    assert!(lost.to_string().contains("acknowledged"), "{lost}");
}

/// An older journal was complete before the next was begun. Cut short, it is found too, though the
/// newest one says that everything acknowledged is there.
#[tokio::test]
async fn a_damaged_older_journal_is_found() {
    let directory = TempDir::new().unwrap();
    let log = open(directory.path());
    // A record that is never written out keeps the first journal back.
    let idle = TopicSpec {
        name: "idle".to_owned(),
        ..topic()
    };
    log.ensure(&[idle]).await.unwrap();
    let alone = writer(&log).await;
    let idle = TopicPartition::new("idle", 0);
    alone
        .append(&idle, NewRecord::default())
        .await
        .unwrap()
        .await
        .unwrap();
    fill(&log, 0..90_000, 1_000).await;
    drop(alone);
    drop(log);
    let mut journals = journals(directory.path());
    journals.sort();
    assert_eq!(journals.len(), 2, "an older journal and a newer one");
    let older = &journals[0];
    let middle = written(older) as u64 / 2;
    let mut damaged = fs::OpenOptions::new().write(true).open(older).unwrap();
    damaged.seek(SeekFrom::Start(middle)).unwrap();
    damaged.write_all(&[0xff; 3_000]).unwrap();
    drop(damaged);
    let found = EmbeddedLog::open(config(directory.path()))
        .map(drop)
        .unwrap_err();
    let said = found.to_string();
    assert!(
        matches!(found, OpenError::Damaged { .. } | OpenError::Engine { .. }),
        "{said}"
    );
}

/// A byte of a table flipped: what is in the damaged block is refused with its offset, the rest is
/// served, and no wrong byte ever is.
#[tokio::test]
async fn a_flipped_byte_is_found_and_never_served() {
    let directory = TempDir::new().unwrap();
    let log = open(directory.path());
    fill(&log, 0..40_000, 1_000).await;
    drop(log);
    let tables: Vec<PathBuf> = files(directory.path(), "")
        .into_iter()
        .filter(|path| {
            path.parent()
                .is_some_and(|folder| folder.ends_with("tables"))
        })
        .filter(|path| path.metadata().unwrap().len() > 1 << 20)
        .collect();
    assert!(!tables.is_empty(), "records have reached tables");
    let table = &tables[0];
    flip(table, table.metadata().unwrap().len() / 3);

    let log = open(directory.path());
    let end = log.bounds(&events()).await.unwrap().end;
    assert_eq!(end, 40_000);
    let mut damaged = Vec::new();
    for offset in 0..end {
        match log.read_at(&events(), offset).await {
            Ok(record) => {
                assert_eq!(
                    record.unwrap().value.unwrap(),
                    value(offset, 1_000),
                    "offset {offset}"
                );
            }
            Err(ReadError::Corrupt { offset: named, .. }) => {
                assert_eq!(named, offset);
                damaged.push(offset);
            }
            Err(other) => panic!("{other}"),
        }
    }
    assert!(
        !damaged.is_empty() && damaged.len() < 100,
        "{} records are in one block",
        damaged.len()
    );

    let stopped = match read_all(&log).await {
        Err(ReadError::Corrupt { offset, .. }) => offset,
        other => panic!(
            "read through the damage: {:?}",
            other.map(|records| records.len())
        ),
    };
    assert!(
        stopped <= damaged[0] && damaged[0] - stopped < 100,
        "{stopped}, {damaged:?}"
    );
    let behind = damaged.last().unwrap() + 1;
    let mut reader = log.reader(&events(), behind).await.unwrap();
    let limit = ReadLimit {
        records: 10,
        bytes: 1 << 20,
        wait: Duration::ZERO,
    };
    let records = reader.next(limit).await.unwrap();
    assert_eq!(records[0].value.as_ref().unwrap(), &value(behind, 1_000));
}

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

/// Fails every write in a way that says nothing of room.
struct BrokenDisk(std::sync::atomic::AtomicBool);

impl eventlog_embedded::CommitHook for BrokenDisk {
    fn after_commit(&self) -> std::io::Result<()> {
        if self.0.load(std::sync::atomic::Ordering::Relaxed) {
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
    disk.0.store(true, std::sync::atomic::Ordering::Relaxed);
    let unknown = append(&*writer, 1, 100).await.unwrap_err();
    assert_eq!(
        unknown.outcome(),
        eventlog_port::Outcome::Unknown,
        "{unknown}"
    );
    disk.0.store(false, std::sync::atomic::Ordering::Relaxed);
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
