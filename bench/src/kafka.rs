//! The Kafka adapter against the bare `rdkafka` producer and consumer, on one broker in one run.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, bail};
use bytes::Bytes;
use domain::chance::{Chance, Seeded};
use eventlog_kafka::{Config, KafkaLog};
use eventlog_port::{
    EventLog, NewRecord, ReadLimit, TopicPartition, TopicSpec, WriterKind, WriterSpec,
};
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{BaseRecord, Producer, ProducerContext, ThreadedProducer};
use rdkafka::{ClientContext, Offset, TopicPartitionList};
use tokio::time::Instant;

use crate::measure::{compare, median};

/// What to measure.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// A broker.
    #[arg(long, env = "POSTRIDER_TEST_KAFKA")]
    broker: String,
    /// Records of each run.
    #[arg(long, default_value_t = 1_000_000)]
    records: u64,
    /// Runs of each pair, in turn; their median counts.
    #[arg(long, default_value_t = 3)]
    runs: usize,
}

const VALUE: usize = 1_024;
const IN_FLIGHT: u32 = 10_000;

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let mut figures = Figures::default();
    for run in 0..arguments.runs {
        let run = format!("{}-{run}", std::process::id());
        runtime.block_on(one_run(arguments, &run, &mut figures))?;
    }
    println!(
        "{:<44} {:>12} {:>12} {:<5} {:>6}",
        "1 KiB records", "Postrider", "bare rdkafka", "", "ratio"
    );
    compare(
        "acknowledged appends",
        median(figures.appends),
        median(figures.bare_appends),
        "/s",
    );
    compare(
        "reads",
        median(figures.reads),
        median(figures.bare_reads),
        "/s",
    );
    Ok(())
}

#[derive(Default)]
struct Figures {
    appends: Vec<f64>,
    bare_appends: Vec<f64>,
    reads: Vec<f64>,
    bare_reads: Vec<f64>,
}

async fn one_run(arguments: &Arguments, run: &str, figures: &mut Figures) -> anyhow::Result<()> {
    let prefix = format!("bench-{run}-");
    let config = Config {
        topic_prefix: prefix.clone(),
        ..Config::new(arguments.broker.as_str())
    };
    let log = KafkaLog::connect(config).await?;
    let topic = |name: &str| TopicSpec {
        name: name.to_owned(),
        partitions: 1,
        retention: None,
        retention_bytes: None,
        max_record_bytes: 1 << 20,
    };
    log.ensure(&[topic("ours"), topic("bare")]).await?;
    let mut chance = Seeded::new(1);
    let value: Vec<u8> = (0..VALUE / 8)
        .flat_map(|_| chance.next_u64().to_be_bytes())
        .collect();
    let bare = format!("{prefix}bare");
    let records = arguments.records;
    let (broker, bytes) = (arguments.broker.as_str(), value.as_slice());
    figures.bare_appends.push(tokio::task::block_in_place(|| {
        bare_appends(broker, &bare, bytes, records)
    })?);
    figures
        .appends
        .push(appends(&log, Bytes::from(value.clone()), records).await?);
    figures.bare_reads.push(tokio::task::block_in_place(|| {
        bare_reads(broker, &bare, records)
    })?);
    figures.reads.push(reads(&log, records).await?);
    Ok(())
}

async fn appends(log: &KafkaLog, value: Bytes, records: u64) -> anyhow::Result<f64> {
    let spec = WriterSpec {
        kind: WriterKind::Prefix,
        name: "bench".to_owned(),
        max_in_flight: IN_FLIGHT,
    };
    let writer = log.writer(spec).await?;
    let to = TopicPartition::new("ours", 0);
    let begun = Instant::now();
    let mut open = VecDeque::new();
    for _ in 0..records {
        let record = NewRecord {
            value: Some(value.clone()),
            ..NewRecord::default()
        };
        open.push_back(writer.append(&to, record).await?);
        while open.len() >= IN_FLIGHT as usize {
            if let Some(oldest) = open.pop_front() {
                oldest.await?;
            }
        }
    }
    for answer in open {
        answer.await?;
    }
    Ok(records as f64 / begun.elapsed().as_secs_f64())
}

async fn reads(log: &KafkaLog, records: u64) -> anyhow::Result<f64> {
    let limit = ReadLimit {
        records: 1_000,
        bytes: 1 << 20,
        wait: Duration::from_secs(10),
    };
    let mut reader = log.reader(&TopicPartition::new("ours", 0), 0).await?;
    // Both clocks start once records flow: connecting is no part of it.
    let begun_at = reader
        .next(ReadLimit {
            records: 1,
            ..limit
        })
        .await?
        .len() as u64;
    let begun = Instant::now();
    while reader.position() < records {
        reader.next(limit).await?;
    }
    Ok((records - begun_at) as f64 / begun.elapsed().as_secs_f64())
}

/// Counts what was acknowledged, as little as a delivery callback can do.
#[derive(Default)]
struct Acknowledged {
    confirmed: AtomicU64,
    failed: AtomicU64,
}

impl ClientContext for Acknowledged {}

impl ProducerContext for Acknowledged {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        let counter = if result.is_ok() {
            &self.confirmed
        } else {
            &self.failed
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

fn bare_appends(broker: &str, topic: &str, value: &[u8], records: u64) -> anyhow::Result<f64> {
    let counted = Acknowledged::default();
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", broker)
        .set("enable.idempotence", "true")
        .set("acks", "all")
        // As ours has it; the default waits five times as long.
        .set("linger.ms", "1");
    config.set("queue.buffering.max.messages", IN_FLIGHT.to_string());
    let producer: ThreadedProducer<_> = config.create_with_context(counted)?;
    let begun = Instant::now();
    for _ in 0..records {
        let mut record = BaseRecord::<(), [u8]>::to(topic)
            .partition(0)
            .payload(value);
        while let Err((error, back)) = producer.send(record) {
            if !matches!(
                error,
                KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull)
            ) {
                return Err(error.into());
            }
            std::thread::sleep(Duration::from_millis(1));
            record = back;
        }
    }
    producer.flush(Duration::from_secs(60))?;
    let took = begun.elapsed().as_secs_f64();
    let context = Arc::clone(producer.context());
    let confirmed = context.confirmed.load(Ordering::Relaxed);
    if confirmed != records {
        bail!("{confirmed} of {records} were confirmed");
    }
    Ok(records as f64 / took)
}

fn bare_reads(broker: &str, topic: &str, records: u64) -> anyhow::Result<f64> {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", broker)
        .set("group.id", "bench")
        .set("enable.auto.commit", "false");
    let consumer: BaseConsumer = config.create()?;
    let mut partitions = TopicPartitionList::new();
    partitions.add_partition_offset(topic, 0, Offset::Beginning)?;
    consumer.assign(&partitions)?;
    let mut bytes = 0;
    let mut begun = Instant::now();
    for number in 0..records {
        if number == 1 {
            begun = Instant::now();
        }
        let message = consumer
            .poll(Duration::from_secs(10))
            .context("the broker went silent")??;
        bytes += message.payload_len();
    }
    if bytes as u64 != records * VALUE as u64 {
        bail!("{bytes} bytes were read");
    }
    Ok(records as f64 / begun.elapsed().as_secs_f64())
}
