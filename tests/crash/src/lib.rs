//! What the killed process and the one that looks afterwards have to agree on.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use domain::time::{Clock, Timestamp};
use eventlog_embedded::{Config, EmbeddedLog, OpenError};
use eventlog_port::{Header, NewRecord, TopicPartition, TopicSpec};

/// Partitions that are written to in turn.
pub const PARTITIONS: u32 = 3;

/// The topic's name.
pub const TOPIC: &str = "crash";

/// The topic.
#[must_use]
pub fn topic() -> TopicSpec {
    TopicSpec {
        name: TOPIC.to_owned(),
        partitions: PARTITIONS,
        retention: None,
        retention_bytes: None,
        max_record_bytes: 1 << 20,
    }
}

/// Where record `number` goes.
#[must_use]
pub fn partition_of(number: u64) -> TopicPartition {
    TopicPartition::new(TOPIC, (number % u64::from(PARTITIONS)) as u32)
}

/// Record `number`: every byte follows from it, and so does its size, from 1 byte to 20 KB.
#[must_use]
pub fn record(number: u64) -> NewRecord {
    let mut state = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut noise = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        state >> 33
    };
    let large = noise() % 16 == 0;
    let size = 1 + noise() % if large { 20_000 } else { 500 };
    let value: Vec<u8> = (0..size).map(|_| noise() as u8).collect();
    NewRecord {
        key: Some(Bytes::from(number.to_be_bytes().to_vec())),
        headers: vec![Header::new("number", number.to_string())],
        value: Some(value.into()),
    }
}

/// The number of a record that was read back.
#[must_use]
pub fn number_of(key: Option<&Bytes>) -> Option<u64> {
    key?.as_ref().try_into().ok().map(u64::from_be_bytes)
}

/// A clock for records whose time does not matter.
#[derive(Debug)]
struct NoClock;

impl Clock for NoClock {
    fn now(&self) -> Timestamp {
        Timestamp::default()
    }
}

/// Opens the log in `directory`.
///
/// # Errors
/// As [`EmbeddedLog::open`].
pub fn open(directory: &Path) -> Result<EmbeddedLog, OpenError> {
    EmbeddedLog::open(Config {
        reserve_bytes: 1 << 20,
        ..Config::new(directory, Arc::new(NoClock))
    })
}
