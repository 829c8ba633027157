//! A log of which one topic's broker says nothing for a while, as one does whose connection was cut: no error, no record,
//! no answer. Where a partition ends is always asked over a network.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use eventlog_port::topic::Plan;
use eventlog_port::{
    Bounds, EventLog, GroupError, GroupSpec, Member, Offset, ReadError, ReadLimit, Reader, Record,
    TopicError, TopicInfo, TopicPartition, TopicSpec, Writer, WriterSpec,
};
use schemas::topics::Topic;

/// Whether it says nothing.
#[derive(Clone, Default)]
pub struct Silence(Arc<AtomicBool>);

impl Silence {
    /// `log`, whose readers of `topic` hear nothing while this lasts.
    pub fn over(&self, log: &Arc<dyn EventLog>, topic: Topic) -> Arc<dyn EventLog> {
        Arc::new(Silent {
            log: Arc::clone(log),
            topic: topic.to_string(),
            points_only: false,
            silence: self.clone(),
        })
    }

    /// `log`, of whose `topic` nobody reads a single record while this lasts; all else goes on.
    pub fn over_points(&self, log: &Arc<dyn EventLog>, topic: Topic) -> Arc<dyn EventLog> {
        Arc::new(Silent {
            log: Arc::clone(log),
            topic: topic.to_string(),
            points_only: true,
            silence: self.clone(),
        })
    }

    pub fn begin(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    pub fn end(&self) {
        self.0.store(false, Ordering::SeqCst);
    }

    fn lasts(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

/// How often it is looked whether it still lasts, and how long a question takes.
const LOOK: Duration = Duration::from_millis(10);

struct Silent {
    log: Arc<dyn EventLog>,
    topic: String,
    points_only: bool,
    silence: Silence,
}

impl Silent {
    /// Returns when the partition's broker answers.
    async fn answers(&self, partition: &TopicPartition) {
        while partition.topic() == self.topic && self.silence.lasts() {
            tokio::time::sleep(LOOK).await;
        }
    }
}

#[async_trait]
impl EventLog for Silent {
    async fn topics(&self) -> Result<Vec<TopicInfo>, TopicError> {
        self.log.topics().await
    }

    async fn plan(&self, specs: &[TopicSpec]) -> Result<Vec<Plan>, TopicError> {
        self.log.plan(specs).await
    }

    async fn ensure(&self, specs: &[TopicSpec]) -> Result<(), TopicError> {
        self.log.ensure(specs).await
    }

    async fn writer(&self, spec: WriterSpec) -> Result<Box<dyn Writer>, TopicError> {
        self.log.writer(spec).await
    }

    async fn reader(
        &self,
        partition: &TopicPartition,
        from: Offset,
    ) -> Result<Box<dyn Reader>, ReadError> {
        let reader = self.log.reader(partition, from).await?;
        if partition.topic() != self.topic || self.points_only {
            return Ok(reader);
        }
        Ok(Box::new(SilentReader {
            reader,
            silence: self.silence.clone(),
        }))
    }

    async fn read_at(
        &self,
        partition: &TopicPartition,
        offset: Offset,
    ) -> Result<Option<Record>, ReadError> {
        self.answers(partition).await;
        self.log.read_at(partition, offset).await
    }

    async fn bounds(&self, partition: &TopicPartition) -> Result<Bounds, ReadError> {
        if !self.points_only {
            self.answers(partition).await;
        }
        tokio::time::sleep(LOOK).await;
        self.log.bounds(partition).await
    }

    async fn offset_at(
        &self,
        partition: &TopicPartition,
        at: domain::time::Timestamp,
    ) -> Result<Offset, ReadError> {
        self.log.offset_at(partition, at).await
    }

    async fn join(&self, spec: GroupSpec) -> Result<Box<dyn Member>, GroupError> {
        self.log.join(spec).await
    }
}

struct SilentReader {
    reader: Box<dyn Reader>,
    silence: Silence,
}

#[async_trait]
impl Reader for SilentReader {
    async fn next(&mut self, limit: ReadLimit) -> Result<Vec<Record>, ReadError> {
        let until = tokio::time::Instant::now() + limit.wait;
        while self.silence.lasts() {
            if tokio::time::Instant::now() >= until {
                return Ok(Vec::new());
            }
            tokio::time::sleep(LOOK).await;
        }
        self.reader.next(limit).await
    }

    fn position(&self) -> Offset {
        self.reader.position()
    }
}
