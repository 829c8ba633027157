//! A log of one topic, filled with values that are known, and its files.

use std::fs;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use domain::time::{Clock, ManualClock, Timestamp};
use eventlog_embedded::{Config, EmbeddedLog};
use eventlog_port::{
    AppendError, EventLog, NewRecord, ReadError, ReadLimit, Record, TopicPartition, TopicSpec,
    Writer, WriterKind, WriterSpec,
};

pub(crate) fn config(directory: &Path) -> Config {
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::new(Timestamp::from_millis(1_000)));
    Config {
        reserve_bytes: 1 << 20,
        ..Config::new(directory, clock)
    }
}

pub(crate) fn open(directory: &Path) -> EmbeddedLog {
    EmbeddedLog::open(config(directory)).unwrap()
}

pub(crate) fn events() -> TopicPartition {
    TopicPartition::new("events", 0)
}

pub(crate) fn topic() -> TopicSpec {
    TopicSpec {
        name: "events".to_owned(),
        partitions: 1,
        retention: None,
        retention_bytes: None,
        max_record_bytes: 1 << 20,
    }
}

pub(crate) async fn writer(log: &EmbeddedLog) -> Box<dyn Writer> {
    log.ensure(&[topic()]).await.unwrap();
    let spec = WriterSpec {
        kind: WriterKind::Ordered,
        name: "test".to_owned(),
        max_in_flight: 1_000,
    };
    log.writer(spec).await.unwrap()
}

/// Bytes that differ from record to record and compress badly.
pub(crate) fn value(number: u64, size: usize) -> Vec<u8> {
    let mut state = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let noise = (0..size).map(|_| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 56) as u8
    });
    noise.collect()
}

pub(crate) async fn append(
    writer: &dyn Writer,
    number: u64,
    size: usize,
) -> Result<(), AppendError> {
    let record = NewRecord {
        value: Some(value(number, size).into()),
        ..NewRecord::default()
    };
    writer.append(&events(), record).await?.await.map(drop)
}

pub(crate) async fn fill(log: &EmbeddedLog, numbers: std::ops::Range<u64>, size: usize) {
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

pub(crate) async fn read_all(log: &EmbeddedLog) -> Result<Vec<Record>, ReadError> {
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

pub(crate) fn files(directory: &Path, extension: &str) -> Vec<PathBuf> {
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

pub(crate) fn journals(directory: &Path) -> Vec<PathBuf> {
    let journals = files(directory, "jnl");
    assert!(
        !journals.is_empty(),
        "the engine keeps journals under this name"
    );
    journals
}

/// The journal's bytes without the zeros that it was made with.
pub(crate) fn written(journal: &Path) -> usize {
    let bytes = fs::read(journal).unwrap();
    bytes
        .iter()
        .rposition(|byte| *byte != 0)
        .map_or(0, |last| last + 1)
}

pub(crate) fn flip(file: &Path, at: u64) {
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
