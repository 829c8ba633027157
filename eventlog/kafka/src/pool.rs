//! The consumers that readers share: a thread each, not one a reader.

use std::collections::BTreeSet;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use eventlog_port::Offset;
use parking_lot::Mutex;
use rdkafka::ClientConfig;
use rdkafka::consumer::base_consumer::PartitionQueue;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::metadata::MetadataTopic;
use tokio::sync::Notify;

use crate::cluster::Cluster;
use crate::config::Config;
use crate::context::Quiet;
use crate::error::ConnectError;

/// How often a consumer's log lines and errors are fetched.
const SERVE_EVERY: Duration = Duration::from_millis(250);

/// How long a broker may hold back the answer to a fetch that finds nothing new. It is also how long
/// a reader may have to wait for its first fetch: one at a time is under way to each broker.
const FETCH_WAIT: &str = "100";

/// How long, in ms, a broker holds the answer to a patient fetch back that finds less than half of what it may bring of
/// one partition.
const PATIENCE: &str = "25";

/// How long a topic's leaders are asked for before it is read; the consumer finds them later by itself.
const LEADERS_WITHIN: Duration = Duration::from_secs(2);

type Partition = (String, i32);

/// How much is fetched ahead of each partition: once queues are split the bound holds for each, so the budget is
/// divided.
fn queued_kib(config: &Config) -> u64 {
    let kib = config.read_buffer_bytes / u64::from(config.readers) / 1024;
    kib.clamp(64, 2_097_151)
}

/// How many bytes of a partition one fetch may bring.
fn fetched(config: &Config) -> u64 {
    (queued_kib(config) * 1024).min(1 << 20)
}

/// Consumers that hold each partition at most once.
pub(crate) struct Pool {
    settings: ClientConfig,
    shards: Mutex<Vec<Arc<Shard>>>,
}

/// One consumer and the partitions that it holds.
struct Shard {
    consumer: Arc<BaseConsumer<Quiet>>,
    held: Arc<Mutex<BTreeSet<Partition>>>,
    /// Topics whose leaders the consumer has been told.
    led: Mutex<BTreeSet<String>>,
    released: mpsc::Sender<Released>,
}

/// What a lease leaves behind, to be cleared away on the consumer's own thread: both the unassigning
/// and the end of a consumer block.
struct Released {
    partition: Partition,
    queue: Option<PartitionQueue<Quiet>>,
    held: Arc<Mutex<BTreeSet<Partition>>>,
}

/// A partition being fetched, from its own queue.
pub(crate) struct Lease {
    shard: Arc<Shard>,
    partition: Partition,
    /// There until the lease is dropped.
    queue: Option<PartitionQueue<Quiet>>,
    /// Told when the queue gets its first record; now and then it isn't.
    pub(crate) arrived: Arc<Notify>,
}

impl Pool {
    /// For readers that go on and on.
    pub(crate) fn streaming(config: &Config) -> Self {
        Self::going_on(config, "readers")
    }

    fn going_on(config: &Config, name: &str) -> Self {
        let kib = queued_kib(config);
        let fetched = fetched(config);
        let mut settings = reading(config, name);
        settings
            .set("queued.max.messages.kbytes", kib.to_string())
            .set("fetch.message.max.bytes", fetched.to_string())
            .set("fetch.wait.max.ms", FETCH_WAIT)
            // The default leaves a drained queue empty for up to a second.
            .set("fetch.queue.backoff.ms", "1");
        Self {
            settings,
            shards: Mutex::default(),
        }
    }

    /// For readers that go on and on and may wait: what came within [`PATIENCE`] is fetched at once.
    pub(crate) fn patient(config: &Config) -> Self {
        let mut pool = Self::going_on(config, "patient-readers");
        let enough = fetched(config) / 2;
        pool.settings
            .set("fetch.min.bytes", enough.to_string())
            .set("fetch.wait.max.ms", PATIENCE);
        pool
    }

    /// For single records: no more is fetched than the batch that the record is in, and the end of a
    /// partition is told.
    pub(crate) fn pointed(config: &Config) -> Self {
        let mut settings = reading(config, "point-reads");
        settings
            .set("queued.min.messages", "1")
            .set("queued.max.messages.kbytes", "1")
            .set("fetch.message.max.bytes", "1024")
            .set("fetch.wait.max.ms", "1")
            .set("fetch.queue.backoff.ms", "5")
            .set("enable.partition.eof", "true");
        Self {
            settings,
            shards: Mutex::default(),
        }
    }

    /// Begins to fetch a partition. Blocks for as long as the client needs to take the assignment.
    pub(crate) fn lease(
        &self,
        full_name: &str,
        number: i32,
        from: Offset,
    ) -> Result<Lease, eventlog_port::BoxError> {
        let partition = (full_name.to_owned(), number);
        let shard = self.shard_without(&partition)?;
        let lease = Lease {
            shard,
            partition,
            queue: None,
            arrived: Arc::default(),
        };
        Ok(lease.begin(from)?)
    }

    /// A consumer that doesn't hold the partition yet and does from now on: the first, unless it is
    /// read twice at once.
    fn shard_without(&self, partition: &Partition) -> Result<Arc<Shard>, ConnectError> {
        let mut shards = self.shards.lock();
        let free = shards
            .iter()
            .find(|shard| shard.held.lock().insert(partition.clone()));
        if let Some(shard) = free {
            return Ok(Arc::clone(shard));
        }
        let shard = Arc::new(Shard::start(&self.settings)?);
        shard.held.lock().insert(partition.clone());
        shards.push(Arc::clone(&shard));
        Ok(shard)
    }
}

impl Shard {
    fn start(settings: &ClientConfig) -> Result<Self, ConnectError> {
        let made = settings.create_with_context(Quiet::default());
        let consumer: Arc<BaseConsumer<Quiet>> =
            Arc::new(made.map_err(crate::error::not_made_again)?);
        let (released, cleared) = mpsc::channel();
        let served = Arc::clone(&consumer);
        let spawned = std::thread::Builder::new()
            .name("kafka-readers".to_owned())
            .spawn(move || serve(&served, &cleared));
        spawned.map_err(|error| ConnectError::Unreachable {
            bootstrap: settings
                .get("bootstrap.servers")
                .unwrap_or_default()
                .to_owned(),
            source: Box::new(error),
        })?;
        Ok(Self {
            consumer,
            held: Arc::default(),
            led: Mutex::default(),
            released,
        })
    }
}

/// A consumer's thread: fetches what belongs to no partition, clears leases away, and ends the
/// consumer once nobody uses it.
fn serve(consumer: &BaseConsumer<Quiet>, released: &mpsc::Receiver<Released>) {
    loop {
        match released.recv_timeout(SERVE_EVERY) {
            Ok(released) => released.clear_away(consumer),
            Err(mpsc::RecvTimeoutError::Timeout) => {}
            Err(mpsc::RecvTimeoutError::Disconnected) => break,
        }
        while consumer.poll(Duration::ZERO).is_some() {}
    }
}

impl Released {
    fn clear_away(self, consumer: &BaseConsumer<Quiet>) {
        let (topic, number) = &self.partition;
        // Dropping a queue alone would leave the partition fetched, and silent for its next reader.
        let unassigned = Cluster::place(topic, *number, 0)
            .and_then(|places| consumer.incremental_unassign(&places));
        if let Err(error) = unassigned {
            tracing::warn!(topic, partition = number, %error, "could not stop fetching a partition");
        }
        drop(self.queue);
        self.held.lock().remove(&self.partition);
    }
}

impl Shard {
    /// Asks for a topic's leaders where the consumer doesn't know the topic: by itself it asks once a second,
    /// and whoever reads a topic for the first time waits for that.
    fn find_leaders(&self, topic: &str) {
        if self.led.lock().contains(topic) {
            return;
        }
        match self.consumer.fetch_metadata(Some(topic), LEADERS_WITHIN) {
            Ok(found) if found.topics().iter().all(|topic| topic.error().is_some()) => {
                let topics = found.topics().iter();
                let why = topics.filter_map(MetadataTopic::error).next();
                tracing::debug!(
                    topic,
                    ?why,
                    "the broker that was asked names no leaders yet"
                );
            }
            Ok(_) => drop(self.led.lock().insert(topic.to_owned())),
            Err(error) => tracing::debug!(topic, %error, "a topic's leaders are not known yet"),
        }
    }
}

impl Lease {
    fn begin(mut self, from: Offset) -> Result<Self, KafkaError> {
        let (topic, number) = &self.partition;
        self.shard.find_leaders(topic);
        // Split before assigning: what is fetched in between would come from the shared queue.
        let split = self.shard.consumer.split_partition_queue(topic, *number);
        let mut queue = split.ok_or(KafkaError::Canceled)?;
        let arrived = Arc::clone(&self.arrived);
        queue.set_nonempty_callback(move || arrived.notify_one());
        self.queue = Some(queue);
        let places = Cluster::place(topic, *number, from)?;
        self.shard.consumer.incremental_assign(&places)?;
        Ok(self)
    }

    /// The partition's queue.
    pub(crate) fn queue(&self) -> &PartitionQueue<Quiet> {
        self.queue
            .as_ref()
            .expect("a lease has its queue until it is dropped")
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let released = Released {
            partition: self.partition.clone(),
            queue: self.queue.take(),
            held: Arc::clone(&self.shard.held),
        };
        // The thread runs as long as the shard is there, and this lease holds it.
        drop(self.shard.released.send(released));
    }
}

fn reading(config: &Config, role: &str) -> ClientConfig {
    let mut client = config.client(role);
    client
        // The driver assigns nothing to a consumer without a group's name. It joins none: that
        // takes a subscription.
        .set(
            "group.id",
            format!("{}{}-{role}", config.topic_prefix, config.instance),
        )
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        // A reader whose offset is gone says so, and is never moved.
        .set("auto.offset.reset", "error")
        // What a transaction of somebody else's took back is no event.
        .set("isolation.level", "read_committed")
        .set("allow.auto.create.topics", "false")
        .set("check.crcs", "true");
    client
}
