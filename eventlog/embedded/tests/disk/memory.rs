//! What is held in memory before it is in tables.

use eventlog_embedded::EmbeddedLog;
use eventlog_port::{EventLog, NewRecord, TopicPartition, TopicSpec, WriterKind, WriterSpec};
use tempfile::TempDir;

use crate::support::{config, topic, value};

/// Each partition holds too little to be written out for its own sake; together they are too much.
#[tokio::test(flavor = "multi_thread")]
async fn many_partitions_hold_no_more_than_one() {
    const PARTITIONS: u32 = 32;
    const MEBIBYTES: usize = 5;
    let directory = TempDir::new().unwrap();
    let log = EmbeddedLog::open(config(directory.path())).unwrap();
    let spec = TopicSpec {
        partitions: PARTITIONS,
        ..topic()
    };
    log.ensure(&[spec]).await.unwrap();
    let spec = WriterSpec {
        kind: WriterKind::Ordered,
        name: "test".to_owned(),
        max_in_flight: PARTITIONS,
    };
    let writer = log.writer(spec).await.unwrap();
    let value = bytes::Bytes::from(value(1, 64 << 10));
    let mut most = 0;
    for _ in 0..MEBIBYTES * 16 {
        let mut answers = Vec::new();
        for partition in 0..PARTITIONS {
            let to = TopicPartition::new("events", partition);
            let record = NewRecord {
                value: Some(value.clone()),
                ..NewRecord::default()
            };
            answers.push(writer.append(&to, record).await.unwrap());
        }
        for answer in answers {
            answer.await.unwrap();
        }
        most = most.max(log.held_bytes());
    }
    assert!(most > 16 << 20, "{most} bytes: something is held");
    assert!(most < 104 << 20, "{most} of 160 MiB were held at once");
}
