//! Three nodes, one of which is killed.

use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use eventlog_kafka::KafkaLog;
use eventlog_port::{EventLog, TopicPartition, WriterKind};
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};

use crate::broker::{address, config, nodes, numbered, read_numbers, spec, writer};

/// How many records land behind each kill before the next.
const RECORDS: u64 = 500;
const ASK_EVERY: Duration = Duration::from_millis(50);

async fn services(arguments: &'static [&'static str]) {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scripts/services");
    let ran = tokio::task::spawn_blocking(move || Command::new(script).args(arguments).status());
    let status = ran.await.unwrap().expect("bash is there");
    assert!(status.success(), "scripts/services {arguments:?}");
}

/// How many records are durable; asks on while nobody answers.
async fn durable(log: &KafkaLog, partition: &TopicPartition) -> u64 {
    loop {
        if let Ok(bounds) = log.bounds(partition).await {
            return bounds.end;
        }
    }
}

/// Waits until so many more records are durable.
async fn goes_on(log: &KafkaLog, partition: &TopicPartition, records: u64) {
    let before = durable(log, partition).await;
    while durable(log, partition).await < before + records {
        tokio::time::sleep(ASK_EVERY).await;
    }
}

/// Waits until all three nodes have the topic's records.
async fn in_sync(full_name: String) {
    let asked = tokio::task::spawn_blocking(move || {
        let client: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", address())
            .create()
            .unwrap();
        loop {
            let found = client.fetch_metadata(Some(&full_name), Duration::from_secs(5));
            let replicas = found.map(|found| found.topics()[0].partitions()[0].isr().len());
            if replicas.is_ok_and(|replicas| replicas == 3) {
                return;
            }
            std::thread::sleep(ASK_EVERY);
        }
    });
    asked.await.unwrap();
}

async fn kill_in_turn(log: &KafkaLog, partition: &TopicPartition, full_name: &str) {
    const KILLS: [&[&str]; 3] = [
        &["stop", "kafka", "--node", "1", "--kill"],
        &["stop", "kafka", "--node", "2", "--kill"],
        &["stop", "kafka", "--node", "3", "--kill"],
    ];
    for kill in KILLS {
        services(kill).await;
        // A node needs longer to start than the others need to go on without it.
        tokio::join!(
            services(&["start", "kafka"]),
            goes_on(log, partition, RECORDS)
        );
        in_sync(full_name.to_owned()).await;
    }
}

/// While records stream, each node in turn is killed and comes back. Each record is there once, in
/// order, where it was said to be.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "kills brokers; needs `scripts/services start kafka --nodes 3`, and no other test beside it"]
async fn brokers_killed_in_turn_lose_nothing() {
    assert_eq!(
        nodes(),
        3,
        "start them with: scripts/services start kafka --nodes 3"
    );
    let config = config(&address());
    let log = KafkaLog::connect(config.clone()).await.unwrap();
    log.ensure(&[spec("stream", 1)]).await.unwrap();
    let partition = TopicPartition::new("stream", 0);
    let writer = writer(&log, WriterKind::Prefix).await;
    // It has found the topic before anything happens.
    let first = writer.append(&partition, numbered(0)).await.unwrap();
    let over = AtomicBool::new(false);
    let kills = async {
        let full_name = format!("{}stream", config.topic_prefix);
        kill_in_turn(&log, &partition, &full_name).await;
        over.store(true, Ordering::Relaxed);
    };
    let stream = async {
        let mut answers = vec![first];
        while !over.load(Ordering::Relaxed) {
            let number = u32::try_from(answers.len()).unwrap();
            answers.push(writer.append(&partition, numbered(number)).await.unwrap());
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        answers
    };
    let ((), answers) = tokio::join!(kills, stream);
    let count = u32::try_from(answers.len()).unwrap();
    for (number, answer) in answers.into_iter().enumerate() {
        let appended = answer.await.expect("two of three nodes were always there");
        assert_eq!(appended.offset, number as u64);
    }
    let read = read_numbers(&log, &partition).await;
    assert_eq!(read, (0..count).collect::<Vec<_>>());
}
