//! The log read and written by a client that is not the product's.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use checker::history::Record;
use rdkafka::admin::{AdminClient, AdminOptions, AlterConfig, ConfigSource, ResourceSpecifier};
use rdkafka::client::{ClientContext, DefaultClientContext};
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, DeliveryResult, Header, Headers as _, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _, ProducerContext};
use rdkafka::types::RDKafkaErrorCode;
use rdkafka::{ClientConfig, Message as _, Offset, TopicPartitionList};

/// How long a broker may take for one answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// The largest batch that a topic takes, in bytes.
const LIMIT: &str = "max.message.bytes";

/// After how long a broker is asked again.
const AGAIN: Duration = Duration::from_millis(200);

/// How long it is waited at a time for what a broker says of a record.
const POLL: Duration = Duration::from_millis(2);

/// One deployment's topics on the brokers, as far as they were read.
pub struct Brokers {
    addresses: String,
    prefix: String,
    read: BTreeMap<(String, u32), Vec<Record>>,
    /// Made with the first record that is appended; one at a time.
    producer: Mutex<Option<BaseProducer<Reports>>>,
}

/// The next offset to read and the end, by the full name of the topic and the partition.
type Spans = BTreeMap<(String, i32), (i64, i64)>;

impl Brokers {
    /// Topics that begin with `prefix`.
    #[must_use]
    pub fn new(addresses: &str, prefix: &str) -> Self {
        Self {
            addresses: addresses.to_owned(),
            prefix: prefix.to_owned(),
            read: BTreeMap::new(),
            producer: Mutex::default(),
        }
    }

    fn config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.addresses);
        config
    }

    /// Everything that was read, by the topic's name in the protocol.
    #[must_use]
    pub const fn records(&self) -> &BTreeMap<(String, u32), Vec<Record>> {
        &self.read
    }

    /// Reads on, every partition as far as it goes now; says what is new.
    ///
    /// # Errors
    /// When a broker doesn't answer in time, or an offset is missing.
    pub fn read_on(&mut self) -> anyhow::Result<Vec<(String, u32, Record)>> {
        let mut config = self.config();
        config.set("group.id", format!("{}reader", self.prefix));
        config.set("enable.auto.commit", "false");
        config.set("auto.offset.reset", "error");
        let consumer: BaseConsumer = config.create()?;
        let mut left = self.spans_in_time(&consumer)?;
        let mut wanted = TopicPartitionList::new();
        for ((topic, partition), (from, _)) in &left {
            wanted.add_partition_offset(topic, *partition, Offset::Offset(*from))?;
        }
        consumer.assign(&wanted)?;
        let mut new = Vec::new();
        let mut heard = deadline();
        while !left.is_empty() {
            let Some(message) = consumer.poll(Duration::from_millis(100)) else {
                ensure!(now() < heard, "nothing to read for {PATIENCE:?}: {left:?}");
                continue;
            };
            heard = deadline();
            let message = message?;
            let key = (message.topic().to_owned(), message.partition());
            let Some((from, end)) = left.get_mut(&key) else {
                continue;
            };
            let offset = message.offset();
            ensure!(offset >= *from, "{key:?}: {offset} again");
            *from = offset + 1;
            let is_all = *from >= *end;
            if is_all {
                left.remove(&key);
            }
            let topic = key
                .0
                .strip_prefix(&self.prefix)
                .unwrap_or(&key.0)
                .to_owned();
            let partition = u32::try_from(key.1)?;
            let record = record(&message)?;
            let place = (topic.clone(), partition);
            self.read.entry(place).or_default().push(record.clone());
            new.push((topic, partition, record));
        }
        Ok(new)
    }

    /// As [`spans`](Self::spans), asked again where a broker is not known yet, or a partition's leader is another.
    fn spans_in_time(&mut self, consumer: &BaseConsumer) -> anyhow::Result<Spans> {
        let within = deadline();
        loop {
            match self.spans(consumer) {
                Err(error) if error.is::<KafkaError>() && now() < within => {
                    std::thread::sleep(AGAIN);
                }
                done => return done,
            }
        }
    }

    /// What is still to be read of each partition. One of which nothing is left is not named, but known.
    fn spans(&mut self, consumer: &BaseConsumer) -> anyhow::Result<Spans> {
        let metadata = consumer.fetch_metadata(None, PATIENCE)?;
        let mut spans = Spans::new();
        for topic in metadata.topics() {
            let Some(name) = topic.name().strip_prefix(&self.prefix) else {
                continue;
            };
            for partition in topic.partitions() {
                let (begin, end) =
                    consumer.fetch_watermarks(topic.name(), partition.id(), PATIENCE)?;
                let place = (name.to_owned(), u32::try_from(partition.id())?);
                let read = self.read.entry(place).or_default();
                let next = match read.last() {
                    Some(last) => i64::try_from(last.offset)? + 1,
                    None => begin,
                };
                ensure!(next >= begin, "{name}: retention has overtaken the reader");
                if next < end {
                    spans.insert((topic.name().to_owned(), partition.id()), (next, end));
                }
            }
        }
        Ok(spans)
    }

    /// The partitions that lack a copy or a leader.
    ///
    /// # Errors
    /// When no broker answers in time.
    pub fn lagging(&self) -> anyhow::Result<Vec<String>> {
        let client: BaseConsumer = self.config().create()?;
        let metadata = client.fetch_metadata(None, PATIENCE)?;
        let mut lagging = Vec::new();
        for topic in metadata.topics() {
            for partition in topic.partitions() {
                let is_whole = partition.isr().len() == partition.replicas().len();
                if partition.leader() < 0 || !is_whole {
                    lagging.push(format!("{}[{}]", topic.name(), partition.id()));
                }
            }
        }
        Ok(lagging)
    }

    /// Takes all records of a partition away, as retention does.
    ///
    /// # Errors
    /// When the broker refuses.
    pub async fn delete_all(&self, topic: &str, partition: i32) -> anyhow::Result<()> {
        let admin: AdminClient<DefaultClientContext> = self.config().create()?;
        let mut below = TopicPartitionList::new();
        let full = format!("{}{topic}", self.prefix);
        below.add_partition_offset(&full, partition, Offset::End)?;
        admin.delete_records(&below, &AdminOptions::new()).await?;
        Ok(())
    }

    /// Has a topic take no record at all; says what its own configuration was.
    ///
    /// # Errors
    /// When the broker refuses.
    pub async fn refuse(&self, topic: &str) -> anyhow::Result<Vec<(String, String)>> {
        let admin: AdminClient<DefaultClientContext> = self.config().create()?;
        let full = format!("{}{topic}", self.prefix);
        let asked = [ResourceSpecifier::Topic(&full)];
        let described = admin.describe_configs(&asked, &AdminOptions::new()).await?;
        let described = described.into_iter().next().context("one was asked for")?;
        let described = described.map_err(|code| anyhow::anyhow!("{full}: {code}"))?;
        let own = described
            .entries
            .into_iter()
            .filter(|entry| entry.source == ConfigSource::DynamicTopic);
        let was: Vec<_> = own
            .filter_map(|entry| Some((entry.name, entry.value?)))
            .collect();
        let mut now = was.clone();
        now.retain(|(name, _)| name != LIMIT);
        // Less than an empty batch has.
        now.push((LIMIT.to_owned(), "1".to_owned()));
        self.set(topic, &now).await?;
        Ok(was)
    }

    /// Gives a topic a configuration of its own, and nothing else of what it had.
    ///
    /// # Errors
    /// When the broker refuses.
    pub async fn set(&self, topic: &str, configuration: &[(String, String)]) -> anyhow::Result<()> {
        let admin: AdminClient<DefaultClientContext> = self.config().create()?;
        let full = format!("{}{topic}", self.prefix);
        let mut altered = AlterConfig::new(ResourceSpecifier::Topic(&full));
        for (name, value) in configuration {
            altered = altered.set(name, value);
        }
        let altered = admin
            .alter_configs(&[altered], &AdminOptions::new())
            .await?;
        for one in altered {
            one.map_err(|(_, code)| anyhow::anyhow!("{full}: {code}"))?;
        }
        Ok(())
    }

    /// Appends what somebody else would, and waits for the broker's word on it.
    ///
    /// # Errors
    /// When the client refuses it, or no broker says in time what became of it.
    pub fn append(
        &self,
        topic: &str,
        partition: i32,
        record: &Foreign,
    ) -> anyhow::Result<Result<u64, RDKafkaErrorCode>> {
        let mut kept = self.producer.lock().unwrap_or_else(PoisonError::into_inner);
        let producer = match &mut *kept {
            Some(producer) => producer,
            none => none.insert(self.producer()?),
        };
        producer.context().forget();
        let full = format!("{}{topic}", self.prefix);
        let mut headers = OwnedHeaders::new();
        for (key, value) in &record.headers {
            let value = value.as_deref();
            headers = headers.insert(Header { key, value });
        }
        let mut to = BaseRecord::<str, [u8]>::to(&full)
            .partition(partition)
            .headers(headers);
        to.key = record.key.as_deref();
        to.payload = record.value.as_deref();
        let sent = producer.send(to).map_err(|(error, _)| error);
        sent.with_context(|| format!("to {full}"))?;
        let until = deadline();
        // `flush` would wait a tenth of a second for each, and `poll` as long as it is given.
        let told = loop {
            producer.poll(POLL);
            let told = producer.context().told();
            if told.is_some() || now() >= until {
                break told;
            }
        };
        let told = told.with_context(|| format!("nobody said what became of it in {full}"))?;
        Ok(match told {
            Ok(offset) => Ok(u64::try_from(offset)?),
            Err(code) => Err(code),
        })
    }

    fn producer(&self) -> anyhow::Result<BaseProducer<Reports>> {
        let mut config = self.config();
        // Larger than any topic takes: it is the broker that refuses.
        config
            .set("acks", "all")
            .set("linger.ms", "0")
            .set("message.max.bytes", "60000000");
        Ok(config.create_with_context(Reports::default())?)
    }
}

/// What a broker said of a producer's last record: where it is, or why it is not there.
#[derive(Default)]
struct Reports(Mutex<Option<Result<i64, RDKafkaErrorCode>>>);

impl Reports {
    fn forget(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn told(&self) -> Option<Result<i64, RDKafkaErrorCode>> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ClientContext for Reports {}

impl ProducerContext for Reports {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        let told = match result {
            Ok(message) => Ok(message.offset()),
            Err((error, _)) => Err(error
                .rdkafka_error_code()
                .unwrap_or(RDKafkaErrorCode::Unknown)),
        };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(told);
    }
}

/// What somebody else would append.
#[derive(Clone, Debug, Default)]
pub struct Foreign {
    /// The record's key.
    pub key: Option<String>,
    /// The headers, in order.
    pub headers: Vec<(String, Option<String>)>,
    /// The value; `None` is a tombstone.
    pub value: Option<Vec<u8>>,
}

#[expect(
    clippy::disallowed_methods,
    reason = "a blocking client has real deadlines"
)]
fn now() -> Instant {
    Instant::now()
}

fn deadline() -> Instant {
    now() + PATIENCE
}

fn record(message: &BorrowedMessage<'_>) -> anyhow::Result<Record> {
    let header = |header: Header<'_, &[u8]>| {
        let value = header.value.map(<[u8]>::to_vec);
        (header.key.to_owned(), value)
    };
    let headers = message.headers();
    let headers = headers.map(|headers| headers.iter().map(header).collect());
    let appended_at = message.timestamp().to_millis();
    Ok(Record {
        offset: u64::try_from(message.offset())?,
        appended_at: appended_at.context("a record has a time")?,
        key: message.key().map(<[u8]>::to_vec),
        headers: headers.unwrap_or_default(),
        value: message.payload().map(<[u8]>::to_vec),
    })
}
