//! What retention removes, and what outlives it.

use std::time::Duration;

use super::Fixture;
use super::steps::{
    LIMIT, append, append_numbers, eventually, numbers, one_partition, read_all, read_from, spec,
    writer,
};
use crate::error::ReadError;
use crate::record::{NewRecord, TopicPartition};
use crate::topic::TopicSpec;
use crate::writer::WriterKind;

const KILOBYTE: usize = 1_000;

/// Appends `count` records of random-looking bytes that no compression makes smaller.
async fn append_bulk(fixture: &dyn Fixture, to: &TopicPartition, count: usize, size: usize) {
    let log = fixture.log().await;
    let writer = writer(&*log, WriterKind::Ordered).await;
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut answers = Vec::new();
    for _ in 0..count {
        let noise = (0..size).map(|_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (state >> 56) as u8
        });
        let record = NewRecord {
            value: Some(noise.collect::<Vec<_>>().into()),
            ..NewRecord::default()
        };
        answers.push(writer.append(to, record).await.unwrap());
    }
    for answer in answers {
        answer.await.unwrap();
    }
    writer.close().await;
}

async fn limited(
    fixture: &dyn Fixture,
    name: &str,
    retention: Option<Duration>,
    retention_bytes: Option<u64>,
) -> TopicPartition {
    let topic = fixture.topic(name);
    let spec = TopicSpec {
        retention,
        retention_bytes,
        ..spec(&topic, 1)
    };
    fixture.log().await.ensure(&[spec]).await.unwrap();
    TopicPartition::new(topic, 0)
}

/// The old goes, nothing younger than the retention does.
pub async fn by_age(fixture: &dyn Fixture) {
    let retention = Duration::from_secs(5);
    let log = fixture.log().await;
    let partition = limited(fixture, "by-age", Some(retention), None).await;
    // Whole segments go at once: enough of the old that some are full.
    append_bulk(fixture, &partition, 1_500, KILOBYTE * 2).await;
    let old = log.bounds(&partition).await.unwrap();
    assert!(old.end - old.start > 0);
    fixture.pass(retention + Duration::from_secs(1)).await;
    let young = append_numbers(&*log, &partition, 0..5).await;
    eventually("the old goes", || async {
        log.bounds(&partition).await.unwrap().start > 0
    })
    .await;
    let read = read_from(&*log, &partition, young[0].offset).await;
    assert_eq!(numbers(&read), [0, 1, 2, 3, 4], "the young stays");
}

/// A partition is held to about its bytes, and never to less.
pub async fn by_size(fixture: &dyn Fixture) {
    let keep = 1_000_000;
    let log = fixture.log().await;
    let partition = limited(fixture, "by-size", None, Some(keep)).await;
    append_bulk(fixture, &partition, 6_000, KILOBYTE).await;
    let end = log.bounds(&partition).await.unwrap().end;
    let held = || async {
        let bounds = log.bounds(&partition).await.unwrap();
        (bounds.end - bounds.start) * KILOBYTE as u64
    };
    eventually("it is held to its size", || async {
        held().await <= keep + fixture.retention_slack()
    })
    .await;
    // What a log adds to each record may count, up to a twentieth.
    assert!(
        held().await * 21 / 20 >= keep,
        "{} bytes are left",
        held().await
    );
    assert_eq!(
        log.bounds(&partition).await.unwrap().end,
        end,
        "the end stays"
    );
    // Retention may still be at work on the start, never on the last record.
    let last = read_from(&*log, &partition, end - 1).await;
    assert_eq!(last.last().map(|record| record.offset), Some(end - 1));
}

/// A reader that was overtaken by retention says so, each time, and never jumps by itself.
pub async fn a_reader_whose_offset_is_gone(fixture: &dyn Fixture) {
    let log = fixture.log().await;
    let partition = limited(fixture, "gone", None, Some(1_000_000)).await;
    let mut reader = log.reader(&partition, 0).await.unwrap();
    append_bulk(fixture, &partition, 6_000, KILOBYTE).await;
    eventually("the start moves", || async {
        log.bounds(&partition).await.unwrap().start > 0
    })
    .await;
    // What it had fetched before may still come.
    let gone = loop {
        match reader.next(LIMIT).await {
            Ok(records) => assert_eq!(
                records
                    .last()
                    .map_or(reader.position(), |last| last.offset + 1),
                reader.position()
            ),
            Err(gone) => break gone,
        }
        if reader.position() == log.bounds(&partition).await.unwrap().end {
            // It read everything before retention took it: nothing was skipped.
            assert_eq!(reader.position(), 6_000);
            return;
        }
    };
    let wanted_is_position = matches!(
        &gone,
        ReadError::OffsetGone { wanted, start, .. } if *wanted == reader.position() && start > wanted
    );
    assert!(wanted_is_position, "{gone}");
    assert!(!gone.is_retryable());
    assert!(matches!(
        reader.next(LIMIT).await,
        Err(ReadError::OffsetGone { .. })
    ));
    let refused = match log.reader(&partition, 0).await {
        Ok(mut reader) => reader.next(LIMIT).await.unwrap_err(),
        Err(refused) => refused,
    };
    assert!(
        matches!(refused, ReadError::OffsetGone { wanted: 0, .. }),
        "{refused}"
    );
}

/// With every record gone and the log restarted, the next offset is still a new one.
pub async fn offsets_outlive_retention_and_restart(fixture: &dyn Fixture) {
    let retention = Duration::from_secs(1);
    let partition = limited(fixture, "never-again", Some(retention), None).await;
    append_bulk(fixture, &partition, 700, KILOBYTE * 2).await;
    let end = fixture.log().await.bounds(&partition).await.unwrap().end;
    fixture.pass(retention + Duration::from_secs(1)).await;
    let log = fixture.log().await;
    eventually("the old goes", || async {
        log.bounds(&partition).await.unwrap().start > 0
    })
    .await;
    drop(log);
    let log = fixture.restarted().await;
    let bounds = log.bounds(&partition).await.unwrap();
    assert_eq!(bounds.end, end);
    assert!(bounds.start > 0);
    let next = append_numbers(&*log, &partition, 0..1).await;
    assert!(next[0].offset >= end);
}

/// Topics, records and offsets are there after a restart.
pub async fn everything_outlives_a_restart(fixture: &dyn Fixture) {
    let partition = one_partition(fixture, "restart").await;
    let log = fixture.log().await;
    append_numbers(&*log, &partition, 0..100).await;
    let (before, topics) = (
        read_all(&*log, &partition).await,
        log.topics().await.unwrap(),
    );
    drop(log);
    let log = fixture.restarted().await;
    let found = log.topics().await.unwrap();
    assert!(
        topics
            .iter()
            .filter(|t| t.spec.name == partition.topic())
            .all(|t| found.contains(t))
    );
    assert_eq!(read_all(&*log, &partition).await, before);
    let writer = writer(&*log, WriterKind::Prefix).await;
    let next = append(&*writer, &partition, NewRecord::default())
        .await
        .unwrap();
    assert!(next.offset > before[99].offset);
}
