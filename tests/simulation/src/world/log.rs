//! The log as one life of a process sees it: over its links.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use domain::time::Timestamp;
use eventlog_port::{
    AppendError, Appending, Bounds, Commit, EventLog, GroupError, GroupEvent, GroupSpec, Member,
    NewRecord, Offset, Plan, ReadError, ReadLimit, Reader, Record, TopicError, TopicInfo,
    TopicPartition, TopicSpec, Writer, WriterSpec,
};
use tokio::time::Instant;

use super::links::{Link, Links};

/// Told of each partition that was taken away before its owner was done with it.
pub type Interrupted = Arc<dyn Fn() + Send + Sync>;

/// The log, over links.
pub struct NodeLog {
    log: Arc<dyn EventLog>,
    links: Arc<Links>,
    interrupted: Interrupted,
}

#[derive(Debug, thiserror::Error)]
#[error("a fault of the world")]
struct Injected;

impl NodeLog {
    /// `log`, as whoever has `links` sees it.
    #[must_use]
    pub fn new(log: Arc<dyn EventLog>, links: Arc<Links>, interrupted: Interrupted) -> Self {
        Self {
            log,
            links,
            interrupted,
        }
    }

    async fn read(&self) -> Result<(), ReadError> {
        read(&self.links).await
    }
}

async fn read(links: &Links) -> Result<(), ReadError> {
    links.step(Link::Read).await;
    if links.fails(|failing| failing.read_one_in) {
        return Err(ReadError::Unavailable(Box::new(Injected)));
    }
    Ok(())
}

#[async_trait]
impl EventLog for NodeLog {
    async fn topics(&self) -> Result<Vec<TopicInfo>, TopicError> {
        self.links.step(Link::Read).await;
        self.log.topics().await
    }

    async fn plan(&self, specs: &[TopicSpec]) -> Result<Vec<Plan>, TopicError> {
        self.links.step(Link::Read).await;
        self.log.plan(specs).await
    }

    async fn ensure(&self, specs: &[TopicSpec]) -> Result<(), TopicError> {
        self.links.step(Link::Write).await;
        self.log.ensure(specs).await
    }

    async fn writer(&self, spec: WriterSpec) -> Result<Box<dyn Writer>, TopicError> {
        self.links.step(Link::Write).await;
        let writer = self.log.writer(spec).await?;
        let links = Arc::clone(&self.links);
        Ok(Box::new(NodeWriter { writer, links }))
    }

    async fn reader(
        &self,
        partition: &TopicPartition,
        from: Offset,
    ) -> Result<Box<dyn Reader>, ReadError> {
        self.read().await?;
        let reader = self.log.reader(partition, from).await?;
        let links = Arc::clone(&self.links);
        Ok(Box::new(NodeReader { reader, links }))
    }

    async fn read_at(
        &self,
        partition: &TopicPartition,
        offset: Offset,
    ) -> Result<Option<Record>, ReadError> {
        self.read().await?;
        self.log.read_at(partition, offset).await
    }

    async fn bounds(&self, partition: &TopicPartition) -> Result<Bounds, ReadError> {
        self.read().await?;
        let bounds = self.log.bounds(partition).await;
        // What was learned comes to whoever asked only over the link.
        self.links.step(Link::Read).await;
        bounds
    }

    async fn offset_at(
        &self,
        partition: &TopicPartition,
        time: Timestamp,
    ) -> Result<Offset, ReadError> {
        self.read().await?;
        self.log.offset_at(partition, time).await
    }

    async fn join(&self, spec: GroupSpec) -> Result<Box<dyn Member>, GroupError> {
        self.links.step(Link::Group).await;
        let patience = spec.session / 5;
        let member = self.log.join(spec).await?;
        Ok(Box::new(NodeMember {
            member,
            links: Arc::clone(&self.links),
            interrupted: Arc::clone(&self.interrupted),
            patience,
            revoked: None,
        }))
    }
}

struct NodeWriter {
    writer: Box<dyn Writer>,
    links: Arc<Links>,
}

#[async_trait]
impl Writer for NodeWriter {
    async fn append(
        &self,
        to: &TopicPartition,
        record: NewRecord,
    ) -> Result<Appending, AppendError> {
        self.links.step(Link::Write).await;
        self.writer.append(to, record).await
    }

    async fn close(&self) {
        self.links.step(Link::Write).await;
        self.writer.close().await;
    }
}

struct NodeReader {
    reader: Box<dyn Reader>,
    links: Arc<Links>,
}

#[async_trait]
impl Reader for NodeReader {
    async fn next(&mut self, limit: ReadLimit) -> Result<Vec<Record>, ReadError> {
        loop {
            read(&self.links).await?;
            let from = self.reader.position();
            tokio::select! {
                biased;
                () = self.links.blocked(Link::Read) => {
                    debug_assert_eq!(from, self.reader.position(), "cancelling a read loses nothing");
                }
                records = self.reader.next(limit) => return records,
            }
        }
    }

    fn position(&self) -> Offset {
        self.reader.position()
    }
}

struct NodeMember {
    member: Box<dyn Member>,
    links: Arc<Links>,
    interrupted: Interrupted,
    /// How long an owner may take to give a partition up before it is stopped.
    patience: Duration,
    /// When partitions were last asked back.
    revoked: Option<Instant>,
}

#[async_trait]
impl Member for NodeMember {
    async fn next(&mut self) -> Result<GroupEvent, GroupError> {
        let took = self.revoked.take().map(|revoked| revoked.elapsed());
        if took.is_some_and(|took| took >= self.patience) {
            (self.interrupted)();
        }
        loop {
            self.links.step(Link::Group).await;
            tokio::select! {
                biased;
                () = self.links.blocked(Link::Group) => {}
                event = self.member.next() => {
                    let is_revoked = matches!(event, Ok(GroupEvent::Revoked(_)));
                    self.revoked = is_revoked.then(Instant::now);
                    return event;
                }
            }
        }
    }

    async fn commit(&mut self, commits: &[Commit]) -> Result<(), GroupError> {
        self.links.step(Link::Group).await;
        let unavailable = || GroupError::Unavailable(Box::new(Injected));
        if self.links.fails(|failing| failing.commit_one_in) {
            return Err(unavailable());
        }
        let committed = self.member.commit(commits).await;
        self.links.step(Link::Group).await;
        if self.links.fails(|failing| failing.commit_one_in) {
            return Err(unavailable());
        }
        committed
    }

    async fn leave(self: Box<Self>) {
        self.links.step(Link::Group).await;
        self.member.leave().await;
    }
}
