//! The port's member on top of the table.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::table::{Group, Incarnation, Told};
use crate::error::{BoxError, GroupError};
use crate::group::{Claim, Commit, GroupEvent, GroupSpec, Member};
use crate::record::TopicPartition;

/// Where a log of one process keeps what groups commit.
#[async_trait]
pub trait CommitStore: Send + Sync {
    /// What was last stored for a partition.
    ///
    /// # Errors
    /// When it can't be read.
    fn load(&self, group: &str, topic: &str, partition: u32) -> Result<Option<Commit>, BoxError>;

    /// Stores all of `commits`, durably, or none.
    ///
    /// # Errors
    /// When it can't be known to be stored.
    async fn store(&self, group: &str, topic: &str, commits: &[Commit]) -> Result<(), BoxError>;
}

/// Every group of one log.
#[derive(Default)]
pub struct LocalGroups {
    groups: Mutex<BTreeMap<(String, String), Group>>,
    changed: Notify,
}

impl LocalGroups {
    /// Joins `spec`'s group on a topic of `partitions` partitions.
    pub fn join(
        self: &Arc<Self>,
        spec: GroupSpec,
        partitions: u32,
        commits: Arc<dyn CommitStore>,
    ) -> Box<dyn Member> {
        let key = (spec.group.clone(), spec.topic.clone());
        let incarnation = {
            let mut groups = self.groups.lock();
            let group = groups
                .entry(key.clone())
                .or_insert_with(|| Group::new(partitions));
            group.grow(partitions);
            group.join(&spec.instance, spec.session, Instant::now())
        };
        self.changed.notify_waiters();
        Box::new(LocalMember {
            groups: Arc::clone(self),
            key,
            incarnation,
            commits,
            spec,
            giving_up: false,
        })
    }

    /// A topic has grown: its groups share the new partitions out as well.
    pub fn grow(&self, topic: &str, partitions: u32) {
        for ((_, of), group) in self.groups.lock().iter_mut() {
            if of == topic {
                group.grow(partitions);
            }
        }
        self.changed.notify_waiters();
    }

    /// Takes everything from a member without asking it, as when its session runs out: a fault for
    /// simulation.
    pub fn expel(&self, group: &str, topic: &str, instance: &str) {
        self.with(&(group.to_owned(), topic.to_owned()), |group| {
            group.expel(instance)
        });
        self.changed.notify_waiters();
    }

    fn with<T>(&self, key: &(String, String), f: impl FnOnce(&mut Group) -> T) -> Option<T> {
        self.groups.lock().get_mut(key).map(f)
    }
}

struct LocalMember {
    groups: Arc<LocalGroups>,
    key: (String, String),
    incarnation: Incarnation,
    commits: Arc<dyn CommitStore>,
    spec: GroupSpec,
    /// The last event told was a revocation: asking again gives those partitions up.
    giving_up: bool,
}

impl LocalMember {
    fn ask(&self) -> Told {
        let ask =
            |group: &mut Group| group.ask(&self.spec.instance, self.incarnation, Instant::now());
        self.groups.with(&self.key, ask).unwrap_or(Told::Fenced)
    }

    fn fenced(&self) -> GroupError {
        GroupError::Fenced(self.spec.instance.clone())
    }

    /// The claims with what was committed for them; given back to the group when that can't be read.
    fn claims(&self, assigned: BTreeSet<u32>) -> Result<Vec<Claim>, GroupError> {
        let load = |&partition: &u32| {
            let committed = self
                .commits
                .load(&self.spec.group, &self.spec.topic, partition)?;
            Ok(Claim {
                partition,
                committed,
            })
        };
        assigned
            .iter()
            .map(load)
            .collect::<Result<_, BoxError>>()
            .map_err(|failed| {
                let give_back = |group: &mut Group| {
                    group.give_back(&self.spec.instance, self.incarnation, &assigned);
                };
                self.groups.with(&self.key, give_back);
                self.groups.changed.notify_waiters();
                GroupError::Unavailable(failed)
            })
    }

    fn check_held(&self, partition: u32) -> Result<(), GroupError> {
        let holds = |group: &mut Group| {
            group.holds(
                &self.spec.instance,
                self.incarnation,
                partition,
                Instant::now(),
            )
        };
        match self.groups.with(&self.key, holds).flatten() {
            None => Err(self.fenced()),
            Some(true) => Ok(()),
            Some(false) => {
                let partition = TopicPartition::new(self.spec.topic.as_str(), partition);
                Err(GroupError::NotHeld(partition))
            }
        }
    }
}

#[async_trait]
impl Member for LocalMember {
    async fn next(&mut self) -> Result<GroupEvent, GroupError> {
        loop {
            let groups = Arc::clone(&self.groups);
            let mut changed = std::pin::pin!(groups.changed.notified());
            changed.as_mut().enable();
            let told = self.ask();
            // Whatever a member is told, or gives up by asking, may be what another waits for.
            if told != Told::Nothing || std::mem::take(&mut self.giving_up) {
                self.groups.changed.notify_waiters();
            }
            match told {
                Told::Fenced => return Err(self.fenced()),
                Told::Revoked(given_up) => {
                    self.giving_up = true;
                    return Ok(GroupEvent::Revoked(given_up.into_iter().collect()));
                }
                Told::Lost(lost) => return Ok(GroupEvent::Lost(lost.into_iter().collect())),
                Told::Assigned(assigned) => {
                    return Ok(GroupEvent::Assigned(self.claims(assigned)?));
                }
                Told::Nothing => {
                    let pulse = self.spec.session / 4;
                    let _changed_or_pulse = tokio::time::timeout(pulse, changed).await;
                }
            }
        }
    }

    async fn commit(&mut self, commits: &[Commit]) -> Result<(), GroupError> {
        for commit in commits {
            self.check_held(commit.partition)?;
        }
        let stored = self
            .commits
            .store(&self.spec.group, &self.spec.topic, commits)
            .await;
        stored.map_err(GroupError::Unavailable)?;
        // A commit that was overtaken by a rebalance is told as refused: its offset may be stored,
        // and lies below what the next holder stores.
        commits
            .iter()
            .try_for_each(|commit| self.check_held(commit.partition))
    }

    async fn leave(self: Box<Self>) {
        self.groups.with(&self.key, |group| {
            group.leave(&self.spec.instance, self.incarnation)
        });
        self.groups.changed.notify_waiters();
    }
}
