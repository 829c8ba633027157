//! Reading the topics of one partition, a turn at a time.
//!
//! One of them *leads*: a record of the others names only records of it that were durable before. So
//! the others are read first, then the leader up to its end as it was after that; a turn folds the
//! leader's records first, and the others' only once the leader has come so far. Thus no view ever says what
//! came of an event without the event.

use std::sync::Arc;
use std::time::Duration;

use eventlog_port::{EventLog, ReadError, ReadLimit, Reader, Record, TopicPartition};
use futures_util::future::select_all;
use projections_port::Progress;
use schemas::topics::Topic;

use crate::fold::Taken;

/// What one turn reads of one topic at most. It bounds memory, and how long the store is written.
const RECORDS: usize = 1_000;
const BYTES: usize = 512 << 10;

/// How long a read waits; then it is asked again.
const WAIT: Duration = Duration::from_secs(30);

/// On a broker offsets may have a gap up to the end: who waited this long may have read all there is, or asks a broker
/// that is out of reach.
const SETTLES: Duration = Duration::from_millis(250);

/// The topics of one partition.
pub(crate) struct Reading {
    log: Arc<dyn EventLog>,
    leader: Source,
    followers: Vec<Source>,
    /// Where the leader ended when the followers' buffers had been read: it comes so far before they are folded.
    needed: Option<u64>,
}

struct Source {
    topic: Topic,
    id: TopicPartition,
    reader: Box<dyn Reader>,
    buffer: Vec<Record>,
    /// Behind the buffer.
    position: u64,
    /// Where to stop, for who folds up to a given place only.
    until: u64,
    /// From the position up to here there is nothing.
    gap_to: u64,
}

/// A topic, how far it is folded, and where to stop.
pub(crate) struct From {
    pub(crate) topic: Topic,
    pub(crate) offset: u64,
    pub(crate) until: u64,
}

impl From {
    /// Goes on from `progress`, or from the start of what the log holds.
    pub(crate) async fn known(
        log: &dyn EventLog,
        topic: Topic,
        partition: u32,
        progress: Option<&Progress>,
    ) -> Result<Self, ReadError> {
        let offset = match progress {
            Some(progress) => progress.offset,
            None => {
                log.bounds(&TopicPartition::of(topic, partition))
                    .await?
                    .start
            }
        };
        Ok(Self {
            topic,
            offset,
            until: u64::MAX,
        })
    }
}

impl Reading {
    /// Readers of the leader and its followers.
    pub(crate) async fn open(
        log: &Arc<dyn EventLog>,
        partition: u32,
        leader: From,
        followers: Vec<From>,
    ) -> Result<Self, ReadError> {
        let mut opened = Vec::with_capacity(followers.len());
        for from in followers {
            opened.push(Source::open(&**log, partition, from).await?);
        }
        Ok(Self {
            log: Arc::clone(log),
            leader: Source::open(&**log, partition, leader).await?,
            followers: opened,
            needed: None,
        })
    }

    /// Waits until there is something to fold, or nothing more to wait for. Cancelling it loses nothing.
    pub(crate) async fn arrived(&mut self) -> Result<(), ReadError> {
        while !self.has_something() && !self.is_finished() {
            let sources = self.followers.iter_mut().chain([&mut self.leader]);
            let reads = sources.map(|source| Box::pin(source.wait(&*self.log)));
            select_all(reads).await.0?;
        }
        Ok(())
    }

    fn has_something(&self) -> bool {
        let mut sources = self.followers.iter().chain([&self.leader]);
        sources.any(|source| !source.buffer.is_empty())
    }

    /// Reads what there is now, and the leader as far as the others need it, or as a turn takes. Cancelling it loses
    /// nothing.
    pub(crate) async fn gather(&mut self) -> Result<(), ReadError> {
        if self.needed.is_none() {
            for follower in &mut self.followers {
                follower.fill(Duration::ZERO).await?;
            }
            let followed = |source: &Source| !source.buffer.is_empty();
            if self.followers.iter().any(followed) {
                let end = self.log.bounds(&self.leader.id).await?.end;
                self.needed = Some(end.min(self.leader.until));
            }
        }
        self.leader.fill(Duration::ZERO).await?;
        if let Some(needed) = self.needed {
            self.leader.reach(&*self.log, needed).await?;
        }
        Ok(())
    }

    /// What has been gathered, perhaps nothing, and whether there is more.
    pub(crate) fn take(&mut self) -> (Vec<Taken>, bool) {
        let is_led = self.needed.is_none_or(|needed| self.leader.passed(needed));
        let mut more = self.leader.is_full() || !is_led;
        let mut taken = vec![self.leader.take()];
        if is_led {
            self.needed = None;
            more |= self.followers.iter().any(Source::is_full);
            taken.extend(self.followers.iter_mut().map(Source::take));
        }
        (taken, more)
    }

    /// Whether every topic is read up to where it was to stop.
    pub(crate) fn is_finished(&self) -> bool {
        let mut sources = self.followers.iter().chain([&self.leader]);
        sources.all(|source| source.buffer.is_empty() && source.passed(source.until))
    }
}

impl Source {
    async fn open(log: &dyn EventLog, partition: u32, from: From) -> Result<Self, ReadError> {
        let id = TopicPartition::of(from.topic, partition);
        let reader = log.patient_reader(&id, from.offset).await?;
        Ok(Self {
            topic: from.topic,
            id,
            reader,
            buffer: Vec::new(),
            position: from.offset,
            until: from.until,
            gap_to: from.offset,
        })
    }

    /// Reads on, up to what a turn takes. Waits for the first record only.
    async fn fill(&mut self, wait: Duration) -> Result<(), ReadError> {
        if self.is_full() || self.position >= self.until {
            return Ok(());
        }
        let limit = ReadLimit {
            records: RECORDS - self.buffer.len(),
            bytes: BYTES - self.bytes(),
            wait,
        };
        let read = self.reader.next(limit).await?;
        self.position = self.reader.position().min(self.until);
        let until = self.until;
        let wanted = read.into_iter().filter(|record| record.offset < until);
        self.buffer.extend(wanted);
        Ok(())
    }

    /// Waits for records; at the place where to stop, for ever.
    async fn wait(&mut self, log: &dyn EventLog) -> Result<(), ReadError> {
        if self.until == u64::MAX {
            return self.fill(WAIT).await;
        }
        if self.passed(self.until) {
            std::future::pending::<()>().await;
        }
        self.reach(log, self.until).await
    }

    /// Reads on up to `end`, or to what a turn takes. That nothing comes is no proof that nothing is there.
    async fn reach(&mut self, log: &dyn EventLog, end: u64) -> Result<(), ReadError> {
        while !self.is_full() && !self.passed(end) {
            let before = self.position;
            self.fill(SETTLES).await?;
            if self.position == before {
                let from = self.gap_to.max(self.position);
                self.gap_to = gap(log, &self.id, from, end).await?;
            }
        }
        Ok(())
    }

    /// Whether nothing is left to read below `end`.
    const fn passed(&self, end: u64) -> bool {
        self.position >= end || self.gap_to >= end
    }

    /// Whether the last read was cut short by its limits, or may have been.
    fn is_full(&self) -> bool {
        self.buffer.len() >= RECORDS || self.bytes() >= BYTES
    }

    fn bytes(&self) -> usize {
        self.buffer.iter().map(Record::size).sum()
    }

    fn take(&mut self) -> Taken {
        Taken {
            topic: self.topic,
            records: std::mem::take(&mut self.buffer),
            position: self.position,
        }
    }
}

/// How far from `from`, up to `end`, the log says of each offset that nothing is there. A read that brings nothing says
/// less: its broker may be out of reach.
async fn gap(
    log: &dyn EventLog,
    id: &TopicPartition,
    from: u64,
    end: u64,
) -> Result<u64, ReadError> {
    for offset in from..end {
        if log.read_at(id, offset).await?.is_some() {
            return Ok(offset);
        }
    }
    Ok(end.max(from))
}

/// One topic of one partition, read once up to its end as it was.
pub(crate) struct ToEnd {
    log: Arc<dyn EventLog>,
    id: TopicPartition,
    reader: Box<dyn Reader>,
    end: u64,
    gap_to: u64,
}

impl ToEnd {
    /// From the start of what the log holds to its end now.
    pub(crate) async fn open(
        log: &Arc<dyn EventLog>,
        id: TopicPartition,
    ) -> Result<Self, ReadError> {
        let bounds = log.bounds(&id).await?;
        Ok(Self {
            log: Arc::clone(log),
            reader: log.reader(&id, bounds.start).await?,
            id,
            end: bounds.end,
            gap_to: bounds.start,
        })
    }

    /// The next records; none only where there are no more.
    pub(crate) async fn next(&mut self) -> Result<Vec<Record>, ReadError> {
        let limit = ReadLimit {
            records: RECORDS,
            bytes: BYTES,
            wait: SETTLES,
        };
        while self.reader.position().max(self.gap_to) < self.end {
            let records = self.reader.next(limit).await?;
            if !records.is_empty() {
                return Ok(records);
            }
            let from = self.gap_to.max(self.reader.position());
            self.gap_to = gap(&*self.log, &self.id, from, self.end).await?;
        }
        Ok(Vec::new())
    }
}
