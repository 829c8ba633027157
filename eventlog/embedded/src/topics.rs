//! The table of contents: which topics there are, and what is kept beside their records.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use domain::time::Timestamp;
use eventlog_port::{TopicPartition, TopicSpec};
use serde::{Deserialize, Serialize};

use crate::partition::{Partition, Tail};

/// Under which the table holds the number of the last batch.
pub(crate) const SEQUENCE_KEY: &[u8] = b"sequence";

/// What every topic's key begins with.
pub(crate) const TOPIC_PREFIX: &str = "topic/";

pub(crate) fn topic_key(topic: &str) -> Vec<u8> {
    format!("{TOPIC_PREFIX}{topic}").into_bytes()
}

pub(crate) fn start_key(partition: &TopicPartition) -> Vec<u8> {
    format!("start/{}/{}", partition.topic(), partition.partition()).into_bytes()
}

/// A group's name may hold anything, so it comes last.
pub(crate) fn commit_key(group: &str, topic: &str, partition: u32) -> Vec<u8> {
    format!("commit/{topic}/{partition}/{group}").into_bytes()
}

/// A topic, in memory.
#[derive(Clone, Debug)]
pub(crate) struct Topic {
    pub(crate) spec: TopicSpec,
    pub(crate) partitions: Vec<Arc<Partition>>,
}

pub(crate) type Topics = BTreeMap<String, Topic>;

/// A topic, on disk.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct StoredTopic {
    partitions: u32,
    retention_ms: Option<u64>,
    retention_bytes: Option<u64>,
    max_record_bytes: u32,
}

impl StoredTopic {
    pub(crate) fn new(spec: &TopicSpec) -> Self {
        let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        Self {
            partitions: spec.partitions,
            retention_ms: spec.retention.map(millis),
            retention_bytes: spec.retention_bytes,
            max_record_bytes: spec.max_record_bytes,
        }
    }

    pub(crate) fn spec(&self, name: &str) -> TopicSpec {
        TopicSpec {
            name: name.to_owned(),
            partitions: self.partitions,
            retention: self.retention_ms.map(Duration::from_millis),
            retention_bytes: self.retention_bytes,
            max_record_bytes: self.max_record_bytes,
        }
    }
}

/// Where retention left a partition, on disk: enough to go on when no record is left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StoredStart {
    pub(crate) start: u64,
    pub(crate) end: u64,
    pub(crate) newest_ms: i64,
    pub(crate) total: u64,
}

impl StoredStart {
    pub(crate) const fn new(start: u64, tail: Tail) -> Self {
        let Tail { end, newest, total } = tail;
        Self {
            start,
            end,
            newest_ms: newest.as_millis(),
            total,
        }
    }

    pub(crate) const fn tail(&self) -> Tail {
        Tail {
            end: self.end,
            newest: Timestamp::from_millis(self.newest_ms),
            total: self.total,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stored_comes_back() {
        let spec = TopicSpec {
            name: "events".to_owned(),
            partitions: 8,
            retention: Some(Duration::from_secs(5)),
            retention_bytes: None,
            max_record_bytes: 9,
        };
        assert_eq!(StoredTopic::new(&spec).spec("events"), spec);
        let tail = Tail {
            end: 9,
            newest: Timestamp::from_millis(5),
            total: 7,
        };
        assert_eq!(StoredStart::new(3, tail).tail(), tail);
    }
}
