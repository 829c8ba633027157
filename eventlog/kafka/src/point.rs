//! Reading single records.

use std::sync::Arc;
use std::time::{Duration, Instant};

use eventlog_port::{Offset, ReadError, Record, TopicPartition};
use rdkafka::error::KafkaError;
use tokio::sync::Semaphore;

use crate::cluster::Cluster;
use crate::config::Config;
use crate::error::NoAnswer;
use crate::pool::{Lease, Pool};
use crate::record::record;

/// How many single records are read at once. Each may need a consumer of its own.
const AT_ONCE: usize = 2;

pub(crate) struct PointReads {
    cluster: Arc<Cluster>,
    pool: Arc<Pool>,
    turns: Semaphore,
    timeout: Duration,
}

/// What a look at one offset found.
enum Found {
    Record(Box<Record>),
    Gap,
    Damaged(eventlog_port::BoxError),
}

impl PointReads {
    pub(crate) fn new(config: &Config, cluster: Arc<Cluster>) -> Self {
        Self {
            cluster,
            pool: Arc::new(Pool::pointed(config)),
            turns: Semaphore::new(AT_ONCE),
            timeout: config.request_timeout,
        }
    }

    pub(crate) async fn read_at(
        &self,
        full_name: String,
        partition: &TopicPartition,
        at: Offset,
    ) -> Result<Option<Record>, ReadError> {
        let bounds = self.cluster.bounds(partition).await?;
        if at >= bounds.end {
            return Ok(None);
        }
        bounds.check(partition, at)?;
        let turn = self.turns.acquire().await.expect("never closed");
        let (pool, timeout) = (Arc::clone(&self.pool), self.timeout);
        let number = i32::try_from(partition.partition()).unwrap_or(i32::MAX);
        let looked = tokio::task::spawn_blocking(move || {
            let lease = pool.lease(&full_name, number, at)?;
            look(&lease, at, timeout)
        });
        let looked = looked.await.unwrap_or_else(|error| Err(Box::new(error)));
        drop(turn);
        match looked {
            Ok(Found::Record(record)) => Ok(Some(*record)),
            Ok(Found::Gap) => Ok(None),
            Ok(Found::Damaged(source)) => Err(ReadError::Corrupt {
                partition: partition.clone(),
                offset: at,
                source,
            }),
            Err(error) => {
                // Retention may have passed it in the meantime.
                self.cluster.bounds(partition).await?.check(partition, at)?;
                Err(ReadError::Unavailable(error))
            }
        }
    }
}

/// Blocks until something at or above the offset has arrived, or the partition has ended.
fn look(lease: &Lease, at: Offset, within: Duration) -> Result<Found, eventlog_port::BoxError> {
    #[expect(
        clippy::disallowed_methods,
        reason = "a blocking wait, outside the runtime's timer"
    )]
    let until = Instant::now() + within;
    loop {
        let left = until.saturating_duration_since(
            #[expect(clippy::disallowed_methods, reason = "the same wait")]
            Instant::now(),
        );
        if left.is_zero() {
            return Err(Box::new(NoAnswer(within)));
        }
        // A wake-up may be lost: never one wait for the whole time.
        match lease.queue().poll(left.min(Duration::from_millis(100))) {
            None => {}
            Some(Err(KafkaError::PartitionEOF(_))) => return Ok(Found::Gap),
            Some(Err(error)) => return Err(Box::new(error)),
            Some(Ok(message)) => match record(&message) {
                Ok(record) if record.offset == at => return Ok(Found::Record(Box::new(record))),
                Ok(record) if record.offset > at => return Ok(Found::Gap),
                // Fetched for whoever held the partition before.
                Ok(_) => {}
                Err(bad) => return Ok(Found::Damaged(Box::new(bad))),
            },
        }
    }
}
