//! One producer, one thread, and the bound on what they have in flight.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_trait::async_trait;
use eventlog_port::{
    AppendError, Appending, NewRecord, TopicPartition, Writer, WriterKind, WriterSpec,
};
use parking_lot::RwLock;
use tokio::time::Instant;

use crate::config::Config;
use crate::error::{ConnectError, not_made_again};
use crate::topics::Topics;
use crate::writer_delivery::{Deliveries, Gate, OwnProducer, Shared, Ticket, send};
use crate::writer_flow::Held;
use crate::writer_settings;
use crate::writer_target::Target;

/// How long the thread sleeps while nothing is in flight; an append wakes it.
const IDLE: Duration = Duration::from_millis(250);
/// How long it waits before it looks for answers again, once there are none; longer while none come. The driver's own
/// wait is of no use: below a millisecond it goes round without waiting.
const PAUSE: Duration = Duration::from_micros(200);
const LONGEST_PAUSE: Duration = Duration::from_millis(1);

/// Most appends in flight: a slab's numbers must fit a ticket, and memory its purpose.
const MAX_IN_FLIGHT: u32 = 1_000_000;

pub(crate) struct KafkaWriter {
    shared: Arc<Shared>,
    producer: Arc<OwnProducer>,
    topics: Arc<Topics>,
    targets: RwLock<BTreeMap<String, Arc<Target>>>,
    buffer_kib: u32,
}

enum Handed {
    Over(Appending),
    Refused(AppendError),
    /// The first record of the partition is on its way: wait for it.
    NotYet,
}

impl KafkaWriter {
    pub(crate) fn start(
        config: &Config,
        spec: &WriterSpec,
        topics: Arc<Topics>,
    ) -> Result<Self, ConnectError> {
        let room = spec.max_in_flight.clamp(1, MAX_IN_FLIGHT);
        let buffer_kib = config.write_buffer_bytes / 1024;
        let shared = Shared::new(
            spec.kind,
            &config.topic_prefix,
            room as usize,
            buffer_kib as usize,
        );
        let shared = Arc::new(shared);
        let producer: OwnProducer = writer_settings::producer(config, spec, room)
            .create_with_context(Deliveries(Arc::clone(&shared)))
            .map_err(not_made_again)?;
        let producer = Arc::new(producer);
        shared.producer.get_or_init(|| Arc::downgrade(&producer));
        let (of_thread, its_producer) = (Arc::clone(&shared), Arc::clone(&producer));
        let thread = std::thread::Builder::new()
            .name(format!("append-{}", spec.name))
            .spawn(move || collect_answers(&of_thread, its_producer))
            .map_err(|error| ConnectError::Unreachable {
                bootstrap: config.bootstrap.clone(),
                source: Box::new(error),
            })?;
        shared.thread.get_or_init(|| thread.thread().clone());
        Ok(Self {
            shared,
            producer,
            topics,
            targets: RwLock::default(),
            buffer_kib,
        })
    }

    async fn target(&self, to: &TopicPartition) -> Result<Arc<Target>, AppendError> {
        let known = self.targets.read().get(to.topic()).cloned();
        if let Some(target) = known
            && to.partition() < target.partitions
        {
            return Ok(target);
        }
        // A producer's own look-up would have a broker make the topic, so it is never the first.
        let found = self.topics.target(to.topic(), to.partition()).await?;
        match found.filter(|target| to.partition() < target.partitions) {
            Some(target) => {
                self.targets
                    .write()
                    .insert(to.topic().to_owned(), Arc::clone(&target));
                Ok(target)
            }
            None => Err(AppendError::NoSuchPartition(to.clone())),
        }
    }

    /// How much of the writer's memory a record takes, if it is not too large.
    fn measured(
        &self,
        target: &Target,
        to: &TopicPartition,
        record: &NewRecord,
    ) -> Result<u32, AppendError> {
        let size = record.size();
        if let Some(limit) = target.broken_limit(size, record.headers.len()) {
            let partition = to.clone();
            return Err(AppendError::TooLarge {
                partition,
                size,
                limit,
            });
        }
        Ok(u32::try_from(size / 1024 + 1)
            .unwrap_or(u32::MAX)
            .min(self.buffer_kib))
    }

    fn stopped(&self) -> AppendError {
        refusal(&self.shared.gate.lock()).unwrap_or(AppendError::Broken)
    }

    fn hand_over(
        &self,
        target: &Arc<Target>,
        to: &TopicPartition,
        record: &NewRecord,
        kib: u32,
    ) -> Handed {
        let mut gate = self.shared.gate.lock();
        if let Some(refusal) = refusal(&gate) {
            return Handed::Refused(refusal);
        }
        // A broker that has no state of a producer takes any sequence number as its first. So the
        // second batch of a partition could land where the first was refused for a passing reason,
        // and the first never would. With the first durable, numbers are checked.
        let opens = self.shared.kind == WriterKind::Prefix && !gate.open.contains(to);
        if opens && !gate.opening.insert(to.clone()) {
            return Handed::NotYet;
        }
        let (waiter, place) = self.shared.completions.open();
        let ticket = Ticket { place, kib, opens };
        if self.shared.in_flight.fetch_add(1, Ordering::SeqCst) == 0
            && let Some(thread) = self.shared.thread.get()
        {
            thread.unpark();
        }
        let flow = gate.flows.number(to);
        let now = Instant::now();
        if gate.flows.is_busy(flow, now) {
            let held = Held {
                target: Arc::clone(target),
                record: record.clone(),
                ticket,
            };
            gate.flows.hold(flow, held);
            return Handed::Over(Appending::new(waiter));
        }
        match send(&self.producer, to, target, record, ticket) {
            Ok(()) => {
                gate.flows.handed_over(flow, ticket, now);
                Handed::Over(Appending::new(waiter))
            }
            Err(error) => {
                drop(waiter);
                gate.opening.remove(to);
                drop(gate);
                self.not_sent(ticket, error)
            }
        }
    }

    fn not_sent(&self, ticket: Ticket, refused: AppendError) -> Handed {
        // Nobody waits at the place; the answer frees it.
        self.shared
            .completions
            .answer(ticket.place, Err(AppendError::Broken));
        if self.shared.in_flight.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.shared.idle.notify_waiters();
        }
        self.shared.gate_moved.notify_waiters();
        if matches!(refused, AppendError::Broken) {
            self.shared.break_off();
        }
        Handed::Refused(refused)
    }
}

#[async_trait]
impl Writer for KafkaWriter {
    async fn append(
        &self,
        to: &TopicPartition,
        record: NewRecord,
    ) -> Result<Appending, AppendError> {
        if let Some(refusal) = refusal(&self.shared.gate.lock()) {
            return Err(refusal);
        }
        let target = self.target(to).await?;
        let kib = self.measured(&target, to, &record)?;
        // Both bounds are ours and lie below the queue's, so that the queue is never full.
        let room = self
            .shared
            .room
            .acquire()
            .await
            .map_err(|_| self.stopped())?;
        let memory = self
            .shared
            .kib
            .acquire_many(kib)
            .await
            .map_err(|_| self.stopped())?;
        loop {
            let moved = self.shared.gate_moved.notified();
            match self.hand_over(&target, to, &record, kib) {
                Handed::Over(appending) => {
                    room.forget();
                    memory.forget();
                    return Ok(appending);
                }
                Handed::Refused(error) => {
                    // Looked up again, in case that it has been deleted.
                    self.targets.write().remove(to.topic());
                    return Err(error);
                }
                Handed::NotYet => moved.await,
            }
        }
    }

    async fn close(&self) {
        self.shared.gate.lock().closed = true;
        self.shared.room.close();
        loop {
            let idle = self.shared.idle.notified();
            if self.shared.in_flight.load(Ordering::SeqCst) == 0 {
                return;
            }
            idle.await;
        }
    }
}

impl Drop for KafkaWriter {
    fn drop(&mut self) {
        self.shared.dropped.store(true, Ordering::SeqCst);
        self.shared.refuse_held(&AppendError::Closed);
        self.shared.purge();
        if let Some(thread) = self.shared.thread.get() {
            thread.unpark();
        }
    }
}

const fn refusal(gate: &Gate) -> Option<AppendError> {
    if gate.broken {
        Some(AppendError::Broken)
    } else if gate.closed {
        Some(AppendError::Closed)
    } else {
        None
    }
}

/// The writer's thread: collects answers until the writer is gone and every append is answered. It
/// holds the producer longest, so that nobody else waits for the producer's end.
fn collect_answers(shared: &Shared, producer: Arc<OwnProducer>) {
    let mut pause = PAUSE;
    loop {
        if shared.in_flight.load(Ordering::SeqCst) > 0 {
            let before = shared.answered.load(Ordering::Relaxed);
            producer.poll(Duration::ZERO);
            shared.answer();
            if shared.answered.load(Ordering::Relaxed) == before {
                std::thread::park_timeout(pause);
                pause = LONGEST_PAUSE.min(pause * 2);
            } else {
                pause = PAUSE;
            }
        } else if shared.dropped.load(Ordering::SeqCst) {
            break;
        } else {
            std::thread::park_timeout(IDLE);
            producer.poll(Duration::ZERO);
        }
    }
    // The writer may be dropping its own handle at this moment; the last one ends the producer.
    while Arc::strong_count(&producer) > 1 {
        std::thread::park_timeout(PAUSE);
    }
    drop(producer);
}
