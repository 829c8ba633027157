//! A prefix writer that the brokers refuse a record of.

use std::time::Duration;

use eventlog_kafka::KafkaLog;
use eventlog_port::{
    AppendError, Appended, EventLog, NewRecord, Outcome, TopicPartition, Writer, WriterKind,
};
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, AlterConfig, ResourceSpecifier};
use rdkafka::client::DefaultClientContext;

use crate::broker::{LIMIT, address, append, config, spec, writer};

/// Records of a stream, and which of them is the large one.
const RECORDS: u32 = 300;
const LARGE: u32 = 150;

/// What the topic takes once it is lowered: any batch of small records, no large one.
const LOWERED: &str = "60000";
const LARGE_BYTES: usize = 100_000;

/// A record with its number first.
fn record(number: u32, bytes: usize) -> NewRecord {
    let mut value = number.to_be_bytes().to_vec();
    value.resize(bytes, 0);
    NewRecord {
        value: Some(value.into()),
        ..NewRecord::default()
    }
}

async fn lower_the_limit(full_name: &str) {
    let admin: AdminClient<DefaultClientContext> = ClientConfig::new()
        .set("bootstrap.servers", address())
        .create()
        .unwrap();
    let topic = AlterConfig::new(ResourceSpecifier::Topic(full_name));
    let lowered = topic.set("max.message.bytes", LOWERED);
    let altered = admin.alter_configs(&[lowered], &AdminOptions::new()).await;
    assert!(altered.unwrap().iter().all(Result::is_ok));
}

/// Appends large records beside the stream until the brokers refuse them.
async fn until_lowered(probe: &dyn Writer, beside: &TopicPartition) {
    let refused = async { while append(probe, beside, record(0, LARGE_BYTES)).await.is_ok() {} };
    tokio::time::timeout(Duration::from_secs(20), refused)
        .await
        .expect("the topic's new limit holds");
}

/// Appends a stream with a large record in its midst, faster than it is answered.
async fn stream(writer: &dyn Writer, to: &TopicPartition) -> Vec<Result<Appended, AppendError>> {
    let mut accepted = Vec::new();
    for number in 0..RECORDS {
        let bytes = if number == LARGE { LARGE_BYTES } else { 100 };
        accepted.push(writer.append(to, record(number, bytes)).await);
        tokio::time::sleep(Duration::from_micros(100)).await;
    }
    let mut answers = Vec::new();
    for one in accepted {
        answers.push(match one {
            Ok(appending) => appending.await,
            Err(refused) => Err(refused),
        });
    }
    answers
}

async fn landed(log: &KafkaLog, from: &TopicPartition) -> Vec<u32> {
    let end = log.bounds(from).await.unwrap().end;
    let mut reader = log.reader(from, 0).await.unwrap();
    let mut numbers = Vec::new();
    while reader.position() < end {
        for record in reader.next(LIMIT).await.unwrap() {
            let value = record.value.unwrap();
            numbers.push(u32::from_be_bytes(value[..4].try_into().unwrap()));
        }
    }
    numbers
}

/// Once the brokers have refused a record in mid-stream nothing behind it lands, although they would
/// take it; and the writer never comes back.
#[tokio::test(flavor = "multi_thread")]
async fn a_prefix_writer_that_failed_stays_broken() {
    let config = config(&address());
    let log = KafkaLog::connect(config.clone()).await.unwrap();
    log.ensure(&[spec("stream", 2)]).await.unwrap();
    let (to, beside) = (
        TopicPartition::new("stream", 0),
        TopicPartition::new("stream", 1),
    );
    let (broken, probe) = (
        writer(&log, WriterKind::Prefix).await,
        writer(&log, WriterKind::Ordered).await,
    );
    // Both know the topic as it was: from now on only the brokers can refuse.
    append(&*broken, &to, record(RECORDS, 100)).await.unwrap();
    append(&*probe, &beside, record(0, 100)).await.unwrap();
    lower_the_limit(&format!("{}stream", config.topic_prefix)).await;
    until_lowered(&*probe, &beside).await;

    let answers = stream(&*broken, &to).await;
    let there = landed(&log, &to).await;
    let confirmed = answers.iter().take_while(|answer| answer.is_ok()).count();
    assert!(confirmed > 0, "some landed before the large one");
    assert!(confirmed <= LARGE as usize, "{confirmed}");
    let expected = |count: usize| [RECORDS].into_iter().chain(0..RECORDS).take(1 + count);
    assert_eq!(there, expected(there.len() - 1).collect::<Vec<_>>());
    assert!((confirmed..=LARGE as usize).contains(&(there.len() - 1)));
    for (number, answer) in answers.iter().enumerate().skip(confirmed) {
        let error = answer.as_ref().expect_err("nothing lands behind a failure");
        let known = error.outcome() == Outcome::NotAppended;
        assert!(!known || number + 1 >= there.len(), "{number}: {error}");
    }
    for to in [&to, &beside] {
        let refused = append(&*broken, to, record(0, 100)).await.unwrap_err();
        assert!(matches!(refused, AppendError::Broken), "{refused}");
    }
    broken.close().await;
    assert_eq!(landed(&log, &to).await, there, "nothing lands late");

    let next = writer(&log, WriterKind::Prefix).await;
    let appended = append(&*next, &to, record(7, 100)).await.unwrap();
    assert_eq!(appended.offset, there.len() as u64);
}
