//! What the log's threads, writers and readers have in common.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};

use eventlog_port::completion::Completions;
use eventlog_port::{AppendError, Appended, BoxError, ReadError, TopicPartition, TopicSpec};
use parking_lot::{Mutex, RwLock};

use crate::config::Config;
use crate::directory::Directory;
use crate::engine::Engine;
use crate::error::{CommitError, Stopped};
use crate::partition::{Partition, Tail};
use crate::queue::{Queue, Work};
use crate::reader::unavailable;
use crate::recovery::{check_sequence, rewrite};
use crate::topics::{Topic, Topics};

/// What the log's threads, writers and readers have in common.
pub(crate) struct Shared {
    pub(crate) config: Config,
    pub(crate) engine: RwLock<Result<Engine, Stopped>>,
    pub(crate) queue: Queue,
    pub(crate) appends: Arc<Completions<Result<Appended, AppendError>>>,
    pub(crate) contents: Arc<Completions<Result<(), CommitError>>>,
    pub(crate) syncs: AtomicU64,
    /// Retention has dropped tables whose files may still be there.
    pub(crate) dropped: AtomicBool,
    pub(crate) topics: RwLock<Topics>,
    /// Given up when the log is closed, while others may still hold on to the rest.
    pub(crate) directory: Mutex<Option<Directory>>,
}

impl Shared {
    /// Notes, for the next start, that all batches up to `sequence` were acknowledged.
    pub(crate) fn note_acknowledged(&self, sequence: u64) {
        if let Some(directory) = &*self.directory.lock()
            && let Err(error) = directory.note_acknowledged(sequence)
        {
            tracing::warn!(error = %error, "what was acknowledged could not be noted");
        }
    }

    /// Closes the engine and opens it again, after a write that failed. What is found above the
    /// durable ends may be in the page cache alone: it is written once more before anybody sees it.
    pub(crate) fn open_again(&self, sequence: u64) -> Result<u64, BoxError> {
        // Closed outside of the lock: readers are told, and don't wait.
        let closed = std::mem::replace(&mut *self.engine.write(), Err(Stopped::Reopening));
        drop(closed);
        let directory = self.directory.lock();
        let directory = directory.as_ref().ok_or(Stopped::Closed)?;
        let opened = Engine::open(directory, &self.config)?;
        let found = opened.sequence()?;
        check_sequence(directory, sequence, found)?;
        let mut tails = Vec::new();
        for partition in self.partitions() {
            opened.attach(partition.slot, &partition.id)?;
            let (_, tail) = opened.recover(partition.slot, &partition.id)?;
            tails.push((partition, tail));
        }
        let found = rewrite(&opened, &tails, found)?;
        *self.engine.write() = Ok(opened);
        tails
            .iter()
            .for_each(|(partition, tail)| partition.publish(*tail));
        Ok(found)
    }

    fn partitions(&self) -> Vec<Arc<Partition>> {
        self.topics
            .read()
            .values()
            .flat_map(|topic| topic.partitions.iter().cloned())
            .collect()
    }

    /// Every partition that has a limit, with it.
    pub(crate) fn limited_partitions(&self) -> Vec<(TopicSpec, Arc<Partition>)> {
        let topics = self.topics.read();
        let limited =
            |topic: &&Topic| topic.spec.retention.is_some() || topic.spec.retention_bytes.is_some();
        let with_spec = |topic: &Topic| {
            let spec = topic.spec.clone();
            topic
                .partitions
                .iter()
                .map(move |p| (spec.clone(), Arc::clone(p)))
                .collect::<Vec<_>>()
        };
        topics
            .values()
            .filter(limited)
            .flat_map(with_spec)
            .collect()
    }

    /// Where an append of `size` bytes goes.
    pub(crate) fn partition_for(
        &self,
        to: &TopicPartition,
        size: usize,
    ) -> Result<Arc<Partition>, AppendError> {
        let topics = self.topics.read();
        let none = || AppendError::NoSuchPartition(to.clone());
        let topic = topics.get(to.topic()).ok_or_else(none)?;
        let partition = topic
            .partitions
            .get(to.partition() as usize)
            .ok_or_else(none)?;
        let limit = topic.spec.max_record_bytes as usize;
        if size > limit {
            return Err(AppendError::TooLarge {
                partition: to.clone(),
                size,
                limit,
            });
        }
        Ok(Arc::clone(partition))
    }

    pub(crate) fn partition(&self, of: &TopicPartition) -> Result<Arc<Partition>, ReadError> {
        let topics = self.topics.read();
        let topic = topics.get(of.topic());
        let partition = topic.and_then(|topic| topic.partitions.get(of.partition() as usize));
        partition
            .cloned()
            .ok_or_else(|| ReadError::NoSuchPartition(of.clone()))
    }

    /// Reads while the engine is open.
    pub(crate) fn with_engine<T>(
        &self,
        read: impl FnOnce(&Engine) -> Result<T, ReadError>,
    ) -> Result<T, ReadError> {
        match &*self.engine.read() {
            Ok(engine) => read(engine),
            Err(stopped) => Err(unavailable(*stopped)),
        }
    }

    /// Writes entries of the table of contents, durably.
    pub(crate) async fn put_contents(
        &self,
        entries: Vec<(Vec<u8>, Vec<u8>)>,
    ) -> Result<(), CommitError> {
        let (waiter, place) = self.contents.open();
        if let Err(why) = self.queue.push(Work::Contents { entries, place }) {
            self.contents
                .answer(place, Err(CommitError::unavailable(why)));
        }
        waiter.await
    }

    /// Bytes that the file system has left for us.
    pub(crate) fn free_bytes(&self) -> std::io::Result<u64> {
        let system = rustix::fs::statvfs(&self.config.directory)?;
        Ok(system.f_bavail.saturating_mul(system.f_frsize))
    }

    /// Takes topics that are in the table of contents by now into memory.
    pub(crate) fn apply_topics(&self, specs: impl Iterator<Item = TopicSpec>) {
        let mut topics = self.topics.write();
        let mut slot = topics.values().map(|topic| topic.partitions.len()).sum();
        for spec in specs {
            let new = || Topic {
                spec: spec.clone(),
                partitions: Vec::new(),
            };
            let topic = topics.entry(spec.name.clone()).or_insert_with(new);
            for number in topic.partitions.len()..spec.partitions as usize {
                let id = TopicPartition::new(spec.name.as_str(), number as u32);
                topic
                    .partitions
                    .push(Arc::new(Partition::new(id, slot, 0, Tail::default())));
                slot += 1;
            }
            topic.spec = spec;
        }
    }
}
