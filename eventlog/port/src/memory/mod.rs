//! The log in memory: what simulation runs on. It keeps every promise of the port but surviving the
//! process, on the clock that is handed in, and breaks what can break when [`Faults`] say so, by
//! chance from one seed.
//!
//! Deterministic on a single-threaded runtime: the same seed and the same calls give the same log.

mod faults;
mod index;
mod partition;
mod reader;
mod state;
mod writer;

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use domain::chance::Chance;
use domain::time::{Clock, Timestamp};
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::Instant;

pub use faults::Faults;
pub use index::MemoryLaneIndexes;

use self::reader::MemoryReader;
use self::state::State;
use self::writer::MemoryWriter;
use crate::completion::Completions;
use crate::error::{AppendError, BoxError, GroupError, ReadError, TopicError};
use crate::group::{Commit, GroupSpec, Member};
use crate::local::{CommitStore, LocalGroups};
use crate::log::EventLog;
use crate::reader::{Bounds, Reader};
use crate::record::{Offset, Record, TopicPartition};
use crate::topic::{self, Plan, TopicInfo, TopicSpec};
use crate::writer::{Appended, Writer, WriterSpec};

/// A log that lives as long as its handles.
pub struct MemoryLog {
    shared: Arc<Shared>,
    groups: Arc<LocalGroups>,
    commits: Arc<MemoryCommits>,
    _driver: JoinSet<()>,
}

struct Shared {
    state: Mutex<State>,
    completions: Arc<Completions<Result<Appended, AppendError>>>,
    /// Something was scheduled that may be due before all else.
    scheduled: Notify,
}

impl MemoryLog {
    /// An empty log. Must be called on a runtime, whose timer runs its latencies.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>, chance: Box<dyn Chance>) -> Self {
        let shared = Arc::new(Shared {
            state: Mutex::new(State::new(clock, chance)),
            completions: Arc::default(),
            scheduled: Notify::new(),
        });
        let mut driver = JoinSet::new();
        driver.spawn(drive(Arc::clone(&shared)));
        Self {
            shared,
            groups: Arc::default(),
            commits: Arc::default(),
            _driver: driver,
        }
    }

    /// What goes wrong from now on.
    pub fn set_faults(&self, faults: Faults) {
        self.shared.state.lock().faults = faults;
    }

    /// Everything that was accepted and is not durable is gone, as when the power goes.
    pub fn cut_power(&self) {
        let answers = self.shared.state.lock().drop_pending();
        self.shared.completions.answer_all(answers);
    }

    /// Ends a member's session, as when it could not be heard for that long.
    pub fn expel(&self, group: &str, topic: &str, instance: &str) {
        self.groups.expel(group, topic, instance);
    }
}

/// Lands what is due, until the log is dropped.
async fn drive(shared: Arc<Shared>) {
    loop {
        let next = shared.state.lock().next_due();
        let due = async {
            match next {
                Some(at) => tokio::time::sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = shared.scheduled.notified() => {}
            () = due => shared.land_due(),
        }
    }
}

impl Shared {
    fn land_due(&self) {
        let answers = self.state.lock().land_due(Instant::now());
        self.completions.answer_all(answers);
    }
}

#[async_trait]
impl EventLog for MemoryLog {
    async fn topics(&self) -> Result<Vec<TopicInfo>, TopicError> {
        Ok(self.shared.state.lock().topics())
    }

    async fn plan(&self, specs: &[TopicSpec]) -> Result<Vec<Plan>, TopicError> {
        Ok(topic::local_plan(specs, &self.topics().await?)?)
    }

    async fn ensure(&self, specs: &[TopicSpec]) -> Result<(), TopicError> {
        topic::local_plan(specs, &self.topics().await?)?;
        let mut state = self.shared.state.lock();
        for spec in specs {
            state.ensure(spec);
            self.groups.grow(&spec.name, spec.partitions);
        }
        Ok(())
    }

    async fn writer(&self, spec: WriterSpec) -> Result<Box<dyn Writer>, TopicError> {
        Ok(Box::new(MemoryWriter::new(Arc::clone(&self.shared), &spec)))
    }

    async fn reader(
        &self,
        partition: &TopicPartition,
        from: Offset,
    ) -> Result<Box<dyn Reader>, ReadError> {
        let bounds = self.shared.state.lock().watch(partition)?;
        bounds.get().check(partition, from)?;
        let shared = Arc::clone(&self.shared);
        Ok(Box::new(MemoryReader::new(
            shared,
            partition.clone(),
            from,
            bounds,
        )))
    }

    async fn read_at(
        &self,
        partition: &TopicPartition,
        offset: Offset,
    ) -> Result<Option<Record>, ReadError> {
        let mut state = self.shared.state.lock();
        let partition_state = state.partition(partition)?;
        let bounds = partition_state.bounds();
        if offset < bounds.start {
            bounds.check(partition, offset)?;
        }
        Ok(partition_state
            .read(offset, 1, usize::MAX)
            .pop()
            .filter(|r| r.offset == offset))
    }

    async fn bounds(&self, partition: &TopicPartition) -> Result<Bounds, ReadError> {
        Ok(self.shared.state.lock().partition(partition)?.bounds())
    }

    async fn offset_at(
        &self,
        partition: &TopicPartition,
        time: Timestamp,
    ) -> Result<Offset, ReadError> {
        Ok(self
            .shared
            .state
            .lock()
            .partition(partition)?
            .offset_at(time))
    }

    async fn join(&self, spec: GroupSpec) -> Result<Box<dyn Member>, GroupError> {
        let partitions = self.shared.state.lock().partitions_of(&spec.topic);
        let partitions = partitions.ok_or_else(|| GroupError::NoSuchTopic(spec.topic.clone()))?;
        let commits: Arc<dyn CommitStore> = Arc::<MemoryCommits>::clone(&self.commits);
        Ok(self.groups.join(spec, partitions, commits))
    }
}

type CommitKey = (String, String, u32);

#[derive(Default)]
struct MemoryCommits(Mutex<BTreeMap<CommitKey, Commit>>);

#[async_trait]
impl CommitStore for MemoryCommits {
    fn load(&self, group: &str, topic: &str, partition: u32) -> Result<Option<Commit>, BoxError> {
        let key = (group.to_owned(), topic.to_owned(), partition);
        Ok(self.0.lock().get(&key).cloned())
    }

    async fn store(&self, group: &str, topic: &str, commits: &[Commit]) -> Result<(), BoxError> {
        let mut stored = self.0.lock();
        for commit in commits {
            let key = (group.to_owned(), topic.to_owned(), commit.partition);
            stored.insert(key, commit.clone());
        }
        Ok(())
    }
}
