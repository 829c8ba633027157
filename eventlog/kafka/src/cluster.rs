//! Questions to the brokers. The driver's calls block, so each runs on a blocking thread and ends by
//! itself after the configured request time.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use domain::time::Timestamp;
use eventlog_port::{Bounds, BoxError, Offset, ReadError, TopicPartition};
use parking_lot::Mutex;
use rdkafka::TopicPartitionList;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::metadata::{Metadata, MetadataTopic};
use tokio::time::Instant;

use crate::config::Config;
use crate::context::Quiet;
use crate::error::{ConnectError, NoAnswer, is_missing, not_made};
use crate::record::{offset, raw};

/// How often the client's log lines and errors are fetched; they pile up otherwise.
const SERVE_EVERY: Duration = Duration::from_millis(250);

/// How long fetching them goes on when there are none.
const SERVE_FOR: Duration = Duration::from_millis(1);

/// How long to wait before brokers that don't know what they will are asked again.
pub(crate) const ASK_AGAIN: Duration = Duration::from_millis(20);

/// For how many request times brokers may not know a topic that one of them did.
const GONE_AFTER: u32 = 3;

/// A broker that has not heard yet of what another has told of.
pub(crate) const BEHIND: KafkaError =
    KafkaError::MetadataFetch(RDKafkaErrorCode::UnknownTopicOrPartition);

/// A topic of ours that a broker has told of.
#[derive(Debug, Default)]
struct Seen {
    /// The most that any said; they never get fewer.
    partitions: u32,
    /// Since when others don't know it, or know fewer, and when the last of them said so.
    denied: Option<(Instant, Instant)>,
}

impl Seen {
    /// A broker tells of so many.
    fn told(&mut self, partitions: u32) {
        if partitions >= self.partitions {
            *self = Self {
                partitions,
                denied: None,
            };
        }
    }

    /// A broker denies it; whether it has been denied for so long, by whoever was asked, that it is gone. What was not
    /// asked about for longer than two requests take counts from now on.
    fn is_gone(&mut self, now: Instant, request: Duration) -> bool {
        let since = match self.denied {
            Some((since, last)) if now.duration_since(last) <= 2 * request => since,
            Some(_) | None => now,
        };
        self.denied = Some((since, now));
        now.duration_since(since) >= request * GONE_AFTER
    }
}

/// A client of its own for questions: on a connection that also fetches, a question waits until the
/// broker has answered the fetch.
pub(crate) struct Cluster {
    client: Arc<BaseConsumer<Quiet>>,
    timeout: Duration,
    topic_prefix: String,
    /// Topics that were asked about by name, as far as any broker has told of them: one may hear of a new topic later than
    /// another. What else the cluster has comes and goes.
    seen: Mutex<BTreeMap<String, Seen>>,
    /// Dropped with the cluster, which ends the serving thread.
    _serving: mpsc::Sender<()>,
}

impl Cluster {
    pub(crate) fn connect(config: &Config) -> Result<Self, ConnectError> {
        let mut settings = config.client("questions");
        // The durable end is that of readers: below it nothing is undecided.
        settings
            .set("isolation.level", "read_committed")
            .set("allow.auto.create.topics", "false");
        let made = settings.create_with_context(Quiet::default());
        let client: Arc<BaseConsumer<Quiet>> =
            Arc::new(made.map_err(|error| not_made(error, &config.bootstrap))?);
        let (serving, ended) = mpsc::channel();
        let served = Arc::clone(&client);
        let spawned = std::thread::Builder::new()
            .name("kafka-questions".to_owned())
            .spawn(move || {
                while ended.recv_timeout(SERVE_EVERY) == Err(mpsc::RecvTimeoutError::Timeout) {
                    serve(&served);
                }
            });
        spawned.map_err(|error| ConnectError::Unreachable {
            bootstrap: config.bootstrap.clone(),
            source: Box::new(error),
        })?;
        let (timeout, topic_prefix) = (config.request_timeout, config.topic_prefix.clone());
        Ok(Self {
            client,
            timeout,
            topic_prefix,
            seen: Mutex::default(),
            _serving: serving,
        })
    }

    /// Waits until a broker answers.
    ///
    /// # Errors
    /// What kept the brokers from answering, as far as a connection told.
    pub(crate) async fn answers(&self) -> Result<(), BoxError> {
        let asked = self.metadata(None).await;
        asked.map(drop).map_err(|error| {
            serve(&self.client);
            self.client.context().cause(error)
        })
    }

    /// Asks on a blocking thread.
    async fn ask<T, F>(&self, question: F) -> KafkaResult<T>
    where
        T: Send + 'static,
        F: FnOnce(&BaseConsumer<Quiet>, Duration) -> KafkaResult<T> + Send + 'static,
    {
        let (client, timeout) = (Arc::clone(&self.client), self.timeout);
        let asked = tokio::task::spawn_blocking(move || question(&client, timeout));
        asked.await.unwrap_or(Err(KafkaError::Canceled))
    }

    /// What a broker says of all topics, or of one.
    pub(crate) async fn metadata(&self, full_name: Option<String>) -> KafkaResult<Metadata> {
        let named = full_name.clone();
        let metadata = self
            .ask(move |client, timeout| client.fetch_metadata(full_name.as_deref(), timeout))
            .await?;
        let mut seen = self.seen.lock();
        for topic in metadata.topics() {
            let Some(count) = count(topic) else { continue };
            if named.as_deref() == Some(topic.name()) {
                seen.entry(topic.name().to_owned()).or_default().told(count);
            } else if let Some(seen) = seen.get_mut(topic.name()) {
                seen.told(count);
            }
        }
        drop(seen);
        Ok(metadata)
    }

    /// This topic is there, with so many partitions at least.
    pub(crate) fn knows(&self, full_name: String, partitions: u32) {
        let mut seen = self.seen.lock();
        seen.entry(full_name).or_default().told(partitions);
    }

    /// Whether some broker has said more of our topics than this one, who found `found` of those that were `wanted`:
    /// then it has not heard yet of what is new. What is denied for [`GONE_AFTER`] request times has been deleted.
    pub(crate) fn lags(
        &self,
        wanted: impl Fn(&str) -> bool,
        found: impl Fn(&str) -> Option<u32>,
    ) -> bool {
        let now = Instant::now();
        let mut lags = false;
        self.seen.lock().retain(|name, seen| {
            if !wanted(name) || found(name) >= Some(seen.partitions) {
                return true;
            }
            let is_gone = seen.is_gone(now, self.timeout);
            if is_gone {
                tracing::warn!(
                    topic = name,
                    "a topic, or a part of it, is not there any more"
                );
            }
            lags |= !is_gone;
            !is_gone
        });
        lags
    }

    /// How many partitions a topic has; `None` when it isn't there. Who [lags](Self::lags) is asked again, for a
    /// request's time.
    pub(crate) async fn partitions(&self, full_name: &str) -> KafkaResult<Option<u32>> {
        let until = Instant::now() + self.timeout;
        loop {
            let metadata = self.metadata(Some(full_name.to_owned())).await?;
            let found = metadata
                .topics()
                .iter()
                .find(|topic| topic.name() == full_name)
                .and_then(count);
            if !self.lags(|name| name == full_name, |_| found) {
                return Ok(found);
            }
            if Instant::now() >= until {
                return Err(BEHIND);
            }
            tokio::time::sleep(ASK_AGAIN).await;
        }
    }

    /// An error where one of the first `count` partitions of a topic is led by a broker that does not answer that it knows it.
    pub(crate) async fn leaders_answer(&self, full_name: &str, count: u32) -> KafkaResult<()> {
        let full_name = full_name.to_owned();
        let asked = self.ask(move |client, timeout| {
            let mut asked = TopicPartitionList::with_capacity(count as usize);
            for number in 0..i32::try_from(count).unwrap_or(i32::MAX) {
                asked.add_partition_offset(&full_name, number, rdkafka::Offset::Offset(0))?;
            }
            let answered = client.offsets_for_times(asked, timeout)?;
            let mut elements = answered.elements().into_iter();
            elements.try_for_each(|element| element.error())
        });
        asked.await
    }

    pub(crate) async fn bounds(&self, partition: &TopicPartition) -> Result<Bounds, ReadError> {
        let (start, end) = self
            .ask_of(partition, |client, timeout, topic, number| {
                client.fetch_watermarks(topic, number, timeout)
            })
            .await?;
        match (offset(start), offset(end)) {
            (Some(start), Some(end)) => Ok(Bounds { start, end }),
            (_, _) => Err(ReadError::Unavailable(Box::new(NoAnswer(self.timeout)))),
        }
    }

    pub(crate) async fn offset_at(
        &self,
        partition: &TopicPartition,
        time: Timestamp,
    ) -> Result<Offset, ReadError> {
        // The end is asked for first: a record that is appended in between lies at or above it.
        let bounds = self.bounds(partition).await?;
        let found = self
            .ask_of(partition, move |client, timeout, topic, number| {
                let mut asked = TopicPartitionList::with_capacity(1);
                let time = rdkafka::Offset::Offset(time.as_millis().max(0));
                asked.add_partition_offset(topic, number, time)?;
                let answered = client.offsets_for_times(asked, timeout)?;
                let element = answered
                    .elements()
                    .pop()
                    .ok_or(KafkaError::NoMessageReceived)?;
                element.error()?;
                Ok(element.offset())
            })
            .await?;
        match found {
            rdkafka::Offset::Offset(at) => Ok(offset(at).unwrap_or(bounds.end)),
            rdkafka::Offset::Beginning => Ok(bounds.start),
            rdkafka::Offset::End
            | rdkafka::Offset::Stored
            | rdkafka::Offset::Invalid
            | rdkafka::Offset::OffsetTail(_) => Ok(bounds.end),
        }
    }

    /// Asks about one partition. A broker that doesn't know it may lag behind: see [`partitions`](Self::partitions).
    async fn ask_of<T, F>(&self, partition: &TopicPartition, question: F) -> Result<T, ReadError>
    where
        T: Send + 'static,
        F: Fn(&BaseConsumer<Quiet>, Duration, &str, i32) -> KafkaResult<T> + Clone + Send + 'static,
    {
        let unavailable = |error| ReadError::Unavailable(Box::new(error));
        let full_name = format!("{}{}", self.topic_prefix, partition.topic());
        let number = i32::try_from(partition.partition()).unwrap_or(i32::MAX);
        let until = Instant::now() + self.timeout;
        loop {
            let (question, topic) = (question.clone(), full_name.clone());
            let asked = self.ask(move |client, timeout| question(client, timeout, &topic, number));
            let error = match asked.await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            if is_missing(&error) {
                let there = self.partitions(&full_name).await.map_err(unavailable)?;
                if there.is_none_or(|count| partition.partition() >= count) {
                    return Err(ReadError::NoSuchPartition(partition.clone()));
                }
            }
            if Instant::now() >= until {
                return Err(unavailable(error));
            }
            tokio::time::sleep(ASK_AGAIN).await;
        }
    }

    /// One partition and an offset, as the driver wants them.
    pub(crate) fn place(
        full_name: &str,
        number: i32,
        from: Offset,
    ) -> KafkaResult<TopicPartitionList> {
        let mut list = TopicPartitionList::with_capacity(1);
        list.add_partition_offset(full_name, number, rdkafka::Offset::Offset(raw(from)))?;
        Ok(list)
    }
}

/// How many partitions a topic has, as a broker says; `None` when it says that it doesn't know it.
fn count(topic: &MetadataTopic) -> Option<u32> {
    let count = topic.partitions().len();
    (topic.error().is_none() && count > 0).then(|| u32::try_from(count).unwrap_or(u32::MAX))
}

/// Fetches the log lines and errors that have piled up.
fn serve(client: &BaseConsumer<Quiet>) {
    // A poll without any time ends at the first log line, whatever lies behind it.
    while client.poll(SERVE_FOR).is_some() {}
}

#[cfg(test)]
mod tests {
    use super::*;

    const REQUEST: Duration = Duration::from_secs(10);

    /// Each after so many seconds: told of so many partitions, or denied, and then whether it is gone.
    fn play(steps: &[(u64, Option<u32>, bool)]) {
        let began = Instant::now();
        let mut seen = Seen::default();
        seen.told(4);
        for (at, told, is_gone) in steps {
            let now = began + Duration::from_secs(*at);
            match told {
                Some(partitions) => seen.told(*partitions),
                None => assert_eq!(seen.is_gone(now, REQUEST), *is_gone, "{steps:?}, at {at}"),
            }
        }
    }

    #[test]
    fn a_topic_is_gone_when_it_is_denied_for_three_request_times() {
        play(&[
            (0, None, false),
            (15, None, false),
            (29, None, false),
            (30, None, true),
        ]);
    }

    #[test]
    fn a_broker_that_tells_of_it_begins_anew_and_one_that_knows_fewer_does_not() {
        play(&[
            (0, None, false),
            (15, Some(4), false),
            (30, None, false),
            (45, None, false),
        ]);
        play(&[
            (0, None, false),
            (15, Some(3), false),
            (20, None, false),
            (30, None, true),
        ]);
    }

    #[test]
    fn a_denial_long_after_another_is_the_first() {
        play(&[(0, None, false), (3_600, None, false), (3_629, None, false)]);
    }
}
