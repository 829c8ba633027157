//! Appending.

use std::time::Duration;

use bytes::Bytes;

use super::steps::{
    DEADLINE, append, append_numbers, number, numbered, one_partition, read_all, spec, writer,
};
use super::{Cut, Fixture};
use crate::error::{AppendError, Outcome};
use crate::record::{Header, NewRecord, TopicPartition};
use crate::topic::TopicSpec;
use crate::writer::{WriterKind, WriterSpec};

/// Byte for byte: absent and empty, repeated headers, null headers, bytes that are no text.
pub async fn what_is_read_is_what_was_appended(fixture: &dyn Fixture) {
    let log = fixture.log().await;
    let partition = one_partition(fixture, "round-trip").await;
    let null = Header::from_parts(Bytes::from_static(b"null"), None).unwrap();
    let every_byte: Bytes = (0..=255_u8).collect::<Vec<_>>().into();
    let records = [
        NewRecord::default(),
        NewRecord {
            key: Some(Bytes::new()),
            headers: vec![],
            value: Some(Bytes::new()),
        },
        NewRecord {
            value: Some(every_byte.clone()),
            ..NewRecord::default()
        },
        NewRecord {
            key: Some(every_byte.clone()),
            headers: vec![
                Header::new("a", "1"),
                Header::new("é", every_byte.clone()),
                Header::new("a", "2"),
                Header::new("empty", ""),
                null,
            ],
            value: None,
        },
        NewRecord {
            value: Some(vec![7; 300_000].into()),
            ..NewRecord::default()
        },
    ];
    let writer = writer(&*log, WriterKind::Ordered).await;
    let mut appended = Vec::new();
    for record in &records {
        appended.push(append(&*writer, &partition, record.clone()).await.unwrap());
    }
    let read = read_all(&*log, &partition).await;
    assert_eq!(read.len(), records.len());
    for ((read, record), appended) in read.into_iter().zip(records).zip(appended) {
        assert_eq!(
            (read.offset, read.appended_at),
            (appended.offset, appended.appended_at)
        );
        assert_eq!(
            (&read.key, &read.headers, &read.value),
            (&record.key, &record.headers, &record.value)
        );
        assert_eq!(
            log.read_at(&partition, appended.offset).await.unwrap(),
            Some(read)
        );
    }
}

/// In each partition, the offsets ascend as the appends were accepted.
pub async fn offsets_ascend_in_the_order_of_acceptance(fixture: &dyn Fixture) {
    let log = fixture.log().await;
    let topic = fixture.topic("order");
    log.ensure(&[spec(&topic, 3)]).await.unwrap();
    let writer = writer(&*log, WriterKind::Prefix).await;
    let mut answers = Vec::new();
    for n in 0..600 {
        let to = TopicPartition::new(topic.as_str(), n % 3);
        answers.push((
            to.partition(),
            writer.append(&to, numbered(n.into())).await.unwrap(),
        ));
    }
    let mut last = [None; 3];
    let mut newest = [None; 3];
    for (partition, answer) in answers {
        let appended = answer.await.unwrap();
        let partition = partition as usize;
        assert!(last[partition] < Some(appended.offset));
        assert!(newest[partition] <= Some(appended.appended_at));
        last[partition] = Some(appended.offset);
        newest[partition] = Some(appended.appended_at);
    }
    for partition in 0..3 {
        let read = read_all(&*log, &TopicPartition::new(topic.as_str(), partition)).await;
        let numbers: Vec<u64> = read.iter().map(number).collect();
        assert_eq!(
            numbers,
            (0..200)
                .map(|n| n * 3 + u64::from(partition))
                .collect::<Vec<_>>()
        );
    }
}

/// Two writers in one partition: whatever the mixture, each keeps its own order, and none is lost.
pub async fn writers_keep_their_order_beside_one_another(fixture: &dyn Fixture) {
    let log = fixture.log().await;
    let partition = one_partition(fixture, "two-writers").await;
    let (odd, even) = tokio::join!(
        append_numbers(&*log, &partition, 0..300),
        append_numbers(&*log, &partition, 1_000..1_300),
    );
    assert_eq!(odd.len() + even.len(), 600);
    let read = read_all(&*log, &partition).await;
    let (low, high): (Vec<u64>, Vec<u64>) = read.iter().map(number).partition(|n| *n < 1_000);
    assert_eq!(low, (0..300).collect::<Vec<_>>());
    assert_eq!(high, (1_000..1_300).collect::<Vec<_>>());
}

/// At the limit it is taken; one byte over it is refused, said, and the writer goes on.
pub async fn sizes_at_and_over_the_limit(fixture: &dyn Fixture) {
    let log = fixture.log().await;
    let topic = fixture.topic("sizes");
    let max = 10_000;
    log.ensure(&[TopicSpec {
        max_record_bytes: max,
        ..spec(&topic, 1)
    }])
    .await
    .unwrap();
    let partition = TopicPartition::new(topic, 0);
    let sized = |bytes: u32| NewRecord {
        key: Some("key".into()),
        headers: vec![Header::new("header", "value")],
        value: Some(vec![b'x'; bytes as usize - 14].into()),
    };
    assert_eq!(sized(max).size(), max as usize);
    let writer = writer(&*log, WriterKind::Prefix).await;
    append(&*writer, &partition, sized(max)).await.unwrap();
    let refused = writer.append(&partition, sized(max + 1)).await.unwrap_err();
    assert!(
        matches!(
            refused,
            AppendError::TooLarge {
                size: 10_001,
                limit: 10_000,
                ..
            }
        ),
        "{refused}"
    );
    assert!(!refused.is_retryable());
    assert_eq!(refused.outcome(), Outcome::NotAppended);
    append(&*writer, &partition, sized(20))
        .await
        .expect("a refusal breaks nothing");
    assert_eq!(read_all(&*log, &partition).await.len(), 2);
}

/// Neither a topic nor a partition comes to be by writing to it.
pub async fn a_partition_that_is_not_there(fixture: &dyn Fixture) {
    let log = fixture.log().await;
    let there = one_partition(fixture, "there").await;
    let writer = writer(&*log, WriterKind::Ordered).await;
    let nowhere = fixture.topic("nowhere");
    for missing in [
        TopicPartition::new(nowhere.as_str(), 0),
        TopicPartition::new(there.topic(), 1),
    ] {
        let refused = match writer.append(&missing, numbered(1)).await {
            Ok(answer) => answer.await.unwrap_err(),
            Err(refused) => refused,
        };
        assert!(
            matches!(&refused, AppendError::NoSuchPartition(named) if *named == missing),
            "{refused}"
        );
        assert!(!refused.is_retryable());
    }
    append(&*writer, &there, numbered(1))
        .await
        .expect("a refusal breaks nothing");
    assert!(
        log.topics()
            .await
            .unwrap()
            .iter()
            .all(|topic| topic.spec.name != nowhere)
    );
}

/// With `max_in_flight` accepted, the next waits, and goes on when there is room.
pub async fn appends_wait_at_the_bound(fixture: &dyn Fixture) {
    let log = fixture.log().await;
    let partition = one_partition(fixture, "bound").await;
    let spec = WriterSpec {
        kind: WriterKind::Prefix,
        name: "bounded".to_owned(),
        max_in_flight: 10,
    };
    let writer = log.writer(spec).await.unwrap();
    append(&*writer, &partition, numbered(0)).await.unwrap();
    fixture.cut(Cut::Stall).await;
    let mut answers = Vec::new();
    for n in 1..=10 {
        answers.push(writer.append(&partition, numbered(n)).await.unwrap());
    }
    let one_more = writer.append(&partition, numbered(11));
    let mut one_more = std::pin::pin!(one_more);
    let early = tokio::time::timeout(Duration::from_millis(300), one_more.as_mut()).await;
    assert!(
        early.is_err(),
        "the eleventh is accepted only once there is room"
    );
    fixture.heal().await;
    let accepted = tokio::time::timeout(DEADLINE, one_more)
        .await
        .expect("room again")
        .unwrap();
    for answer in answers {
        answer.await.unwrap();
    }
    accepted.await.unwrap();
    assert_eq!(read_all(&*log, &partition).await.len(), 12);
}

/// `close` takes nothing more and waits; when it is over every answer is there.
pub async fn closing_waits_for_every_answer(fixture: &dyn Fixture) {
    let log = fixture.log().await;
    let partition = one_partition(fixture, "closing").await;
    let writer = writer(&*log, WriterKind::Prefix).await;
    append(&*writer, &partition, numbered(0)).await.unwrap();
    fixture.cut(Cut::Stall).await;
    let mut answers = Vec::new();
    for n in 1..100 {
        answers.push(writer.append(&partition, numbered(n)).await.unwrap());
    }
    {
        let mut closing = std::pin::pin!(writer.close());
        let early = tokio::time::timeout(Duration::from_millis(300), closing.as_mut()).await;
        assert!(early.is_err(), "closed with appends that have no answer");
        fixture.heal().await;
        tokio::time::timeout(DEADLINE, closing)
            .await
            .expect("closed once all have theirs");
    }
    let refused = writer.append(&partition, numbered(100)).await;
    assert!(matches!(refused, Err(AppendError::Closed)));
    writer.close().await;
    for answer in answers {
        let known = tokio::time::timeout(Duration::ZERO, answer).await;
        known.expect("answered by the time it was closed").unwrap();
    }
    assert_eq!(read_all(&*log, &partition).await.len(), 100);
}

/// Group commit, counted.
pub async fn a_thousand_small_appends_share_few_syncs(fixture: &dyn Fixture) {
    let log = fixture.log().await;
    let partition = one_partition(fixture, "group-commit").await;
    append_numbers(&*log, &partition, 0..1).await;
    let before = fixture.syncs();
    append_numbers(&*log, &partition, 1..1_001).await;
    if let (Some(before), Some(after)) = (before, fixture.syncs()) {
        let syncs = after - before;
        assert!(syncs > 0, "made durable without a single sync");
        assert!(
            syncs <= 100,
            "{syncs} syncs for a thousand appends, 256 in flight"
        );
    }
    assert_eq!(read_all(&*log, &partition).await.len(), 1_001);
}
