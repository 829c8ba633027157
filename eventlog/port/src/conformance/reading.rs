//! Reading without a group.

use std::time::Duration;

use super::Fixture;
use super::steps::{
    DEADLINE, LIMIT, QUICK, append, append_numbers, number, numbered, numbers, one_partition,
    read_all, read_from, writer,
};
use crate::error::ReadError;
use crate::reader::ReadLimit;
use crate::record::{Header, NewRecord, TopicPartition};
use crate::writer::WriterKind;

/// While records arrive, whatever a reader returns lies below the durable end told after it.
pub async fn nothing_above_the_durable_end(fixture: &dyn Fixture) {
    let log = fixture.log().await;
    let partition = one_partition(fixture, "durable-end").await;
    let read = async {
        let mut reader = log.reader(&partition, 0).await.unwrap();
        let mut seen = Vec::new();
        while seen.len() < 500 {
            let records = reader.next(LIMIT).await.unwrap();
            let end = log.bounds(&partition).await.unwrap().end;
            assert!(records.iter().all(|record| record.offset < end));
            seen.extend(numbers(&records));
        }
        seen
    };
    let both = async { tokio::join!(append_numbers(&*log, &partition, 0..500), read) };
    let (appended, seen) = tokio::time::timeout(DEADLINE, both)
        .await
        .expect("all are read");
    assert_eq!(seen, (0..500).collect::<Vec<_>>());
    let end = log.bounds(&partition).await.unwrap().end;
    assert!(
        appended.iter().all(|a| a.offset < end),
        "an append that was confirmed lies below the end"
    );
}

/// A reader starts at any offset, and at the end less so many.
pub async fn any_offset_and_back_from_the_end(fixture: &dyn Fixture) {
    let log = fixture.log().await;
    let partition = one_partition(fixture, "any-offset").await;
    let appended = append_numbers(&*log, &partition, 0..100).await;
    for from in [0, 1, 57, 99] {
        let read = read_from(&*log, &partition, appended[from].offset).await;
        assert_eq!(numbers(&read), (from as u64..100).collect::<Vec<_>>());
    }
    let end = log.bounds(&partition).await.unwrap().end;
    let read = read_from(&*log, &partition, end - 10).await;
    assert_eq!(read.last().map(number), Some(99));
    assert!(read.len() <= 10 && !read.is_empty());

    let mut at_end = log.reader(&partition, end).await.unwrap();
    assert_eq!(at_end.position(), end);
    assert_eq!(at_end.next(QUICK).await.unwrap(), []);
    append_numbers(&*log, &partition, 100..101).await;
    assert_eq!(numbers(&at_end.next(LIMIT).await.unwrap()), [100]);
}

/// The first offset at or after a time; the end for a time to come.
pub async fn by_time(fixture: &dyn Fixture) {
    let log = fixture.log().await;
    let partition = one_partition(fixture, "by-time").await;
    let mut appended = Vec::new();
    for n in 0..5 {
        appended.extend(append_numbers(&*log, &partition, n..n + 1).await);
        fixture.pass(Duration::from_millis(20)).await;
    }
    assert!(appended.is_sorted_by(|a, b| a.appended_at < b.appended_at));
    for one in &appended {
        let found = log.offset_at(&partition, one.appended_at).await.unwrap();
        assert_eq!(found, one.offset);
        let just_after = one.appended_at.saturating_add(Duration::from_millis(1));
        assert!(log.offset_at(&partition, just_after).await.unwrap() > one.offset);
    }
    let before = appended[0]
        .appended_at
        .saturating_sub(Duration::from_secs(1));
    assert_eq!(
        log.offset_at(&partition, before).await.unwrap(),
        appended[0].offset
    );
    let to_come = appended[4]
        .appended_at
        .saturating_add(Duration::from_secs(3_600));
    let end = log.bounds(&partition).await.unwrap().end;
    assert_eq!(log.offset_at(&partition, to_come).await.unwrap(), end);
}

/// A read returns no more than it was allowed, one record at least, and nothing after the wait.
pub async fn limits_and_waiting(fixture: &dyn Fixture) {
    let log = fixture.log().await;
    let partition = one_partition(fixture, "limits").await;
    let writer = writer(&*log, WriterKind::Ordered).await;
    for n in 0..20 {
        let record = NewRecord {
            headers: vec![Header::new("n", n.to_string())],
            value: Some(vec![0; 1_000].into()),
            ..NewRecord::default()
        };
        append(&*writer, &partition, record).await.unwrap();
    }
    let mut reader = log.reader(&partition, 0).await.unwrap();
    let three = ReadLimit {
        records: 3,
        ..LIMIT
    };
    assert_eq!(numbers(&reader.next(three).await.unwrap()), [0, 1, 2]);
    let small = ReadLimit { bytes: 1, ..LIMIT };
    assert_eq!(numbers(&reader.next(small).await.unwrap()), [3]);
    let some = ReadLimit {
        bytes: 2_500,
        ..LIMIT
    };
    let read = reader.next(some).await.unwrap();
    assert!((1..=3).contains(&read.len()), "{} records", read.len());
    let mut left: usize = 20 - 4 - read.len();
    while left > 0 {
        left -= reader.next(LIMIT).await.unwrap().len();
    }
    assert_eq!(reader.next(QUICK).await.unwrap(), []);
}

/// Two readers of one partition each read everything.
pub async fn readers_do_not_move_one_another(fixture: &dyn Fixture) {
    let log = fixture.log().await;
    let partition = one_partition(fixture, "two-readers").await;
    append_numbers(&*log, &partition, 0..50).await;
    let (mut one, mut two) = (
        log.reader(&partition, 0).await.unwrap(),
        log.reader(&partition, 0).await.unwrap(),
    );
    let five = ReadLimit {
        records: 5,
        ..LIMIT
    };
    let mut seen = (Vec::new(), Vec::new());
    let alternate = async {
        while seen.0.len() < 50 || seen.1.len() < 50 {
            if seen.0.len() < 50 {
                seen.0.extend(numbers(&one.next(five).await.unwrap()));
            }
            if seen.1.len() < 50 {
                seen.1.extend(numbers(&two.next(five).await.unwrap()));
            }
        }
    };
    tokio::time::timeout(DEADLINE, alternate)
        .await
        .expect("both read on");
    assert_eq!(seen.0, (0..50).collect::<Vec<_>>());
    assert_eq!(seen.1, seen.0);
    drop(one);
    append_numbers(&*log, &partition, 50..51).await;
    assert_eq!(
        numbers(&two.next(LIMIT).await.unwrap()),
        [50],
        "the other's end is not its own"
    );
}

/// A reader that may be handed records late is handed all of them.
pub async fn a_patient_reader_reads_the_same(fixture: &dyn Fixture) {
    let log = fixture.log().await;
    let partition = one_partition(fixture, "patient").await;
    append_numbers(&*log, &partition, 0..200).await;
    let mut reader = log.patient_reader(&partition, 50).await.unwrap();
    let mut seen = Vec::new();
    while seen.len() < 150 {
        let read = reader.next(LIMIT).await.unwrap();
        assert!(!read.is_empty(), "only {} came", seen.len());
        seen.extend(numbers(&read));
    }
    assert_eq!(seen, (50..200).collect::<Vec<_>>());
    assert_eq!(reader.next(QUICK).await.unwrap(), []);
    append_numbers(&*log, &partition, 200..201).await;
    assert_eq!(numbers(&reader.next(LIMIT).await.unwrap()), [200]);
}

/// A read that is dropped while it waits leaves its place.
pub async fn a_cancelled_read_loses_nothing(fixture: &dyn Fixture) {
    let log = fixture.log().await;
    let partition = one_partition(fixture, "cancelled").await;
    let mut reader = log.reader(&partition, 0).await.unwrap();
    let writer = writer(&*log, WriterKind::Ordered).await;
    let mut seen = Vec::new();
    for n in 0..30 {
        drop(
            tokio::time::timeout(Duration::from_millis(2), reader.next(LIMIT))
                .await
                .map(|records| seen.extend(numbers(&records.unwrap()))),
        );
        append(&*writer, &partition, numbered(n)).await.unwrap();
    }
    while seen.len() < 30 {
        let records = reader.next(LIMIT).await.unwrap();
        assert!(!records.is_empty(), "the rest is there: {seen:?}");
        seen.extend(numbers(&records));
    }
    assert_eq!(seen, (0..30).collect::<Vec<_>>());
}

/// Who appends a fence, waits, and reads up to it, has read all that was confirmed before.
pub async fn a_fence_is_read_back(fixture: &dyn Fixture) {
    let log = fixture.log().await;
    let partition = one_partition(fixture, "fence").await;
    let before = append_numbers(&*log, &partition, 0..40).await;
    let writer = writer(&*log, WriterKind::Prefix).await;
    let fence = append(&*writer, &partition, numbered(1_000)).await.unwrap();
    assert!(before.iter().all(|appended| appended.offset < fence.offset));
    let mut reader = log.reader(&partition, before[30].offset).await.unwrap();
    let mut seen = Vec::new();
    let read = async {
        while seen.last() != Some(&1_000) {
            seen.extend(numbers(&reader.next(LIMIT).await.unwrap()));
        }
    };
    tokio::time::timeout(DEADLINE, read)
        .await
        .expect("the fence is read");
    assert_eq!(seen, (30..40).chain([1_000]).collect::<Vec<_>>());
}

/// An offset that was never given out is no place for a reader, and holds no record.
pub async fn beyond_the_end(fixture: &dyn Fixture) {
    let log = fixture.log().await;
    let partition = one_partition(fixture, "beyond").await;
    append_numbers(&*log, &partition, 0..3).await;
    let end = log.bounds(&partition).await.unwrap().end;
    assert_eq!(log.read_at(&partition, end).await.unwrap(), None);
    assert_eq!(log.read_at(&partition, end + 10).await.unwrap(), None);
    let refused = match log.reader(&partition, end + 1).await {
        Ok(mut reader) => reader.next(LIMIT).await.unwrap_err(),
        Err(refused) => refused,
    };
    assert!(matches!(refused, ReadError::BeyondEnd { .. }), "{refused}");
    assert!(!refused.is_retryable());
}

/// Said at once, by every way of reading.
pub async fn a_partition_that_is_not_there_is_not_read(fixture: &dyn Fixture) {
    let log = fixture.log().await;
    let there = one_partition(fixture, "one-only").await;
    for missing in [
        TopicPartition::new(fixture.topic("not-there"), 0),
        TopicPartition::new(there.topic(), 7),
    ] {
        let no =
            |error: &ReadError| matches!(error, ReadError::NoSuchPartition(p) if *p == missing);
        assert!(no(&log.bounds(&missing).await.unwrap_err()));
        assert!(no(&log.read_at(&missing, 0).await.unwrap_err()));
        assert!(no(&log
            .offset_at(&missing, domain::time::Timestamp::default())
            .await
            .unwrap_err()));
        assert!(no(&log.reader(&missing, 0).await.map(|_| ()).unwrap_err()));
    }
    assert_eq!(read_all(&*log, &there).await, []);
}
