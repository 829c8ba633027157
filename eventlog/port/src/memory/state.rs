//! What the log holds, what is on its way into it, and what becomes of that.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use domain::chance::Chance;
use domain::time::Clock;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use super::faults::{Fate, Faults};
use super::partition::Partition;
use crate::error::{AppendError, ReadError};
use crate::reader::Bounds;
use crate::record::{NewRecord, TopicPartition};
use crate::topic::{TopicInfo, TopicSpec};
use crate::watched::Watched;
use crate::writer::{Appended, WriterKind};

pub(super) type WriterId = u64;
pub(super) type Answer = (usize, Result<Appended, AppendError>);

/// When something is due, and its turn among what is due at once.
type Due = (Instant, u64);

struct Topic {
    spec: TopicSpec,
    partitions: Vec<Partition>,
}

struct WriterState {
    kind: WriterKind,
    broken: bool,
    /// Nothing may land before what was accepted earlier for the same partition.
    last_due: BTreeMap<TopicPartition, Instant>,
}

struct Pending {
    writer: WriterId,
    to: TopicPartition,
    /// Where the answer goes; `None` once it was told.
    place: Option<Place>,
    step: Step,
}

/// Where an answer goes, and the room that the append takes up until then.
pub(super) struct Place {
    pub(super) number: usize,
    pub(super) _in_flight: OwnedSemaphorePermit,
}

enum Step {
    Land(NewRecord),
    LandUntold(NewRecord),
    Refuse,
    Vanish,
    /// Told as unknown, and on its way for that much longer.
    Late(Duration, NewRecord),
}

pub(super) struct State {
    topics: BTreeMap<String, Topic>,
    writers: BTreeMap<WriterId, WriterState>,
    pending: BTreeMap<Due, Pending>,
    turns: u64,
    clock: Arc<dyn Clock>,
    chance: Box<dyn Chance>,
    pub(super) faults: Faults,
}

/// Why an answer did not come: there is no engine's error behind a fault that was asked for.
#[derive(Debug, thiserror::Error)]
#[error("a fault of the in-memory log")]
struct Injected;

pub(super) fn unconfirmed() -> AppendError {
    AppendError::Unconfirmed(Arc::new(Injected))
}

impl State {
    pub(super) fn new(clock: Arc<dyn Clock>, chance: Box<dyn Chance>) -> Self {
        Self {
            topics: BTreeMap::new(),
            writers: BTreeMap::new(),
            pending: BTreeMap::new(),
            turns: 0,
            clock,
            chance,
            faults: Faults::default(),
        }
    }

    pub(super) fn topics(&self) -> Vec<TopicInfo> {
        let info = |topic: &Topic| TopicInfo {
            spec: topic.spec.clone(),
            replication: 1,
            stamps_append_time: true,
            compacted: false,
        };
        self.topics.values().map(info).collect()
    }

    pub(super) fn ensure(&mut self, spec: &TopicSpec) {
        let new = || Topic {
            spec: spec.clone(),
            partitions: Vec::new(),
        };
        let topic = self.topics.entry(spec.name.clone()).or_insert_with(new);
        let partitions = topic.partitions.len().max(spec.partitions as usize);
        topic.partitions.resize_with(partitions, Partition::new);
        topic.spec = TopicSpec {
            partitions: partitions as u32,
            ..spec.clone()
        };
    }

    pub(super) fn partitions_of(&self, topic: &str) -> Option<u32> {
        self.topics.get(topic).map(|topic| topic.spec.partitions)
    }

    /// The partition, with what retention no longer keeps removed.
    pub(super) fn partition(&mut self, of: &TopicPartition) -> Result<&mut Partition, ReadError> {
        let now = self.clock.now();
        let none = || ReadError::NoSuchPartition(of.clone());
        let topic = self.topics.get_mut(of.topic()).ok_or_else(none)?;
        let partition = topic
            .partitions
            .get_mut(of.partition() as usize)
            .ok_or_else(none)?;
        partition.retain(&topic.spec, now);
        Ok(partition)
    }

    pub(super) fn watch(&mut self, of: &TopicPartition) -> Result<Arc<Watched<Bounds>>, ReadError> {
        Ok(self.partition(of)?.watch())
    }

    pub(super) fn open_writer(&mut self, kind: WriterKind) -> WriterId {
        self.turns += 1;
        let state = WriterState {
            kind,
            broken: false,
            last_due: BTreeMap::new(),
        };
        self.writers.insert(self.turns, state);
        self.turns
    }

    /// Whether an append would be taken at all.
    pub(super) fn check(
        &self,
        writer: WriterId,
        to: &TopicPartition,
        record: &NewRecord,
    ) -> Result<(), AppendError> {
        if self
            .writers
            .get(&writer)
            .is_some_and(|writer| writer.broken)
        {
            return Err(AppendError::Broken);
        }
        let topic = self
            .topics
            .get(to.topic())
            .filter(|t| to.partition() < t.spec.partitions);
        let topic = topic.ok_or_else(|| AppendError::NoSuchPartition(to.clone()))?;
        let (size, limit) = (record.size(), topic.spec.max_record_bytes as usize);
        if size > limit {
            return Err(AppendError::TooLarge {
                partition: to.clone(),
                size,
                limit,
            });
        }
        Ok(())
    }

    /// Decides what becomes of an append, and when.
    pub(super) fn accept(
        &mut self,
        writer: WriterId,
        to: &TopicPartition,
        record: NewRecord,
        place: Place,
        now: Instant,
    ) {
        let latency = self.faults.latency(&mut *self.chance);
        let fate = self.faults.fate(&mut *self.chance);
        let Some(of_writer) = self.writers.get_mut(&writer) else {
            return;
        };
        let last = of_writer.last_due.entry(to.clone()).or_insert(now);
        let at = (now + latency).max(*last);
        let (step, lands) = match fate {
            Fate::Land => (Step::Land(record), at),
            Fate::LoseAnswer => (Step::LandUntold(record), at),
            Fate::Refuse => (Step::Refuse, at),
            Fate::Vanish => (Step::Vanish, at),
            // What is accepted behind a late one gets its turn before that one does.
            Fate::Late(by) => (Step::Late(by, record), at + by + Duration::from_nanos(1)),
        };
        *last = lands;
        self.schedule(
            at,
            Pending {
                writer,
                to: to.clone(),
                place: Some(place),
                step,
            },
        );
    }

    fn schedule(&mut self, at: Instant, pending: Pending) {
        self.turns += 1;
        self.pending.insert((at, self.turns), pending);
    }

    pub(super) fn next_due(&self) -> Option<Instant> {
        self.pending.first_key_value().map(|((at, _), _)| *at)
    }

    /// Takes every step that is due, and gives the answers that are known by it.
    pub(super) fn land_due(&mut self, now: Instant) -> Vec<Answer> {
        let mut answers = Vec::new();
        while self.next_due().is_some_and(|at| at <= now) {
            if let Some(((at, _), pending)) = self.pending.pop_first() {
                self.take(at, pending, &mut answers);
            }
        }
        answers
    }

    fn take(&mut self, at: Instant, pending: Pending, answers: &mut Vec<Answer>) {
        let Pending {
            writer,
            to,
            place,
            step,
        } = pending;
        let answer = match step {
            Step::Land(record) => Ok(self.land(&to, record)),
            Step::LandUntold(record) => {
                self.land(&to, record);
                Err(unconfirmed())
            }
            Step::Refuse => Err(AppendError::Unavailable(Arc::new(Injected))),
            Step::Vanish => Err(unconfirmed()),
            Step::Late(by, record) => {
                let (to, step) = (to.clone(), Step::Land(record));
                self.schedule(
                    at + by,
                    Pending {
                        writer,
                        to,
                        place: None,
                        step,
                    },
                );
                Err(unconfirmed())
            }
        };
        let failed = answer.is_err();
        answers.extend(place.map(|place| (place.number, answer)));
        if failed
            && self
                .writers
                .get(&writer)
                .is_some_and(|w| w.kind == WriterKind::Prefix)
        {
            self.break_off(writer, Some(&to), answers);
        }
    }

    fn land(&mut self, to: &TopicPartition, record: NewRecord) -> Appended {
        let now = self.clock.now();
        let partition = self
            .topics
            .get_mut(to.topic())
            .and_then(|topic| topic.partitions.get_mut(to.partition() as usize))
            .expect("checked when it was accepted, and topics are never removed");
        partition.append(record, now)
    }

    /// Ends a writer: nothing that it accepted for `failed` lands any more; of the rest, in each
    /// partition, a prefix that chance chooses lands, and nobody is told.
    pub(super) fn break_off(
        &mut self,
        writer: WriterId,
        failed: Option<&TopicPartition>,
        answers: &mut Vec<Answer>,
    ) {
        if let Some(writer) = self.writers.get_mut(&writer) {
            writer.broken = true;
        }
        let of_writer = |pending: &Pending| pending.writer == writer && pending.place.is_some();
        let dues: Vec<Due> = self
            .pending
            .iter()
            .filter(|(_, p)| of_writer(p))
            .map(|(due, _)| *due)
            .collect();
        // What is late lands behind all that is given up here, so nothing may overtake it.
        let is_late = |p: &&Pending| p.writer == writer && p.place.is_none();
        let late = self.pending.values().filter(is_late);
        let mut cut: Vec<TopicPartition> = late.map(|pending| pending.to.clone()).collect();
        for due in dues {
            let Some(pending) = self.pending.remove(&due) else {
                continue;
            };
            let Pending {
                to, place, step, ..
            } = pending;
            let answer = if failed == Some(&to) {
                AppendError::Broken
            } else {
                // Once one of a partition is left out, so is everything behind it.
                if !cut.contains(&to) && self.chance.one_in(2) {
                    cut.push(to.clone());
                }
                match step {
                    Step::Land(record) | Step::LandUntold(record) | Step::Late(_, record)
                        if !cut.contains(&to) =>
                    {
                        self.land(&to, record);
                    }
                    Step::Land(_)
                    | Step::LandUntold(_)
                    | Step::Late(..)
                    | Step::Refuse
                    | Step::Vanish => cut.push(to),
                }
                unconfirmed()
            };
            answers.extend(place.map(|place| (place.number, Err(answer))));
        }
    }

    /// Forgets a writer that has ended.
    pub(super) fn close_writer(&mut self, writer: WriterId) {
        self.writers.remove(&writer);
    }

    /// Drops all that is on its way.
    pub(super) fn drop_pending(&mut self) -> Vec<Answer> {
        self.writers
            .values_mut()
            .for_each(|writer| writer.broken = true);
        let dropped = std::mem::take(&mut self.pending).into_values();
        dropped
            .filter_map(|p| p.place.map(|place| (place.number, Err(unconfirmed()))))
            .collect()
    }
}
