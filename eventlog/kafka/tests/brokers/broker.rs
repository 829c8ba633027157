//! The broker that the tests run against, and names that no other test has.

use std::io::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, UNIX_EPOCH};

use eventlog_kafka::{Config, KafkaLog};
use eventlog_port::{
    AppendError, Appended, EventLog, NewRecord, ReadLimit, TopicPartition, TopicSpec, Writer,
    WriterKind, WriterSpec,
};

/// Waits long enough for anything that comes.
pub(crate) const LIMIT: ReadLimit = ReadLimit {
    records: 1_000,
    bytes: 1 << 20,
    wait: Duration::from_secs(60),
};

/// A variable of `scripts/services env`.
///
/// # Panics
/// When it isn't set: a test without a broker has tested nothing.
pub(crate) fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| {
        panic!(
            "{name} is not set; start a broker with: \
             scripts/services start kafka && eval \"$(scripts/services env)\""
        )
    })
}

/// Whether the brokers are containers, which have no listener behind TLS. Says then, even where output is captured,
/// that `what` has not been tested.
pub(crate) fn left_out_on_containers(what: &str) -> bool {
    let Ok(images) = std::env::var("POSTRIDER_TEST_CONTAINERS") else {
        return false;
    };
    let mut uncaptured = std::io::stderr();
    writeln!(
        uncaptured,
        "!! NOT TESTED: {what}: not on containers ({images})"
    )
    .expect("written");
    true
}

/// The brokers' addresses, without a proxy.
pub(crate) fn address() -> String {
    variable("POSTRIDER_TEST_KAFKA")
}

/// On how many nodes the brokers run.
pub(crate) fn nodes() -> u32 {
    u32::try_from(address().split(',').count()).expect("a handful")
}

/// A name that no test of this or another run has.
pub(crate) fn unique(name: &str) -> String {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let number = COUNTER.fetch_add(1, Ordering::Relaxed);
    let now = UNIX_EPOCH.elapsed().expect("after 1970").as_millis();
    format!("{name}-{now:x}-{:x}-{number}", std::process::id())
}

/// A configuration with a prefix of its own.
pub(crate) fn config(bootstrap: &str) -> Config {
    Config {
        topic_prefix: unique("t") + ".",
        replication: nodes(),
        ..Config::new(bootstrap)
    }
}

/// One with short times, for who waits for them to pass.
pub(crate) fn hasty(bootstrap: &str) -> Config {
    Config {
        request_timeout: Duration::from_millis(1_500),
        ordered_timeout: Duration::from_secs(4),
        ..config(bootstrap)
    }
}

/// A topic for records of up to 1 MiB.
pub(crate) fn spec(name: &str, partitions: u32) -> TopicSpec {
    TopicSpec {
        name: name.to_owned(),
        partitions,
        retention: None,
        retention_bytes: None,
        max_record_bytes: 1 << 20,
    }
}

/// A log with a prefix of its own and one topic of one partition.
pub(crate) async fn one_partition(config: Config) -> (KafkaLog, TopicPartition) {
    let log = KafkaLog::connect(config).await.expect("the broker answers");
    log.ensure(&[spec("stream", 1)]).await.expect("made");
    (log, TopicPartition::new("stream", 0))
}

pub(crate) async fn writer(log: &dyn EventLog, kind: WriterKind) -> Box<dyn Writer> {
    let spec = WriterSpec {
        kind,
        name: "test".to_owned(),
        max_in_flight: 500,
    };
    log.writer(spec).await.expect("a writer")
}

pub(crate) fn numbered(number: u32) -> NewRecord {
    NewRecord {
        value: Some(number.to_be_bytes().to_vec().into()),
        ..NewRecord::default()
    }
}

pub(crate) async fn append(
    writer: &dyn Writer,
    to: &TopicPartition,
    record: NewRecord,
) -> Result<Appended, AppendError> {
    writer.append(to, record).await?.await
}

/// The numbers of everything that is there now.
pub(crate) async fn read_numbers(log: &dyn EventLog, partition: &TopicPartition) -> Vec<u32> {
    let end = log.bounds(partition).await.expect("there").end;
    let mut reader = log.reader(partition, 0).await.expect("there");
    let mut numbers = Vec::new();
    while reader.position() < end {
        for record in reader.next(LIMIT).await.expect("readable") {
            let bytes = record.value.expect("a number");
            numbers.push(u32::from_be_bytes(
                bytes[..].try_into().expect("four bytes"),
            ));
        }
    }
    numbers
}
