//! Sizes, headers, and two producers at once.

use bytes::Bytes;
use eventlog_port::{
    AppendError, EventLog, Header, NewRecord, TopicPartition, TopicSpec, WriterKind,
};

use crate::broker::{
    LIMIT, address, append, config, numbered, one_partition, read_numbers, spec, writer,
};

fn sized(bytes: usize) -> NewRecord {
    NewRecord {
        value: Some(vec![1; bytes].into()),
        ..NewRecord::default()
    }
}

/// The largest record of a topic that takes more than Kafka's default, and one byte more.
#[tokio::test(flavor = "multi_thread")]
async fn a_large_record_at_and_over_the_limit() {
    const MAX: u32 = 3 << 20;
    let (log, _) = one_partition(config(&address())).await;
    log.ensure(&[TopicSpec {
        max_record_bytes: MAX,
        ..spec("large", 1)
    }])
    .await
    .unwrap();
    let to = TopicPartition::new("large", 0);
    for kind in [WriterKind::Ordered, WriterKind::Prefix] {
        let writer = writer(&log, kind).await;
        let largest = append(&*writer, &to, sized(MAX as usize)).await.unwrap();
        let refused = append(&*writer, &to, sized(MAX as usize + 1))
            .await
            .unwrap_err();
        assert!(
            matches!(
                &refused,
                AppendError::TooLarge {
                    size: 3_145_729,
                    limit: 3_145_728,
                    ..
                }
            ),
            "{refused}"
        );
        let read = log.read_at(&to, largest.offset).await.unwrap().unwrap();
        assert_eq!(read.value.map(|value| value.len()), Some(MAX as usize));
        append(&*writer, &to, sized(1))
            .await
            .expect("a refusal breaks nothing");
    }
}

/// Another node, which only found the topic there, keeps to what its settings allow.
#[tokio::test(flavor = "multi_thread")]
async fn who_did_not_make_the_topic_knows_its_limit() {
    let config = config(&address());
    let maker = eventlog_kafka::KafkaLog::connect(config.clone())
        .await
        .unwrap();
    maker
        .ensure(&[TopicSpec {
            max_record_bytes: 2_000_000,
            ..spec("large", 1)
        }])
        .await
        .unwrap();
    let other = eventlog_kafka::KafkaLog::connect(config).await.unwrap();
    let to = TopicPartition::new("large", 0);
    let writer = writer(&other, WriterKind::Prefix).await;
    append(&*writer, &to, sized(2_000_000)).await.unwrap();
    let refused = append(&*writer, &to, sized(2_000_001)).await.unwrap_err();
    assert!(
        matches!(
            refused,
            AppendError::TooLarge {
                limit: 2_000_000,
                ..
            }
        ),
        "{refused}"
    );
}

/// Batches stay below every topic's limit, however small its records are to be.
#[tokio::test(flavor = "multi_thread")]
async fn many_small_records_of_a_topic_for_small_ones() {
    let (log, _) = one_partition(config(&address())).await;
    log.ensure(&[TopicSpec {
        max_record_bytes: 100,
        ..spec("small", 1)
    }])
    .await
    .unwrap();
    let to = TopicPartition::new("small", 0);
    let writer = writer(&log, WriterKind::Prefix).await;
    let mut answers = Vec::new();
    for _ in 0..20_000 {
        answers.push(writer.append(&to, sized(100)).await.unwrap());
    }
    for (offset, answer) in answers.into_iter().enumerate() {
        assert_eq!(answer.await.unwrap().offset, offset as u64);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hundreds_of_headers_come_back_in_order() {
    let (log, to) = one_partition(config(&address())).await;
    let header = |n: usize| {
        let name = Bytes::from(format!("name-{}", n % 7));
        let value = (!n.is_multiple_of(3)).then(|| Bytes::from(vec![b'x'; n % 5]));
        Header::from_parts(name, value).unwrap()
    };
    let headers: Vec<Header> = (0..400).map(header).collect();
    let record = NewRecord {
        headers: headers.clone(),
        ..numbered(1)
    };
    let writer = writer(&log, WriterKind::Ordered).await;
    append(&*writer, &to, record).await.unwrap();
    let mut reader = log.reader(&to, 0).await.unwrap();
    assert_eq!(reader.next(LIMIT).await.unwrap()[0].headers, headers);
}

/// Two prefix writers of one partition, as when an owner doesn't know yet that it is none any more.
#[tokio::test(flavor = "multi_thread")]
async fn two_writers_each_leave_their_own_order() {
    let (log, to) = one_partition(config(&address())).await;
    let (one, two) = (
        writer(&log, WriterKind::Prefix).await,
        writer(&log, WriterKind::Prefix).await,
    );
    let stream = async |writer: &dyn eventlog_port::Writer, first: u32| {
        let mut answers = Vec::new();
        for number in first..first + 2_000 {
            answers.push(writer.append(&to, numbered(number)).await.unwrap());
        }
        for answer in answers {
            answer.await.unwrap();
        }
    };
    tokio::join!(stream(&*one, 0), stream(&*two, 10_000));
    let read = read_numbers(&log, &to).await;
    let (low, high): (Vec<u32>, Vec<u32>) = read.iter().partition(|number| **number < 10_000);
    assert_eq!(low, (0..2_000).collect::<Vec<_>>());
    assert_eq!(high, (10_000..12_000).collect::<Vec<_>>());
}
