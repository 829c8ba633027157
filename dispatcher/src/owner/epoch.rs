//! One epoch: what the core decides is done, and what came of it is told.

mod perform;
mod wait;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use domain::time::Timestamp;
use eventlog_port::{
    AppendError, Offset, ReadError, ReadLimit, Reader, Record, TopicPartition, Writer,
};
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use schemas::attempts::{AttemptsRecord, Start, Starts};
use schemas::ids::EndpointId;
use schemas::topics::{Tier, Topic};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use super::acks::{Acks, Waits};
use super::index::{Index, Told};
use super::reads::{block, look, tier};
use super::takeover::take_over;
use super::{Failure, Life, Rest, Shared, at};
use crate::core::{Core, Effect, Now, Plan, Surroundings};
use crate::input::Input;
use crate::outcome::{Out, Ticket};

/// A block of a pass over the log again.
const SWEEP: ReadLimit = ReadLimit {
    records: 1_000,
    bytes: 4 << 20,
    wait: Duration::from_millis(500),
};

/// How long the cursor's reader waits for a record.
const CURSOR_WAIT: Duration = Duration::from_secs(5);

/// How soon it is looked again whether something may be sent.
const MAY_DIAL: Duration = Duration::from_millis(50);

/// How often it is told how far behind a partition is.
const TELL_LAG: Duration = Duration::from_secs(1);

/// More starts than this are not gathered into one note.
const MOST_STARTS: usize = 512;

/// What has come about, beside answers to appends and to requests.
enum Event {
    Events(Box<dyn Reader>, Result<Vec<Record>, ReadError>),
    Tier(Tier, Result<(Vec<Record>, Offset), ReadError>),
    Swept(Box<dyn Reader>, Result<Vec<Record>, ReadError>),
    SweepFailed(ReadError),
    Looked(Look, Result<(Offset, u64), ReadError>),
    Index(Told),
    Disabled(EndpointId),
    PutAway(Input),
    Control,
    Told,
    Permit(Option<OwnedSemaphorePermit>),
}

/// A look at `progress`, and what it is for.
struct Look {
    ends: Vec<(Tier, Offset)>,
    plan: Option<Box<Plan>>,
}

/// An epoch under way.
pub(super) struct Epoch<'a> {
    shared: &'a Arc<Shared>,
    life: &'a mut Life,
    partition: u32,
    core: Core,
    writer: Arc<dyn Writer>,
    acks: Acks,
    /// Named once, not for each record.
    places: BTreeMap<Topic, TopicPartition>,
    work: FuturesUnordered<BoxFuture<'static, Event>>,
    index: Index,
    /// The cursor's reader, while it isn't reading.
    reader: Option<Box<dyn Reader>>,
    tiers: BTreeSet<Tier>,
    is_looking: bool,
    looked_to: Offset,
    is_checkpointing: bool,
    /// A set that may be written: nobody has fenced since it was decided.
    planned: Option<Box<Plan>>,
    checkpoint_at: Instant,
    lag_told_at: Instant,
    waits_for_permit: bool,
    waits_for_control: Option<u64>,
    /// Attempts that began, and that no note tells of.
    starts: BTreeMap<Input, Start>,
    starts_at: Option<(Instant, Timestamp)>,
    /// Once it is told to stop: until when what is out may come back.
    drains_until: Option<Instant>,
    counted: [i64; 3],
    /// What could not be appended any more.
    left: Vec<(Box<Out>, Ticket)>,
}

impl<'a> Epoch<'a> {
    /// Takes over, and acts until it is told to stop (then there is no failure) or can't go on.
    pub(super) async fn live(
        shared: &'a Arc<Shared>,
        around: Surroundings,
        rest: Rest,
        life: &'a mut Life,
    ) -> (Surroundings, Rest, Option<Failure>) {
        let partition = around.partition;
        let index = match shared.indexes.open(partition).await {
            Ok(index) => Index::new(index, Arc::clone(&shared.log), partition),
            Err(error) => return (around, rest, Some(error.into())),
        };
        let taken = match take_over(shared, partition, life, rest).await {
            Ok(taken) => taken,
            Err((failure, rest)) => return (around, rest, Some(failure)),
        };
        let events = at(Topic::Events, partition);
        let reader = match shared.log.reader(&events, taken.found.cursor).await {
            Ok(reader) => reader,
            Err(error) => {
                let rest = Rest {
                    wire: taken.found.wire,
                    answers: taken.found.answers,
                    lane_numbers: taken.found.lane_numbers,
                };
                return (around, rest, Some(error.into()));
            }
        };
        tracing::info!(
            partition,
            epoch = taken.found.epoch,
            cursor = taken.found.cursor,
            "a partition has its owner"
        );
        let looked_to = taken.found.epoch + 1;
        life.places(taken.found.cursor);
        let mut epoch = Self {
            shared,
            partition,
            core: Core::new(around, taken.found),
            writer: taken.writer,
            acks: Acks::default(),
            places: BTreeMap::new(),
            work: FuturesUnordered::new(),
            index,
            reader: Some(reader),
            tiers: BTreeSet::new(),
            is_looking: false,
            looked_to,
            is_checkpointing: false,
            planned: None,
            checkpoint_at: Instant::now() + shared.config.limits.checkpoint_every,
            lag_told_at: Instant::now(),
            waits_for_permit: false,
            waits_for_control: None,
            starts: BTreeMap::new(),
            starts_at: None,
            drains_until: None,
            counted: [0; 3],
            left: Vec::new(),
            life,
        };
        let ended = epoch.run().await;
        epoch.end(ended)
    }

    fn end(mut self, ended: Result<(), Failure>) -> (Surroundings, Rest, Option<Failure>) {
        self.count([0; 3]);
        // Answers that came in the epoch's last moment: nobody else knows of them.
        let undone = self.core.undone();
        self.keep(undone);
        let mut answers = self.left;
        answers.extend(self.acks.into_answers());
        let (around, wire, lane_numbers) = self.core.into_rest();
        let rest = Rest {
            wire,
            answers,
            lane_numbers,
        };
        (around, rest, ended.err())
    }

    async fn run(&mut self) -> Result<(), Failure> {
        loop {
            let now = self.now();
            let known = self.core.around.control.read(control::ControlState::end);
            let effects = self.core.step(now, known);
            if let Some(stop) = self.core.stop.take() {
                self.keep(effects);
                return Err(stop.into());
            }
            let is_dirty = self.perform_all(effects, now).await?;
            if self.is_drained() {
                return self.finish().await;
            }
            self.arm(known)?;
            if !is_dirty {
                self.wait().await?;
            }
        }
    }

    fn now(&self) -> Now {
        let session = self.shared.config.session;
        let may_dial = self.drains_until.is_none()
            && self.life.lease.holds(session)
            && self.shared.control.is_fresh();
        Now {
            log: self.life.log_time.now(),
            latest: self.life.log_time.latest(),
            stamped: self.life.log_time.stamped(),
            wall: self.shared.clock.now(),
            may_dial,
        }
    }

    /// Whether it was told to stop, and there is nothing more to wait for.
    fn is_drained(&self) -> bool {
        let Some(until) = self.drains_until else {
            return false;
        };
        let is_over = Instant::now() >= until || self.life.hurry.is_cancelled();
        is_over || (self.core.on_the_wire() == 0 && self.acks.is_empty())
    }

    /// Waits for what was appended, and writes a last checkpoint.
    async fn finish(&mut self) -> Result<(), Failure> {
        self.settle().await?;
        let now = self.now();
        if let Some(plan) = self.core.plan(now) {
            let progress = at(Topic::Progress, self.partition);
            let log = Arc::clone(&self.shared.log);
            let (_, highest) = look(log, progress, self.looked_to).await?;
            self.check(highest)?;
            self.append_plan(Box::new(plan)).await?;
            self.settle().await?;
        }
        self.life.places(self.core.done_below());
        Ok(())
    }

    async fn settle(&mut self) -> Result<(), Failure> {
        while !self.acks.is_empty() {
            let acked = self.acks.next().await?;
            self.acked(acked);
        }
        Ok(())
    }

    /// A higher epoch than its own ends it (O6).
    fn check(&self, highest: u64) -> Result<(), Failure> {
        if highest > self.core.epoch {
            return Err(Failure::Superseded(highest));
        }
        Ok(())
    }

    async fn append_plan(&mut self, plan: Box<Plan>) -> Result<(), Failure> {
        self.is_checkpointing = true;
        let progress = at(Topic::Progress, self.partition);
        let last = plan.records.len().saturating_sub(1);
        let records: Vec<_> = plan
            .records
            .iter()
            .map(schemas::progress::ProgressRecord::encode)
            .collect();
        let mut plan = Some(plan);
        for (n, record) in records.into_iter().enumerate() {
            let sent = Instant::now();
            let appending = self.writer.append(&progress, record.into()).await?;
            let waits = match plan.take_if(|_| n == last) {
                Some(plan) => Waits::Checkpoint(plan),
                None => Waits::Note,
            };
            self.acks.push(Topic::Progress, sent, appending, waits);
        }
        Ok(())
    }

    /// Begins to read, and to wait for, what the core wants.
    fn arm(&mut self, known: u64) -> Result<(), Failure> {
        let now = self.now();
        let limits = &self.shared.config.limits;
        if let Some(reader) = self.reader.take_if(|_| {
            self.core.wants_events().is_some()
                && !self.index.is_behind()
                && self.drains_until.is_none()
        }) {
            let limit = ReadLimit {
                records: limits.read_records,
                bytes: limits.read_bytes,
                wait: CURSOR_WAIT,
            };
            self.work.push(Box::pin(async move {
                let (reader, records) = block(reader, limit).await;
                Event::Events(reader, records)
            }));
        }
        for (wanted, from) in self.core.wanted_tiers(now) {
            if self.tiers.insert(wanted) {
                let log = Arc::clone(&self.shared.log);
                let topic = at(Topic::Retry(wanted), self.partition);
                self.work.push(Box::pin(async move {
                    Event::Tier(wanted, tier(log, topic, from).await)
                }));
            }
        }
        self.arm_look(now);
        if self.lag_told_at.elapsed() >= TELL_LAG {
            self.tell_lag(now);
        }
        if let Some(asked) = self.index.next() {
            self.work
                .push(Box::pin(async move { Event::Index(asked.await) }));
        }
        self.arm_waits(known);
        Ok(())
    }

    /// Looks at `progress`: for own retries to be confirmed (O14), and before each checkpoint (O9).
    fn arm_look(&mut self, now: Now) {
        if self.is_looking {
            return;
        }
        let is_due = Instant::now() >= self.checkpoint_at
            && !self.is_checkpointing
            && self.planned.is_none();
        if !is_due && !self.core.unconfirmed() {
            return;
        }
        let mut plan = None;
        if is_due {
            let every = self.shared.config.limits.checkpoint_every;
            self.checkpoint_at = Instant::now() + every;
            self.count(self.core.counts());
            plan = self.core.plan(now).map(Box::new);
        }
        self.is_looking = true;
        let look_for = Look {
            ends: self.core.tier_ends(),
            plan,
        };
        let log = Arc::clone(&self.shared.log);
        let (progress, from) = (at(Topic::Progress, self.partition), self.looked_to);
        self.work.push(Box::pin(async move {
            let looked = look(log, progress, from).await;
            Event::Looked(look_for, looked)
        }));
    }

    /// How far behind the partition is, for metrics. Nobody waits for it.
    fn tell_lag(&mut self, now: Now) {
        self.lag_told_at = Instant::now();
        let (metrics, partition) = (self.shared.metrics.clone(), self.partition);
        let (oldest, lag) = self.core.lag();
        metrics.stands(partition, lag);
        let Some(oldest) = oldest else {
            return metrics.is_behind(partition, Duration::ZERO);
        };
        let log = Arc::clone(&self.shared.log);
        self.work.push(Box::pin(async move {
            let events = at(Topic::Events, partition);
            if let Ok(Some(record)) = log.read_at(&events, oldest).await {
                metrics.is_behind(partition, now.stamped.saturating_since(record.appended_at));
            }
            Event::Told
        }));
    }

    fn arm_waits(&mut self, known: u64) {
        if self.core.wants_permit() && !self.waits_for_permit {
            self.waits_for_permit = true;
            let permit = self.shared.budget.request();
            self.work
                .push(Box::pin(async move { Event::Permit(permit.await) }));
        }
        if self.waits_for_control.is_none() {
            self.waits_for_control = Some(known);
            let control = self.shared.control.clone();
            self.work.push(Box::pin(async move {
                // A follower that has stopped is found by everything else.
                let _ = control.applied(known + 1).await;
                Event::Control
            }));
        }
    }

    fn count(&mut self, counts: [i64; 3]) {
        let [a, b, c] = self.counted;
        let [d, e, f] = counts;
        self.shared.metrics.counts([d - a, e - b, f - c]);
        self.counted = counts;
    }

    /// What could not be done is kept, as far as it is known here alone.
    fn keep(&mut self, effects: impl IntoIterator<Item = Effect>) {
        for effect in effects {
            match effect {
                Effect::Append(out, ticket) if ticket.is_answer => self.left.push((out, ticket)),
                Effect::Send(departure) => self.core.never_sent(&departure.job),
                Effect::Append(..)
                | Effect::Note(_)
                | Effect::Progress(_)
                | Effect::Index(_)
                | Effect::Forget(..)
                | Effect::Fetch(_)
                | Effect::Sweep(_)
                | Effect::Quarantine(..)
                | Effect::Disable(..) => {}
            }
        }
    }

    fn begin_sweep(&mut self, from: Offset) {
        let log = Arc::clone(&self.shared.log);
        let events: TopicPartition = at(Topic::Events, self.partition);
        self.work.push(Box::pin(async move {
            match log.reader(&events, from).await {
                Ok(reader) => {
                    let (reader, records) = block(reader, SWEEP).await;
                    Event::Swept(reader, records)
                }
                Err(error) => Event::SweepFailed(error),
            }
        }));
    }

    fn go_on_sweeping(&mut self, reader: Box<dyn Reader>) {
        self.work.push(Box::pin(async move {
            let (reader, records) = block(reader, SWEEP).await;
            Event::Swept(reader, records)
        }));
    }

    /// The note of attempts that have begun and are not back (O10). Nobody waits for it.
    async fn note_starts(&mut self) -> Result<(), AppendError> {
        let Some((_, started_at)) = self.starts_at.take() else {
            return Ok(());
        };
        let starts: Vec<Start> = std::mem::take(&mut self.starts).into_values().collect();
        if starts.is_empty() {
            return Ok(());
        }
        let note = AttemptsRecord::Starts(Starts {
            epoch: self.core.epoch,
            started_at: schemas::scalar::At(started_at),
            starts,
        });
        self.note(Topic::Attempts, note.encode()).await
    }

    async fn note(&mut self, topic: Topic, record: schemas::Parts) -> Result<(), AppendError> {
        let to = self.place(topic);
        let sent = Instant::now();
        let appending = self.writer.append(&to, record.into()).await?;
        self.acks.push(topic, sent, appending, Waits::Note);
        Ok(())
    }

    /// Where a topic's records of this partition go.
    fn place(&mut self, topic: Topic) -> TopicPartition {
        let partition = self.partition;
        let place = self.places.entry(topic);
        place.or_insert_with(|| at(topic, partition)).clone()
    }
}
