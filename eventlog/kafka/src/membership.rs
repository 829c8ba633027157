//! What a group tells its member: collected from the driver's callback, acted on in turn.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{ClientContext, Offset, TopicPartitionList};
use tokio::sync::Notify;

use crate::context;

/// A change of what the member holds. The driver waits until the first two are acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Assigned(Vec<i32>),
    Revoked(Vec<i32>),
    /// Given up already.
    Lost(Vec<i32>),
}

impl Change {
    /// Whether it takes the partition away.
    pub(crate) fn takes(&self, partition: i32) -> bool {
        match self {
            Self::Assigned(_) => false,
            Self::Revoked(taken) | Self::Lost(taken) => taken.contains(&partition),
        }
    }
}

/// The consumer's context.
pub(crate) struct Membership {
    pub(crate) full_name: String,
    pub(crate) changes: Mutex<VecDeque<Change>>,
    /// Once set, nobody asks for changes any more, and each is acknowledged at once.
    pub(crate) closing: AtomicBool,
    /// The group has answered: it has given something, if only nothing.
    pub(crate) has_joined: AtomicBool,
    /// The group has gone on without this member since it was last given something: what it still sends
    /// may be refused.
    pub(crate) expelled: AtomicBool,
    pub(crate) arrived: Arc<Notify>,
}

pub(crate) type GroupConsumer = BaseConsumer<Membership>;

impl Membership {
    pub(crate) fn new(full_name: String) -> Self {
        Self {
            full_name,
            changes: Mutex::default(),
            closing: AtomicBool::new(false),
            has_joined: AtomicBool::new(false),
            expelled: AtomicBool::new(false),
            arrived: Arc::default(),
        }
    }

    /// These partitions as the driver wants them, each with an offset.
    pub(crate) fn places(&self, partitions: &[i32], offset: Offset) -> TopicPartitionList {
        let mut list = TopicPartitionList::with_capacity(partitions.len());
        for partition in partitions {
            // Fails only for offsets that cannot be told, of which callers give none.
            drop(list.add_partition_offset(&self.full_name, *partition, offset));
        }
        list
    }
}

/// Lets the driver have what it waits for, when nobody will ask for the change.
pub(crate) fn acknowledge(consumer: &GroupConsumer, change: &Change) {
    let membership = consumer.client().context();
    let acknowledged = match change {
        Change::Assigned(partitions) => {
            hold(consumer, &membership.places(partitions, Offset::Offset(0)))
        }
        Change::Revoked(partitions) => {
            consumer.incremental_unassign(&membership.places(partitions, Offset::Invalid))
        }
        Change::Lost(_) => Ok(()),
    };
    if let Err(error) = acknowledged {
        tracing::debug!(%error, ?change, "a change of the group was not acknowledged");
    }
}

/// Takes partitions without fetching them. This is a lease, not a reader: nothing waits to be read,
/// so pausing here never has to be undone.
pub(crate) fn hold(consumer: &GroupConsumer, places: &TopicPartitionList) -> KafkaResult<()> {
    consumer.incremental_assign(places)?;
    if places.count() > 0 {
        consumer.pause(places)
    } else {
        Ok(())
    }
}

impl ClientContext for Membership {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        context::line(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(target: "librdkafka", %error, "{reason}");
    }
}

impl ConsumerContext for Membership {
    fn rebalance(
        &self,
        consumer: &GroupConsumer,
        kind: RDKafkaRespErr,
        changed: &mut TopicPartitionList,
    ) {
        let partitions: Vec<i32> = changed.elements().iter().map(|p| p.partition()).collect();
        let change = if kind == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS {
            self.has_joined.store(true, Ordering::SeqCst);
            if !partitions.is_empty() {
                self.expelled.store(false, Ordering::SeqCst);
            }
            Change::Assigned(partitions)
        } else if consumer.assignment_lost() {
            self.expelled.store(true, Ordering::SeqCst);
            acknowledge(consumer, &Change::Revoked(partitions.clone()));
            Change::Lost(partitions)
        } else {
            Change::Revoked(partitions)
        };
        let nothing =
            matches!(&change, Change::Revoked(none) | Change::Lost(none) if none.is_empty());
        if nothing || self.closing.load(Ordering::SeqCst) {
            acknowledge(consumer, &change);
        } else {
            self.changes.lock().push_back(change);
            self.arrived.notify_one();
        }
    }
}
