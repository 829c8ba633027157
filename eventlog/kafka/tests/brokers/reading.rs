//! Offsets that are gone, partitions read many times at once, and what others wrote.

use std::time::Duration;

use eventlog_kafka::KafkaLog;
use eventlog_port::{EventLog, ReadError, TopicPartition, WriterKind};
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

use crate::broker::{LIMIT, address, append, config, numbered, one_partition, spec, writer};

async fn delete_below(full_name: &str, offset: i64) {
    let admin: AdminClient<DefaultClientContext> = ClientConfig::new()
        .set("bootstrap.servers", address())
        .create()
        .unwrap();
    let mut below = TopicPartitionList::new();
    below
        .add_partition_offset(full_name, 0, Offset::Offset(offset))
        .unwrap();
    admin
        .delete_records(&below, &AdminOptions::new())
        .await
        .unwrap();
}

/// A reader that is overtaken while it stands still says which range there is, every time.
#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_is_overtaken_says_so() {
    let config = config(&address());
    let log = eventlog_kafka::KafkaLog::connect(config.clone())
        .await
        .unwrap();
    log.ensure(&[spec("stream", 1)]).await.unwrap();
    let to = TopicPartition::new("stream", 0);
    let writer = writer(&log, WriterKind::Ordered).await;
    let mut reader = log.reader(&to, 0).await.unwrap();
    for number in 0..10 {
        append(&*writer, &to, numbered(number)).await.unwrap();
    }
    let mut seen = 0;
    while seen < 10 {
        seen += reader.next(LIMIT).await.unwrap().len();
    }
    let mut late = log.reader(&to, 10).await.unwrap();
    drop(reader);
    let mut answers = Vec::new();
    // More than a reader fetches ahead.
    for _ in 0..5_000 {
        let record = eventlog_port::NewRecord {
            value: Some(vec![0; 1_000].into()),
            ..eventlog_port::NewRecord::default()
        };
        answers.push(writer.append(&to, record).await.unwrap());
    }
    for answer in answers {
        answer.await.unwrap();
    }
    delete_below(&format!("{}stream", config.topic_prefix), 5_000).await;
    let gone = loop {
        match late.next(LIMIT).await {
            Ok(records) => assert!(records.iter().all(|record| record.offset < 5_000)),
            Err(gone) => break gone,
        }
    };
    let position = late.position();
    assert!(position < 5_000);
    for error in [gone, late.next(LIMIT).await.unwrap_err()] {
        let ReadError::OffsetGone {
            wanted,
            start: 5_000,
            end: 5_010,
            ..
        } = error
        else {
            panic!("{error}")
        };
        assert_eq!(wanted, position);
    }
    assert!(matches!(
        log.read_at(&to, 0).await,
        Err(ReadError::OffsetGone { .. })
    ));
}

/// One partition read by many at once, opened and dropped again and again.
#[tokio::test(flavor = "multi_thread")]
async fn readers_of_one_partition_come_and_go() {
    let (log, to) = one_partition(config(&address())).await;
    let writer = writer(&log, WriterKind::Ordered).await;
    for number in 0..20 {
        append(&*writer, &to, numbered(number)).await.unwrap();
    }
    for round in 0..5 {
        let mut readers = Vec::new();
        for _ in 0..4 {
            readers.push(log.reader(&to, round).await.unwrap());
        }
        for mut reader in readers {
            let first = reader.next(LIMIT).await.unwrap();
            assert_eq!(first[0].offset, round);
        }
    }
}

/// Single records are read in the time of a few requests, and gaps are told from records.
#[tokio::test(flavor = "multi_thread")]
async fn single_records_at_once() {
    let (log, to) = one_partition(config(&address())).await;
    let writer = writer(&log, WriterKind::Ordered).await;
    for number in 0..20 {
        append(&*writer, &to, numbered(number)).await.unwrap();
    }
    let reads = (0..20).map(|at| log.read_at(&to, at));
    for (at, read) in futures(reads).await.into_iter().enumerate() {
        assert_eq!(read.unwrap().unwrap().offset, at as u64);
    }
}

async fn futures<F: Future>(all: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut done = Vec::new();
    for one in all {
        done.push(one.await);
    }
    done
}

/// What another's transaction took back is not read, and the gap that it leaves holds nobody up.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_transaction_took_back_is_not_read() {
    let config = config(&address());
    let log = eventlog_kafka::KafkaLog::connect(config.clone())
        .await
        .unwrap();
    log.ensure(&[spec("stream", 1)]).await.unwrap();
    let to = TopicPartition::new("stream", 0);
    let full_name = format!("{}stream", config.topic_prefix);
    tokio::task::spawn_blocking(move || {
        let producer: BaseProducer = ClientConfig::new()
            .set("bootstrap.servers", address())
            .set("transactional.id", &full_name)
            .create()
            .unwrap();
        let within = Duration::from_secs(20);
        producer.init_transactions(within).unwrap();
        for commits in [false, true] {
            producer.begin_transaction().unwrap();
            let record = BaseRecord::to(&full_name).key("k").partition(0);
            let value = if commits { "committed" } else { "aborted" };
            producer
                .send(record.payload(value))
                .map_err(|(error, _)| error)
                .unwrap();
            producer.flush(within).unwrap();
            if commits {
                producer.commit_transaction(within).unwrap();
            } else {
                producer.abort_transaction(within).unwrap();
            }
        }
    })
    .await
    .unwrap();
    let writer = writer(&log, WriterKind::Ordered).await;
    let last = append(&*writer, &to, numbered(7)).await.unwrap();
    let mut reader = log.reader(&to, 0).await.unwrap();
    let mut values = Vec::new();
    while reader.position() <= last.offset {
        values.extend(
            reader
                .next(LIMIT)
                .await
                .unwrap()
                .into_iter()
                .map(|r| (r.offset, r.value)),
        );
    }
    assert_eq!(values.len(), 2, "{values:?}");
    assert_eq!(values[0], (2, Some("committed".into())));
    assert_eq!(values[1].0, last.offset);
    for (offset, _) in &values {
        assert!(log.read_at(&to, *offset).await.unwrap().is_some());
    }
    assert_eq!(log.read_at(&to, 0).await.unwrap(), None, "taken back");
    assert_eq!(
        log.read_at(&to, 1).await.unwrap(),
        None,
        "the transaction's own mark"
    );
    assert_eq!(log.read_at(&to, 3).await.unwrap(), None, "the other's");
}

/// Whoever takes a partition over reads a dozen topics for the first time, one after the other. By itself the
/// driver looks for the leaders of those it doesn't know once a second.
#[tokio::test(flavor = "multi_thread")]
async fn the_first_read_of_a_topic_does_not_wait() {
    let config = config(&address());
    let log = KafkaLog::connect(config.clone()).await.unwrap();
    let names: Vec<_> = (0..10).map(|n| format!("first-{n}")).collect();
    let specs: Vec<_> = names.iter().map(|name| spec(name, 1)).collect();
    log.ensure(&specs).await.unwrap();
    let writer = writer(&log, WriterKind::Prefix).await;
    let partition = |name: &String| TopicPartition::new(name.as_str(), 0);
    for name in &names {
        append(&*writer, &partition(name), numbered(1))
            .await
            .unwrap();
    }
    let reads = KafkaLog::connect(config).await.unwrap();
    let mut took = Vec::new();
    for name in &names {
        let began = tokio::time::Instant::now();
        let mut reader = reads.reader(&partition(name), 0).await.unwrap();
        assert_eq!(reader.next(LIMIT).await.unwrap().len(), 1);
        took.push(began.elapsed());
    }
    // Where each waits for the driver to look, even the quickest does; a busy machine is not busy for all of them.
    let quickest = took[1..].iter().min().unwrap();
    assert!(*quickest < Duration::from_millis(500), "{took:?}");
}
