//! Reading one partition on and on.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use eventlog_port::{Offset, ReadError, ReadLimit, Reader, Record, TopicPartition};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use tokio::time::{Instant, timeout};

use crate::cluster::Cluster;
use crate::error::is_missing;
use crate::pool::{Lease, Pool};
use crate::record::{BadHeaders, record};

/// The longest wait for one wake-up: now and then it is lost.
const RECEIVE_WITHIN: Duration = Duration::from_millis(100);

/// What stopped a reader, kept until it is looked into.
enum Trouble {
    /// The brokers refuse the position, or don't know the partition.
    Position,
    /// What lies at the position can't be handed on.
    Damaged(Arc<dyn std::error::Error + Send + Sync>),
    /// A passing error.
    Passing(KafkaError),
}

pub(crate) struct KafkaReader {
    cluster: Arc<Cluster>,
    pool: Arc<Pool>,
    full_name: String,
    partition: TopicPartition,
    position: Offset,
    lease: Option<Lease>,
    trouble: Option<Trouble>,
    /// How many records the last call took: the next one makes room for as many.
    usual: usize,
}

impl KafkaReader {
    pub(crate) async fn open(
        cluster: Arc<Cluster>,
        pool: Arc<Pool>,
        full_name: String,
        partition: TopicPartition,
        from: Offset,
    ) -> Result<Self, ReadError> {
        cluster.bounds(&partition).await?.check(&partition, from)?;
        let (lease, trouble) = (None, None);
        let mut reader = Self {
            cluster,
            pool,
            full_name,
            partition,
            position: from,
            lease,
            trouble,
            usual: 0,
        };
        reader.begin().await?;
        Ok(reader)
    }

    /// Begins to fetch at the position.
    async fn begin(&mut self) -> Result<(), ReadError> {
        self.lease = None;
        let (pool, full_name) = (Arc::clone(&self.pool), self.full_name.clone());
        let number = i32::try_from(self.partition.partition()).unwrap_or(i32::MAX);
        let from = self.position;
        let leased = tokio::task::spawn_blocking(move || pool.lease(&full_name, number, from));
        let leased = leased.await.unwrap_or_else(|error| Err(Box::new(error)));
        self.lease = Some(leased.map_err(ReadError::Unavailable)?);
        Ok(())
    }

    /// What has arrived, without waiting.
    fn take(&mut self, limit: ReadLimit) -> Vec<Record> {
        let mut taken = Vec::new();
        let mut bytes = 0;
        let Some(lease) = &self.lease else {
            return taken;
        };
        while taken.len() < limit.records.max(1) && bytes < limit.bytes.max(1) {
            let Some(polled) = lease.queue().poll(Duration::ZERO) else {
                break;
            };
            if taken.is_empty() {
                taken.reserve(self.usual.min(limit.records));
            }
            match polled
                .map_err(trouble)
                .and_then(|message| record(&message).map_err(damaged))
            {
                // Fetched for whoever held the partition before.
                Ok(record) if record.offset < self.position => {}
                Ok(record) => {
                    self.position = record.offset + 1;
                    bytes += size(&record);
                    taken.push(record);
                }
                Err(trouble) => {
                    self.trouble = Some(trouble);
                    break;
                }
            }
        }
        taken
    }

    /// What the trouble means to the caller; nothing when it has passed.
    async fn look_into(&mut self, trouble: Trouble) -> Result<(), ReadError> {
        match trouble {
            Trouble::Position => {
                let bounds = self.cluster.bounds(&self.partition).await;
                let checked = bounds.and_then(|b| b.check(&self.partition, self.position));
                if let Err(error) = checked {
                    self.trouble = Some(Trouble::Position);
                    return Err(error);
                }
                // It was a broker that lagged behind.
                self.begin().await
            }
            Trouble::Damaged(source) => {
                self.lease = None;
                self.trouble = Some(Trouble::Damaged(Arc::clone(&source)));
                Err(ReadError::Corrupt {
                    partition: self.partition.clone(),
                    offset: self.position,
                    source: Box::new(source),
                })
            }
            Trouble::Passing(error) => Err(ReadError::Unavailable(Box::new(error))),
        }
    }
}

#[async_trait]
impl Reader for KafkaReader {
    async fn next(&mut self, limit: ReadLimit) -> Result<Vec<Record>, ReadError> {
        let until = Instant::now() + limit.wait;
        loop {
            if let Some(trouble) = self.trouble.take() {
                self.look_into(trouble).await?;
            }
            // Taken and returned without an await in between: a cancelled call has taken nothing.
            let taken = self.take(limit);
            if !taken.is_empty() {
                self.usual = taken.len();
                return Ok(taken);
            }
            if self.trouble.is_some() {
                continue;
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(taken);
            }
            match &self.lease {
                Some(lease) => {
                    drop(timeout(left.min(RECEIVE_WITHIN), lease.arrived.notified()).await);
                }
                None => self.begin().await?,
            }
        }
    }

    fn position(&self) -> Offset {
        self.position
    }
}

fn size(record: &Record) -> usize {
    let optional = |bytes: &Option<bytes::Bytes>| bytes.as_ref().map_or(0, bytes::Bytes::len);
    let headers: usize = record
        .headers
        .iter()
        .map(|h| h.name().len() + optional(&h.value))
        .sum();
    optional(&record.key) + optional(&record.value) + headers
}

fn damaged(error: BadHeaders) -> Trouble {
    Trouble::Damaged(Arc::new(error))
}

fn trouble(error: KafkaError) -> Trouble {
    let code = error.rdkafka_error_code();
    // librdkafka skips a batch whose checksum is wrong, and goes on behind it.
    if code == Some(Code::BadMessage) {
        Trouble::Damaged(Arc::new(error))
    } else if is_missing(&error)
        || matches!(
            code,
            Some(Code::AutoOffsetReset | Code::OffsetOutOfRange | Code::LogTruncation)
        )
    {
        Trouble::Position
    } else {
        Trouble::Passing(error)
    }
}
