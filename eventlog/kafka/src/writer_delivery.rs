//! How the answers to appends come back: what the producer's context does, and what it shares with
//! the writer.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::thread::Thread;

use eventlog_port::completion::Completions;
use eventlog_port::{AppendError, Appended, NewRecord, TopicPartition, WriterKind};
use parking_lot::Mutex;
use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, DeliveryResult, Message};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer, ProducerContext, PurgeConfig};
use tokio::sync::{Notify, Semaphore};
use tokio::time::Instant;

use crate::error::{NoOffset, delivery_error, refused};
use crate::writer_flow::Flows;
use crate::writer_target::Target;
use crate::{context, record};

/// Answers are handed out in batches of at most so many: one lock and few wake-ups for all.
const ANSWERS: usize = 128;

pub(crate) type Answer = Result<Appended, AppendError>;
pub(crate) type OwnProducer = BaseProducer<Deliveries>;

/// What the driver carries along with a record, packed into one pointer: no allocation for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ticket {
    /// Where the answer goes; a slab's number, below 2^32.
    pub(crate) place: usize,
    /// How much of the writer's memory the record takes; below 2^31.
    pub(crate) kib: u32,
    /// Whether it is the first of its partition, which those behind it wait for.
    pub(crate) opens: bool,
}

const _: () = assert!(usize::BITS == 64, "a ticket needs 64 bits");

impl Ticket {
    pub(crate) const fn pack(self) -> usize {
        self.place | (self.kib as usize) << 32 | (self.opens as usize) << 63
    }

    pub(crate) const fn unpack(packed: usize) -> Self {
        Self {
            place: packed & 0xffff_ffff,
            kib: (packed >> 32 & 0x7fff_ffff) as u32,
            opens: packed >> 63 == 1,
        }
    }
}

/// Whether a writer takes appends, and what it must know to keep their order.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    pub(crate) closed: bool,
    pub(crate) broken: bool,
    /// Partitions whose first record of a prefix writer is on its way.
    pub(crate) opening: BTreeSet<TopicPartition>,
    /// Partitions whose first record is durable.
    pub(crate) open: BTreeSet<TopicPartition>,
    pub(crate) flows: Flows,
}

/// What a writer, its producer's context and its thread share.
pub(crate) struct Shared {
    pub(crate) kind: WriterKind,
    pub(crate) topic_prefix: String,
    pub(crate) completions: Arc<Completions<Answer>>,
    /// Held while a record is handed over, so that nothing is once the writer is broken.
    pub(crate) gate: Mutex<Gate>,
    /// Told whenever a partition opens or the writer breaks.
    pub(crate) gate_moved: Notify,
    pub(crate) room: Semaphore,
    pub(crate) kib: Semaphore,
    /// Accepted and not answered.
    pub(crate) in_flight: AtomicUsize,
    /// How many were ever answered; wraps.
    pub(crate) answered: AtomicUsize,
    /// Told when nothing is in flight.
    pub(crate) idle: Notify,
    pub(crate) dropped: AtomicBool,
    pub(crate) thread: OnceLock<Thread>,
    pub(crate) producer: OnceLock<Weak<OwnProducer>>,
    waiting: Mutex<Vec<(Ticket, Answer)>>,
}

impl Shared {
    pub(crate) fn new(kind: WriterKind, topic_prefix: &str, room: usize, kib: usize) -> Self {
        Self {
            kind,
            topic_prefix: topic_prefix.to_owned(),
            completions: Arc::default(),
            gate: Mutex::default(),
            gate_moved: Notify::new(),
            room: Semaphore::new(room),
            kib: Semaphore::new(kib),
            in_flight: AtomicUsize::new(0),
            answered: AtomicUsize::new(0),
            idle: Notify::new(),
            dropped: AtomicBool::new(false),
            thread: OnceLock::new(),
            producer: OnceLock::new(),
            waiting: Mutex::new(Vec::with_capacity(ANSWERS)),
        }
    }

    /// Hands out the answers collected, and over what is held and due.
    pub(crate) fn answer(&self) {
        let mut waiting = self.waiting.lock();
        // First: a place that was answered may be another's.
        let (not_sent, is_broken) = {
            let mut gate = self.gate.lock();
            for (ticket, _) in &*waiting {
                gate.flows.answered(*ticket);
            }
            self.hand_over_held(&mut gate)
        };
        waiting.extend(not_sent);
        self.hand_out(&mut waiting);
        drop(waiting);
        if is_broken {
            self.break_off();
        }
    }

    /// Answers, and gives back the room that the records took.
    fn hand_out(&self, answers: &mut Vec<(Ticket, Answer)>) {
        let count = answers.len();
        if count == 0 {
            return;
        }
        let kib = answers.iter().map(|(ticket, _)| ticket.kib as usize).sum();
        let answers = answers.drain(..);
        self.completions
            .answer_all(answers.map(|(ticket, answer)| (ticket.place, answer)));
        self.room.add_permits(count);
        self.kib.add_permits(kib);
        if self.in_flight.fetch_sub(count, Ordering::SeqCst) == count {
            self.idle.notify_waiters();
        }
        self.answered.fetch_add(count, Ordering::Relaxed);
    }

    /// Hands over what is held and due. Returns the answers of what the driver does not take and of what is behind such
    /// a one, and whether that ends the writer.
    fn hand_over_held(&self, gate: &mut Gate) -> (Vec<(Ticket, Answer)>, bool) {
        let (mut not_sent, mut is_broken) = (Vec::new(), false);
        let now = Instant::now();
        let due = gate.flows.due(now);
        if gate.broken || due.is_empty() {
            return (not_sent, is_broken);
        }
        let producer = self.producer.get().and_then(Weak::upgrade);
        for flow in due {
            let (to, held) = gate.flows.release(flow);
            for held in held {
                let sent = match &producer {
                    Some(producer) if !is_broken => {
                        send(producer, &to, &held.target, &held.record, held.ticket)
                    }
                    _ => Err(AppendError::Broken),
                };
                match sent {
                    Ok(()) => gate.flows.handed_over(flow, held.ticket, now),
                    Err(error) => {
                        // A prefix writer leaves no gap.
                        is_broken |=
                            self.kind == WriterKind::Prefix || matches!(error, AppendError::Broken);
                        not_sent.push((held.ticket, Err(error)));
                    }
                }
            }
        }
        (not_sent, is_broken)
    }

    /// Answers what is held: it is not sent any more.
    pub(crate) fn refuse_held(&self, error: &AppendError) {
        let held = self.gate.lock().flows.release_all();
        let refused = held.iter().map(|held| (held.ticket, Err(error.clone())));
        self.hand_out(&mut refused.collect());
    }

    /// Collects one answer, and hands all out when there are many or none is still to come: a lone
    /// append must not wait for company.
    fn collect(&self, ticket: Ticket, answer: Answer) {
        let count = {
            let mut waiting = self.waiting.lock();
            waiting.push((ticket, answer));
            waiting.len()
        };
        if count >= ANSWERS || count == self.in_flight.load(Ordering::SeqCst) {
            self.answer();
        }
    }

    /// From here on nothing is handed over, and what was is taken back where that is possible.
    pub(crate) fn break_off(&self) {
        {
            let mut gate = self.gate.lock();
            if std::mem::replace(&mut gate.broken, true) {
                return;
            }
        }
        self.room.close();
        self.kib.close();
        self.gate_moved.notify_waiters();
        self.refuse_held(&AppendError::Broken);
        self.purge();
    }

    /// Takes back what is queued or on its way; each record gets its answer all the same.
    pub(crate) fn purge(&self) {
        if let Some(producer) = self.producer.get().and_then(Weak::upgrade) {
            producer.purge(PurgeConfig::default().queue().inflight().non_blocking());
        }
    }

    fn partition(&self, message: &BorrowedMessage<'_>) -> TopicPartition {
        let topic = message.topic();
        let name = topic.strip_prefix(&self.topic_prefix).unwrap_or(topic);
        TopicPartition::new(name, u32::try_from(message.partition()).unwrap_or_default())
    }

    fn opened(&self, partition: &TopicPartition, durable: bool) {
        {
            let mut gate = self.gate.lock();
            gate.opening.remove(partition);
            if durable {
                gate.open.insert(partition.clone());
            }
        }
        self.gate_moved.notify_waiters();
    }
}

/// Has the driver take a record over.
pub(crate) fn send(
    producer: &OwnProducer,
    to: &TopicPartition,
    target: &Target,
    record: &NewRecord,
    ticket: Ticket,
) -> Result<(), AppendError> {
    let sent = producer.send(BaseRecord {
        topic: &target.full_name,
        partition: Some(i32::try_from(to.partition()).unwrap_or(i32::MAX)),
        payload: record.value.as_deref(),
        key: record.key.as_deref(),
        timestamp: None,
        headers: record::headers(record),
        delivery_opaque: ticket.pack(),
    });
    sent.map_err(|(error, _record)| refused(error))
}

/// The producer's context: where its delivery reports arrive, on the writer's thread.
pub(crate) struct Deliveries(pub(crate) Arc<Shared>);

impl ClientContext for Deliveries {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        context::line(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        context::global(&error, reason);
        if error.rdkafka_error_code() == Some(RDKafkaErrorCode::Fatal) {
            self.0.break_off();
        }
    }
}

impl ProducerContext for Deliveries {
    /// A packed [`Ticket`]: a number into a slab, not a future a message.
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, opaque: usize) {
        let ticket = Ticket::unpack(opaque);
        let (answer, message) = match result {
            Ok(message) => (delivered(message), message),
            Err((error, message)) => (Err(delivery_error(error.clone())), message),
        };
        // librdkafka #4134: gaps were reported with the gapless guarantee on, from producers that
        // were used again after an error. So no prefix writer outlives any error.
        if answer.is_err() && self.0.kind == WriterKind::Prefix {
            self.0.break_off();
        }
        if ticket.opens {
            self.0.opened(&self.0.partition(message), answer.is_ok());
        }
        self.0.collect(ticket, answer);
    }
}

fn delivered(message: &BorrowedMessage<'_>) -> Answer {
    // librdkafka confirms a batch whose answer was lost once a later one is confirmed, without
    // having seen where it lies. A record without an offset is not confirmed.
    let offset = record::offset(message.offset())
        .ok_or_else(|| AppendError::Unconfirmed(Arc::new(NoOffset)))?;
    Ok(Appended {
        offset,
        appended_at: record::appended_at(message),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_survives_its_packing() {
        for (place, kib, opens) in [
            (0, 0, false),
            (0xffff_ffff, 0x7fff_ffff, true),
            (7, 1, true),
        ] {
            let ticket = Ticket { place, kib, opens };
            assert_eq!(Ticket::unpack(ticket.pack()), ticket);
        }
    }
}
