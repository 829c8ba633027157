//! What a member does on blocking threads: the driver's calls wait for brokers.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use eventlog_port::{Claim, Commit, GroupSpec};
use rdkafka::consumer::Consumer;
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use uuid::Uuid;

use crate::config::Config;
use crate::membership::{Change, GroupConsumer, acknowledge, hold};
use crate::record::{offset, raw};

/// How long each wait is while a member leaves.
const SLICE: Duration = Duration::from_millis(20);

/// Bounds of the time between heartbeats; a tenth of the session lies in between. It is also how soon
/// a member hears of a change.
const HEARTBEATS: (u128, u128) = (100, 3_000);

/// What a step has come to. A call that is dropped leaves its step running; the next call takes it
/// up.
pub(crate) enum Done {
    Assigned(Vec<Claim>),
    NotAssigned(Vec<i32>, KafkaError),
    GivenUp,
    Committed(KafkaResult<()>),
}

/// Looks up what was committed, then takes the partitions: the driver, and with it the group, waits
/// for the second.
pub(crate) fn assign(consumer: &GroupConsumer, partitions: Vec<i32>, within: Duration) -> Done {
    match claim(consumer, &partitions, within) {
        Ok(claims) => Done::Assigned(claims),
        Err(error) => Done::NotAssigned(partitions, error),
    }
}

fn claim(
    consumer: &GroupConsumer,
    partitions: &[i32],
    within: Duration,
) -> KafkaResult<Vec<Claim>> {
    let membership = consumer.client().context();
    let asked = membership.places(partitions, Offset::Invalid);
    let found = if partitions.is_empty() {
        asked
    } else {
        consumer.committed_offsets(asked, within)?
    };
    let mut claims = Vec::with_capacity(partitions.len());
    for element in found.elements() {
        element.error()?;
        let Ok(partition) = u32::try_from(element.partition()) else {
            continue;
        };
        let committed = element
            .offset()
            .to_raw()
            .and_then(offset)
            .map(|offset| Commit {
                partition,
                offset,
                metadata: element.metadata().to_owned(),
            });
        claims.push(Claim {
            partition,
            committed,
        });
    }
    hold(consumer, &membership.places(partitions, Offset::Offset(0)))?;
    Ok(claims)
}

/// Offsets and words as the driver wants them.
pub(crate) fn offsets(full_name: &str, commits: &[Commit]) -> KafkaResult<TopicPartitionList> {
    let mut list = TopicPartitionList::with_capacity(commits.len());
    for commit in commits {
        let partition = i32::try_from(commit.partition).unwrap_or(i32::MAX);
        let mut place = list.add_partition(full_name, partition);
        place.set_offset(Offset::Offset(raw(commit.offset)))?;
        place.set_metadata(&commit.metadata);
    }
    Ok(list)
}

/// A member that goes.
pub(crate) struct Ending {
    pub(crate) consumer: Arc<GroupConsumer>,
    pub(crate) group: String,
    pub(crate) instance: String,
    pub(crate) within: Duration,
    /// Changes that nobody has acknowledged.
    pub(crate) open: Vec<Change>,
}

impl Ending {
    /// Gives everything up, and waits until the group knows.
    pub(crate) fn leave(self) {
        self.settle();
        #[expect(
            clippy::disallowed_methods,
            reason = "a blocking wait, outside the runtime's timer"
        )]
        let until = Instant::now() + self.within;
        // The driver forgets a member whose first request to join is still open, and the group waits a whole
        // session for it.
        let has_joined = &self.consumer.client().context().has_joined;
        if !self.poll_until(until, || has_joined.load(Ordering::SeqCst)) {
            return;
        }
        // Closing alone says nothing for a static member (KIP-345); unsubscribing does.
        self.consumer.unsubscribe();
        if !self.poll_until(until, || !self.is_member()) {
            tracing::warn!(
                group = self.group,
                "left a group without hearing that it knows"
            );
        }
    }

    /// Serves the driver until `done`; false: not by `until`.
    fn poll_until(&self, until: Instant, done: impl Fn() -> bool) -> bool {
        while !done() {
            drop(self.consumer.poll(SLICE));
            #[expect(clippy::disallowed_methods, reason = "a blocking wait, as above")]
            if Instant::now() >= until {
                return false;
            }
        }
        true
    }

    /// Whether the group lists a member of this name. Brokers put the name before the UUID of a static
    /// member's id (KIP-345); as client id they go on to tell that of the first who came under the name.
    fn is_member(&self) -> bool {
        let listed = self
            .consumer
            .fetch_group_list(Some(&self.group), self.within);
        listed.is_ok_and(|listed| {
            let mut members = listed.groups().iter().flat_map(|group| group.members());
            members.any(|member| {
                let rest = member.id().strip_prefix(&self.instance);
                let uuid = rest.and_then(|rest| rest.strip_prefix('-'));
                uuid.is_some_and(|uuid| Uuid::try_parse(uuid).is_ok())
            })
        })
    }

    /// Ends the consumer without a word to the group.
    pub(crate) fn vanish(self) {
        self.settle();
        // The member is dropping its own handle at this moment; the last one ends the consumer.
        while Arc::strong_count(&self.consumer) > 1 {
            std::thread::park_timeout(SLICE);
        }
    }

    fn settle(&self) {
        for change in &self.open {
            acknowledge(&self.consumer, change);
        }
    }
}

/// The consumer of a member.
pub(crate) fn member_config(config: &Config, spec: &GroupSpec, client_id: &str) -> ClientConfig {
    let session = spec.session.as_millis();
    let heartbeat = (session / 10).clamp(HEARTBEATS.0, HEARTBEATS.1);
    let mut client = config.client("member");
    client
        // Static members with one client id between them get one another's partitions.
        .set("client.id", client_id)
        .set("group.id", config.full_name(&spec.group))
        .set("group.instance.id", &spec.instance)
        .set("partition.assignment.strategy", "cooperative-sticky")
        .set("session.timeout.ms", session.to_string())
        // Not the heartbeats of a thread of the driver's keep a member alive, but its own calls.
        .set("max.poll.interval.ms", session.to_string())
        .set("heartbeat.interval.ms", heartbeat.to_string())
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("auto.offset.reset", "error")
        .set("allow.auto.create.topics", "false")
        // Between being assigned and paused a partition may be fetched from once.
        .set("queued.min.messages", "1")
        .set("queued.max.messages.kbytes", "1")
        .set("fetch.message.max.bytes", "1");
    client
}
