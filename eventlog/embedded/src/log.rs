//! The port, on the engine.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;

use async_trait::async_trait;
use domain::time::Timestamp;
use eventlog_port::local::LocalGroups;
use eventlog_port::{
    Bounds, EventLog, GroupError, GroupSpec, Member, Offset, Plan, ReadError, Reader, Record,
    TopicError, TopicInfo, TopicPartition, TopicSpec, Writer, WriterSpec, topic,
};
use parking_lot::{Mutex, RwLock};
use tokio::sync::watch;

use crate::commits::EmbeddedCommits;
use crate::config::{Config, MAX_RECORD_BYTES};
use crate::directory::Directory;
use crate::engine::Engine;
use crate::error::{CommitError, OpenError, Stopped};
use crate::queue::Queue;
use crate::reader::{EmbeddedReader, first_where, read_at};
use crate::recovery::recover;
use crate::shared::Shared;
use crate::topics::{StoredTopic, Topic, topic_key};
use crate::writer::EmbeddedWriter;
use crate::{committer, retention};

/// The log in a folder. Held by one process at a time, for as long as this lives; what was made of
/// it says that it is closed after that.
pub struct EmbeddedLog {
    shared: Arc<Shared>,
    groups: Arc<LocalGroups>,
    /// Topics are made and changed one call after another.
    ensuring: tokio::sync::Mutex<()>,
    stop: watch::Sender<bool>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl EmbeddedLog {
    /// Opens the log, or makes it. Blocks while what was not yet in tables is read back.
    ///
    /// # Errors
    /// Each of [`OpenError`]'s kinds.
    pub fn open(config: Config) -> Result<Self, OpenError> {
        let directory = Directory::take(&config.directory, &config.holder)?;
        let engine = Engine::open(&directory, &config)?;
        let (topics, sequence) = recover(&directory, &engine)?;
        let queue = Queue::new(config.pending_bytes);
        let shared = Arc::new(Shared {
            config,
            engine: RwLock::new(Ok(engine)),
            queue,
            appends: Arc::default(),
            contents: Arc::default(),
            syncs: AtomicU64::new(0),
            dropped: AtomicBool::new(false),
            topics: RwLock::new(topics),
            directory: Mutex::new(Some(directory)),
        });
        let (stop, stopped) = watch::channel(false);
        let log = Self {
            shared: Arc::clone(&shared),
            groups: Arc::default(),
            ensuring: tokio::sync::Mutex::default(),
            stop,
            threads: Mutex::default(),
        };
        let committing = Arc::clone(&shared);
        log.start("log-commit", move || committer::run(&committing, sequence))?;
        log.start("log-retention", move || run_retention(shared, stopped))?;
        Ok(log)
    }

    fn start(&self, name: &str, run: impl FnOnce() + Send + 'static) -> Result<(), OpenError> {
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(run);
        let path = &self.shared.config.directory;
        let thread = thread.map_err(|source| crate::directory::io_error(path, source))?;
        self.threads.lock().push(thread);
        Ok(())
    }

    /// How many batches have been made durable since it was opened, each with one fsync.
    #[must_use]
    pub fn syncs(&self) -> u64 {
        self.shared.syncs.load(Ordering::Relaxed)
    }

    /// Bytes of records and what belongs to them that are in the journal and in memory, and not yet in
    /// tables. Some 32 MiB at most where the disk keeps up, whatever the number of partitions, and 64 where it
    /// takes less than 32 MiB a second; 0 while it is not open.
    #[must_use]
    pub fn held_bytes(&self) -> u64 {
        let engine = self.shared.engine.read();
        engine.as_ref().map_or(0, Engine::held_bytes)
    }
}

fn run_retention(shared: Arc<Shared>, stopped: watch::Receiver<bool>) {
    match tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
    {
        Ok(runtime) => runtime.block_on(retention::run(shared, stopped)),
        Err(error) => tracing::error!(error = %error, "retention could not be started"),
    }
}

impl Drop for EmbeddedLog {
    /// Commits what was accepted, then gives the folder up.
    fn drop(&mut self) {
        self.stop.send_replace(true);
        self.shared.queue.close();
        for thread in self.threads.lock().drain(..) {
            if thread.join().is_err() {
                tracing::error!("a thread of the log panicked");
            }
        }
        *self.shared.engine.write() = Err(Stopped::Closed);
        *self.shared.directory.lock() = None;
    }
}

fn offered(error: CommitError) -> TopicError {
    TopicError::Unavailable(Box::new(error))
}

#[async_trait]
impl EventLog for EmbeddedLog {
    async fn topics(&self) -> Result<Vec<TopicInfo>, TopicError> {
        let info = |topic: &Topic| TopicInfo {
            spec: topic.spec.clone(),
            replication: 1,
            stamps_append_time: true,
            compacted: false,
        };
        Ok(self.shared.topics.read().values().map(info).collect())
    }

    async fn plan(&self, specs: &[TopicSpec]) -> Result<Vec<Plan>, TopicError> {
        for spec in specs {
            if spec.max_record_bytes > MAX_RECORD_BYTES {
                let topic = spec.name.clone();
                let problem = "its largest record may have at most 64 MiB";
                return Err(topic::BadTopic { topic, problem }.into());
            }
        }
        Ok(topic::local_plan(specs, &self.topics().await?)?)
    }

    async fn ensure(&self, specs: &[TopicSpec]) -> Result<(), TopicError> {
        let _one_at_a_time = self.ensuring.lock().await;
        self.plan(specs).await?;
        let before = self.shared.topics.read().clone();
        let mut wanted = BTreeMap::new();
        for spec in specs {
            let there = before
                .get(&spec.name)
                .map_or(0, |topic| topic.spec.partitions);
            let partitions = spec.partitions.max(there);
            let spec = TopicSpec {
                partitions,
                ..spec.clone()
            };
            if before
                .get(&spec.name)
                .is_none_or(|topic| topic.spec != spec)
            {
                wanted.insert(spec.name.clone(), spec);
            }
        }
        if wanted.is_empty() {
            return Ok(());
        }
        let mut entries = Vec::new();
        for spec in wanted.values() {
            let stored = serde_json::to_vec(&StoredTopic::new(spec));
            let stored = stored.map_err(|error| TopicError::Unavailable(error.into()))?;
            entries.push((topic_key(&spec.name), stored));
        }
        self.shared.put_contents(entries).await.map_err(offered)?;
        wanted
            .values()
            .for_each(|spec| self.groups.grow(&spec.name, spec.partitions));
        self.shared.apply_topics(wanted.into_values());
        Ok(())
    }

    async fn writer(&self, spec: WriterSpec) -> Result<Box<dyn Writer>, TopicError> {
        Ok(Box::new(EmbeddedWriter::new(
            Arc::clone(&self.shared),
            &spec,
        )))
    }

    async fn reader(
        &self,
        partition: &TopicPartition,
        from: Offset,
    ) -> Result<Box<dyn Reader>, ReadError> {
        let partition = self.shared.partition(partition)?;
        partition.bounds().check(&partition.id, from)?;
        Ok(Box::new(EmbeddedReader::new(
            Arc::clone(&self.shared),
            partition,
            from,
        )))
    }

    async fn read_at(
        &self,
        partition: &TopicPartition,
        offset: Offset,
    ) -> Result<Option<Record>, ReadError> {
        let partition = self.shared.partition(partition)?;
        self.shared
            .with_engine(|engine| read_at(engine, &partition, offset))
    }

    async fn bounds(&self, partition: &TopicPartition) -> Result<Bounds, ReadError> {
        Ok(self.shared.partition(partition)?.bounds())
    }

    async fn offset_at(
        &self,
        partition: &TopicPartition,
        time: Timestamp,
    ) -> Result<Offset, ReadError> {
        let partition = self.shared.partition(partition)?;
        let at_or_after = |stamp: crate::encoding::Stamp| stamp.appended_at >= time;
        self.shared
            .with_engine(|engine| first_where(engine, &partition, at_or_after))
    }

    async fn join(&self, spec: GroupSpec) -> Result<Box<dyn Member>, GroupError> {
        let partitions = {
            let topics = self.shared.topics.read();
            topics.get(&spec.topic).map(|topic| topic.spec.partitions)
        };
        let partitions = partitions.ok_or_else(|| GroupError::NoSuchTopic(spec.topic.clone()))?;
        let commits = Arc::new(EmbeddedCommits(Arc::clone(&self.shared)));
        Ok(self.groups.join(spec, partitions, commits))
    }
}
