//! What the log must say, by a fold of its own.

use std::collections::{BTreeMap, BTreeSet};

use schemas::accepted::Accepted;
use schemas::attempts::AttemptsRecord;
use schemas::dead_letter::{DeadLetterReason, DeadLetterRecord};
use schemas::ids::EndpointId;
use schemas::origin::{Acceptance, Position};
use schemas::retry::{RetryRecord, Wait};
use schemas::topics::{LADDER, Topic};

use crate::world::World;

/// How a delivery ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Delivered {
        attempts: u32,
    },
    Dead {
        reason: DeadLetterReason,
        attempts: u32,
    },
}

/// What a partition's log comes to.
#[derive(Debug, Default)]
pub(crate) struct Story {
    /// Each delivery that was taken, and its end.
    pub(crate) ends: BTreeMap<(Acceptance, EndpointId), Option<End>>,
    /// Every retry that counts, with when it was appended.
    pub(crate) waits: Vec<(Position, i64, Wait)>,
    /// Epochs that there were.
    pub(crate) epochs: BTreeSet<u64>,
}

/// Inputs, each with its outcome.
#[derive(Default)]
struct Outcomes(BTreeMap<Position, Position>);

impl Outcomes {
    fn take(&mut self, origin: Position, outcome: Position) {
        let before = self.0.insert(origin, outcome);
        assert_eq!(
            before, None,
            "{origin} has two outcomes, the second is {outcome}"
        );
    }
}

/// Whether a record counts: its epoch is the highest so far.
struct Epochs(u64);

impl Epochs {
    fn counts(&mut self, epoch: u64) -> bool {
        self.0 = self.0.max(epoch);
        epoch == self.0
    }
}

impl World {
    /// Folds partition `partition`, and checks that every input has at most one outcome.
    pub(crate) async fn story(&self, partition: u32) -> Story {
        let mut story = Story::default();
        let mut outcomes = Outcomes::default();
        self.take_events(partition, &mut story).await;
        for tier in LADDER {
            let topic = Topic::Retry(tier);
            let mut epochs = Epochs(0);
            for record in self.records(topic, partition).await {
                let at = Position {
                    topic,
                    partition,
                    offset: record.offset,
                };
                let appended_at = record.appended_at.as_millis();
                match RetryRecord::decode(&record.into_parts()).unwrap() {
                    RetryRecord::Fence(fence) => drop(epochs.counts(fence.epoch.unwrap())),
                    RetryRecord::Retry(retry) => {
                        if epochs.counts(retry.wait.link.epoch) {
                            outcomes.take(retry.wait.link.origin, at);
                            story.waits.push((at, appended_at, retry.wait));
                        }
                    }
                }
            }
        }
        self.take_attempts(partition, &mut story, &mut outcomes)
            .await;
        self.take_dead(partition, &mut story, &mut outcomes).await;
        story
    }

    /// As [`story`](Self::story), and everything has ended.
    pub(crate) async fn ended(&self, partition: u32) -> Story {
        let story = self.story(partition).await;
        let open: Vec<_> = story.ends.iter().filter(|(_, end)| end.is_none()).collect();
        assert!(
            open.is_empty(),
            "{} of {} have no end, the first: {:?}",
            open.len(),
            story.ends.len(),
            open[0]
        );
        story
    }

    async fn take_events(&self, partition: u32, story: &mut Story) {
        let mut highest: BTreeMap<u32, (u64, EndpointId)> = BTreeMap::new();
        for record in self.records(Topic::Events, partition).await {
            let (offset, at) = (record.offset, record.appended_at);
            let Ok(accepted) = Accepted::decode(&record.into_parts()) else {
                continue;
            };
            let id = accepted.addressed.endpoint;
            if let Some(from) = accepted.routed {
                let origin = (from.offset, id);
                if highest
                    .get(&from.partition)
                    .is_some_and(|known| origin <= *known)
                {
                    continue;
                }
                highest.insert(from.partition, origin);
            }
            let (acceptance, _) = accepted.acceptance(partition, offset, at);
            story.ends.insert((acceptance, id), None);
        }
    }

    async fn take_attempts(&self, partition: u32, story: &mut Story, outcomes: &mut Outcomes) {
        let mut epochs = Epochs(0);
        let topic = Topic::Attempts;
        for record in self.records(topic, partition).await {
            let at = Position {
                topic,
                partition,
                offset: record.offset,
            };
            match AttemptsRecord::decode(&record.into_parts()).unwrap() {
                AttemptsRecord::Fence(fence) => {
                    story.epochs.insert(fence.epoch.unwrap());
                    epochs.counts(fence.epoch.unwrap());
                }
                AttemptsRecord::Succeeded(done) if epochs.counts(done.link.epoch) => {
                    outcomes.take(done.link.origin, at);
                    let end = End::Delivered {
                        attempts: done.attempt.number,
                    };
                    story.end((done.delivery.acceptance, done.subject.endpoint), end);
                }
                AttemptsRecord::Succeeded(_)
                | AttemptsRecord::Cancelled(_)
                | AttemptsRecord::Discarded(_)
                | AttemptsRecord::Answered(_)
                | AttemptsRecord::HeadFailed(_)
                | AttemptsRecord::Circuit(_)
                | AttemptsRecord::Starts(_) => {}
            }
        }
    }

    async fn take_dead(&self, partition: u32, story: &mut Story, outcomes: &mut Outcomes) {
        let mut epochs = Epochs(0);
        let topic = Topic::DeadLetters;
        for record in self.records(topic, partition).await {
            let at = Position {
                topic,
                partition,
                offset: record.offset,
            };
            match DeadLetterRecord::decode(&record.into_parts()).unwrap() {
                DeadLetterRecord::Fence(fence) => drop(epochs.counts(fence.epoch.unwrap())),
                DeadLetterRecord::DeadLetter(dead) => {
                    if epochs.counts(dead.end.link.epoch) {
                        outcomes.take(dead.end.link.origin, at);
                        let end = End::Dead {
                            reason: dead.end.reason,
                            attempts: dead.end.attempts,
                        };
                        story.end((dead.end.delivery.acceptance, dead.addressed.endpoint), end);
                    }
                }
            }
        }
    }
}

impl Story {
    fn end(&mut self, delivery: (Acceptance, EndpointId), end: End) {
        let before = self.ends.insert(delivery, Some(end));
        assert_eq!(
            before,
            Some(None),
            "{delivery:?} was not open, and ends: {end:?}"
        );
    }

    /// The ends of one endpoint's deliveries, in the order of acceptance.
    pub(crate) fn ends_of(&self, endpoint: EndpointId) -> Vec<End> {
        let of = self.ends.iter().filter(|((_, id), _)| *id == endpoint);
        of.filter_map(|(_, end)| *end).collect()
    }
}
