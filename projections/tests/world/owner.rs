//! What owners write.

use std::time::Duration;

use domain::time::{Clock, Timestamp};
use schemas::attempts::{
    AttemptsRecord, Cancelled, Circuit, CircuitState, Discarded, Start, Starts, Succeeded,
};
use schemas::dead_letter::{DeadLetter, DeadLetterReason, DeadLetterRecord, End};
use schemas::delivery::Link;
use schemas::fence::Fence;
use schemas::origin::Position;
use schemas::retry::{Retry, RetryRecord, Wait, WaitReason};
use schemas::scalar::At;
use schemas::topics::{Tier, Topic};

use super::records::{addressed, attempt, partition_of, subject, tenant};
use super::{Live, OWNED, TIERS, World};

impl World {
    /// A new owner of a partition: what the one before still writes counts for nothing.
    pub(super) async fn fence(&mut self) {
        let partition = self.draw(OWNED as usize) as u32;
        self.epochs[partition as usize] += 1 + self.draw(3) as u64;
        let fence = Fence {
            epoch: Some(self.epochs[partition as usize]),
            owner: "owner".to_owned(),
        };
        let parts = AttemptsRecord::Fence(fence.clone()).encode();
        self.append(Topic::Attempts, partition, parts).await;
        let parts = DeadLetterRecord::Fence(fence.clone()).encode();
        self.append(Topic::DeadLetters, partition, parts).await;
        for tier in TIERS {
            let parts = RetryRecord::Fence(fence.clone()).encode();
            self.append(tier, partition, parts).await;
        }
    }

    /// An outcome of an epoch that has ended.
    pub(super) async fn zombie(&mut self) {
        let Some(live) = self.any_live() else { return };
        let epoch = self.epoch_of(&live);
        if epoch > 1 {
            let good = self.draw(2) == 0;
            self.end(&live, epoch - 1, good).await;
        }
    }

    /// Attempts began, or a circuit changed.
    pub(super) async fn note(&mut self) {
        let Some(live) = self.any_live() else { return };
        let (epoch, partition) = (self.epoch_of(&live), partition_of(live.endpoint));
        let note = if self.draw(2) == 0 {
            AttemptsRecord::Starts(Starts {
                epoch,
                started_at: At(self.clock.now()),
                starts: vec![Start {
                    delivery: live.delivery.id,
                    origin: live.at,
                    number: live.attempts + 1,
                }],
            })
        } else {
            let is_open = self.draw(2) == 0;
            AttemptsRecord::Circuit(Circuit {
                epoch,
                tenant: tenant(),
                endpoint: live.endpoint,
                state: if is_open {
                    CircuitState::Open
                } else {
                    CircuitState::Closed
                },
                probe_at: is_open.then(|| At(self.clock.now())),
            })
        };
        self.append(Topic::Attempts, partition, note.encode()).await;
    }

    pub(super) async fn outcome(&mut self) {
        if self.draw(12) == 0
            && let Some(dead) = self.dead.pop()
        {
            return self.discard(dead).await;
        }
        if self.live.is_empty() {
            return;
        }
        let n = self.draw(self.live.len());
        let mut live = self.live.swap_remove(n);
        match self.draw(8) {
            0..=2 => self.retry(live).await,
            3 => self.cancel(live).await,
            more => {
                let good = more > 4;
                let epoch = self.epoch_of(&live);
                let (at, appended_at) = self.end(&live, epoch, good).await;
                live.step += 1;
                live.at = at;
                self.attempted(&live);
                let counts = if good { [1, 0, 1, 0] } else { [0, 1, 0, 1] };
                self.count(live.endpoint, appended_at, counts);
                self.stands(&live, if good { "delivered" } else { "dead_lettered" });
                if !good {
                    self.dead.push(live);
                }
            }
        }
    }

    /// The end of a delivery, by who has or had its partition in `epoch`.
    async fn end(&mut self, live: &Live, epoch: u64, good: bool) -> (Position, Timestamp) {
        let attempt = attempt(live.attempts + 1, self.clock.now(), good);
        let (topic, parts) = if good {
            let succeeded = Succeeded {
                link: link(live, epoch),
                subject: subject(&live.event, live.endpoint),
                delivery: live.delivery.clone(),
                attempt,
            };
            let record = AttemptsRecord::Succeeded(succeeded);
            (Topic::Attempts, record.encode())
        } else {
            let dead = DeadLetter {
                addressed: addressed(&live.event, live.endpoint),
                end: End {
                    link: link(live, epoch),
                    delivery: live.delivery.clone(),
                    reason: DeadLetterReason::AttemptsExhausted,
                    attempts: live.attempts + 1,
                    attempt: Some(attempt),
                },
            };
            let record = DeadLetterRecord::DeadLetter(dead);
            (Topic::DeadLetters, record.encode())
        };
        let partition = partition_of(live.endpoint);
        let appended = self.append(topic, partition, parts).await;
        let at = Position {
            topic,
            partition,
            offset: appended.offset,
        };
        (at, appended.appended_at)
    }

    async fn retry(&mut self, mut live: Live) {
        let n = self.draw(TIERS.len());
        let Topic::Retry(tier) = TIERS[n] else { return };
        let is_hop = self.draw(3) == 0;
        let now = self.clock.now();
        let wait = self.wait(&live, tier, is_hop, now);
        let retry = Retry {
            addressed: addressed(&live.event, live.endpoint),
            wait,
        };
        let partition = partition_of(live.endpoint);
        let parts = RetryRecord::Retry(retry).encode();
        let appended = self.append(TIERS[n], partition, parts).await;
        if !is_hop {
            live.attempts += 1;
            self.attempted(&live);
            self.count(live.endpoint, appended.appended_at, [0, 1, 0, 0]);
        }
        self.stands(&live, "retrying");
        live.step += 1;
        live.at = Position {
            topic: TIERS[n],
            partition,
            offset: appended.offset,
        };
        self.live.push(live);
    }

    fn wait(&self, live: &Live, tier: Tier, is_hop: bool, now: Timestamp) -> Wait {
        let failed = u32::from(!is_hop);
        Wait {
            link: link(live, self.epoch_of(live)),
            delivery: live.delivery.clone(),
            tier,
            due_at: At(now.saturating_add(Duration::from_secs(5))),
            reason: if is_hop {
                WaitReason::Hop
            } else {
                WaitReason::Failed
            },
            attempts: live.attempts + failed,
            put_off: 0,
            attempt: (!is_hop).then(|| attempt(live.attempts + 1, now, false)),
        }
    }

    async fn cancel(&mut self, live: Live) {
        let cancelled = Cancelled {
            link: link(&live, self.epoch_of(&live)),
            subject: subject(&live.event, live.endpoint),
            delivery: live.delivery.clone(),
            attempts: live.attempts,
        };
        let parts = AttemptsRecord::Cancelled(cancelled).encode();
        let partition = partition_of(live.endpoint);
        self.append(Topic::Attempts, partition, parts).await;
        self.stands(&live, "cancelled");
    }

    async fn discard(&mut self, dead: Live) {
        let discarded = Discarded {
            link: link(&dead, self.epoch_of(&dead)),
            subject: subject(&dead.event, dead.endpoint),
            delivery: dead.delivery.clone(),
        };
        let parts = AttemptsRecord::Discarded(discarded).encode();
        let partition = partition_of(dead.endpoint);
        self.append(Topic::Attempts, partition, parts).await;
        self.stands(&dead, "discarded");
    }

    fn any_live(&mut self) -> Option<Live> {
        if self.live.is_empty() {
            return None;
        }
        let n = self.draw(self.live.len());
        self.live.get(n).cloned()
    }

    fn epoch_of(&self, live: &Live) -> u64 {
        self.epochs[partition_of(live.endpoint) as usize]
    }
}

const fn link(live: &Live, epoch: u64) -> Link {
    Link {
        origin: live.at,
        request: None,
        step: live.step + 1,
        epoch,
    }
}
