//! Folding one partition, turn by turn.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use eventlog_port::{EventLog, ReadError, TopicPartition};
use projections_port::{Batch, Progress, ViewError, ViewWriter};
use schemas::topics::Topic;
use tokio::time::Instant;

use crate::fold::TooNew;
use crate::fold::acceptances::{self, Acceptances, Accepted};
use crate::fold::deliveries::{self, Deliveries, Found};
use crate::reading::{From, Reading};

/// A partition that can't be folded on.
#[derive(Debug, thiserror::Error)]
pub enum FoldError {
    /// The log could not be read, or what is to be read next is gone from it: then only a rebuild
    /// helps.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The store failed.
    #[error(transparent)]
    Views(#[from] ViewError),
    /// A record of a newer program.
    #[error(transparent)]
    TooNew(#[from] TooNew),
    /// Other rows have taken the place of those that were folded into.
    #[error("the rows were replaced by others")]
    Replaced,
}

impl FoldError {
    /// Whether beginning again where the rows are may succeed.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        match self {
            Self::Read(error) => error.is_retryable(),
            Self::Views(
                ViewError::Unavailable(_)
                | ViewError::Overtaken { .. }
                | ViewError::Replaced { .. },
            ) => true,
            Self::Replaced => true,
            Self::Views(ViewError::Damaged(_) | ViewError::Unusable(_)) | Self::TooNew(_) => false,
        }
    }

    /// Whether somebody may mend what it is without a new program: a permission, a password.
    #[must_use]
    pub const fn may_be_mended(&self) -> bool {
        matches!(self, Self::Views(ViewError::Unusable(_)))
    }
}

/// What is claimed: a partition of `events` with all that its owner writes, or one of `inbox` with its
/// `routed`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Claimed {
    Deliveries(u32),
    Acceptances(u32),
}

impl Claimed {
    /// The topic whose records come first.
    pub(crate) const fn leader(self) -> (Topic, u32) {
        match self {
            Self::Deliveries(partition) => (Topic::Events, partition),
            Self::Acceptances(partition) => (Topic::Inbox, partition),
        }
    }

    /// The topics whose records follow them.
    pub(crate) fn followers(self, tiers: &[Topic]) -> Vec<Topic> {
        match self {
            Self::Deliveries(_) => {
                let outputs = [Topic::Attempts, Topic::DeadLetters];
                outputs.into_iter().chain(tiers.iter().copied()).collect()
            }
            Self::Acceptances(_) => vec![Topic::Routed],
        }
    }
}

/// The topics of tiers that the log has, old ones too.
pub(crate) async fn tiers(log: &dyn EventLog) -> Result<Vec<Topic>, eventlog_port::TopicError> {
    let topics = log.topics().await?;
    let parsed = topics.iter().filter_map(|info| info.spec.name.parse().ok());
    Ok(parsed
        .filter(|topic| matches!(topic, Topic::Retry(_)))
        .collect())
}

/// One partition's fold.
pub(crate) struct Folding {
    log: Arc<dyn EventLog>,
    views: Arc<dyn ViewWriter>,
    claimed: Claimed,
    /// Of the rows that it folds into.
    generation: u64,
    reading: Reading,
    fold: Fold,
}

enum Fold {
    Deliveries(Deliveries),
    Acceptances(Acceptances),
}

/// A turn, as far as it can be folded by what the log says.
enum Turn<'a> {
    Folded(Batch),
    /// Rows have to be known first.
    Deliveries(&'a mut Deliveries, deliveries::Turn),
}

impl Folding {
    /// Goes on where the rows are; with `until`, up to there and no further.
    pub(crate) async fn begin(
        log: &Arc<dyn EventLog>,
        views: &Arc<dyn ViewWriter>,
        claimed: Claimed,
        tiers: &[Topic],
        until: Option<&BTreeMap<(Topic, u32), u64>>,
    ) -> Result<Self, FoldError> {
        let generation = views.generation();
        let (leader, partition) = claimed.leader();
        views.take(leader, partition).await?;
        let progress = views.progress().await?;
        let from = async |topic| -> Result<From, FoldError> {
            let known = progress.get(&(topic, partition));
            let mut from = From::known(&**log, topic, partition, known).await?;
            if let Some(until) = until {
                let until = until.get(&(topic, partition)).copied();
                from.until = until.unwrap_or(0).max(from.offset);
            }
            Ok(from)
        };
        let leader = from(leader).await?;
        let mut followers = Vec::new();
        for topic in claimed.followers(tiers) {
            followers.push(from(topic).await?);
        }
        let places = std::iter::once(&leader).chain(&followers).map(|from| {
            let known = progress.get(&(from.topic, partition)).cloned();
            let begin = Progress {
                offset: from.offset,
                ..Progress::default()
            };
            (from.topic, known.unwrap_or(begin))
        });
        let fold = Fold::new(claimed, places.collect());
        Ok(Self {
            log: Arc::clone(log),
            views: Arc::clone(views),
            claimed,
            generation,
            reading: Reading::open(log, partition, leader, followers).await?,
            fold,
        })
    }

    /// Folds turn after turn, one write at most each `pace` while there is nothing to catch up with.
    /// `wrote` is told how far each topic is after each. Dropping it is a crash: the next one begins
    /// where the rows are.
    pub(crate) async fn run(
        mut self,
        pace: Duration,
        turns: &tokio::sync::Semaphore,
        wrote: impl Fn(Topic, u32, u64),
    ) -> FoldError {
        let mut next = Instant::now();
        let (views, generation) = (Arc::clone(&self.views), self.generation);
        let replaced = views.replaced(generation);
        tokio::pin!(replaced);
        loop {
            // Whatever waits for the log does so outside of the permit: a silent broker holds up its own partitions.
            let folding = &mut self;
            let read = async move {
                folding.reading.arrived().await?;
                tokio::time::sleep_until(next).await;
                folding.read().await
            };
            let (turn, more) = tokio::select! {
                biased;
                () = &mut replaced => return FoldError::Replaced,
                read = read => match read {
                    Ok(read) => read,
                    Err(error) => return error,
                },
            };
            next = Instant::now() + pace;
            if let Some(turn) = turn {
                // Closed never.
                let _permit = turns.acquire().await;
                if let Err(error) = turn.write(&*views, generation, &wrote).await {
                    return error;
                }
            }
            if more {
                next = Instant::now();
            }
        }
    }

    /// Folds up to where it was to stop.
    pub(crate) async fn finish(&mut self) -> Result<(), FoldError> {
        let (views, generation) = (Arc::clone(&self.views), self.generation);
        while !self.reading.is_finished() {
            self.reading.arrived().await?;
            let (turn, _) = self.read().await?;
            if let Some(turn) = turn {
                turn.write(&*views, generation, &|_, _, _| {}).await?;
            }
        }
        Ok(())
    }

    /// All of a turn that the log has; says as well whether there is more to read. Whoever drops it midway, or has an
    /// error of it, loses what it took, and begins again where the rows are.
    async fn read(&mut self) -> Result<(Option<Turn<'_>>, bool), FoldError> {
        self.reading.gather().await?;
        let (taken, more) = self.reading.take();
        if taken.iter().all(|taken| taken.records.is_empty()) {
            return Ok((None, more));
        }
        let turn = match &mut self.fold {
            Fold::Deliveries(fold) => {
                let turn = fold.read(taken)?;
                Turn::Deliveries(fold, turn)
            }
            Fold::Acceptances(fold) => {
                let (_, partition) = self.claimed.leader();
                let turn = fold.read(taken)?;
                let found = looked_up(fold, &turn, partition, &*self.log).await?;
                Turn::Folded(fold.fold(turn, found))
            }
        };
        Ok((Some(turn), more))
    }
}

impl Turn<'_> {
    /// Folds what is left of it, and writes what came of it.
    async fn write(
        self,
        views: &dyn ViewWriter,
        generation: u64,
        wrote: &impl Fn(Topic, u32, u64),
    ) -> Result<(), FoldError> {
        let folded = match self {
            Self::Folded(batch) => batch,
            Self::Deliveries(fold, turn) => {
                let found = stored(&turn, views).await?;
                fold.fold(turn, found)
            }
        };
        let advances = folded.progress.clone();
        let batch = Batch {
            generation: Some(generation),
            ..folded
        };
        views.write(batch).await?;
        for advance in advances {
            wrote(advance.topic, advance.partition, advance.to.offset);
        }
        Ok(())
    }
}

impl Fold {
    fn new(claimed: Claimed, mut places: BTreeMap<Topic, Progress>) -> Self {
        match claimed {
            Claimed::Deliveries(partition) => {
                Self::Deliveries(Deliveries::new(partition, places, true))
            }
            Claimed::Acceptances(partition) => {
                let mut place = |topic| places.remove(&topic).unwrap_or_default();
                let (inbox, routed) = (place(Topic::Inbox), place(Topic::Routed));
                Self::Acceptances(Acceptances::new(partition, inbox, routed))
            }
        }
    }
}

/// The rows that a turn is about.
async fn stored(turn: &deliveries::Turn, views: &dyn ViewWriter) -> Result<Found, ViewError> {
    let mut found = Found {
        rows: Vec::new(),
        minutes: Vec::new(),
        endpoints: Vec::new(),
    };
    if !turn.sought.is_empty() {
        found.rows = views.stored(&turn.sought).await?;
    }
    if !turn.minutes.is_empty() {
        found.minutes = views.stored_minutes(&turn.minutes).await?;
    }
    if !turn.endpoints.is_empty() {
        found.endpoints = views.stored_endpoints(&turn.endpoints).await?;
    }
    Ok(found)
}

/// The records of `inbox` that decisions of a turn are about and that are not held.
async fn looked_up(
    fold: &mut Acceptances,
    turn: &acceptances::Turn,
    partition: u32,
    log: &dyn EventLog,
) -> Result<Vec<(u64, Accepted)>, FoldError> {
    let inbox = TopicPartition::of(Topic::Inbox, partition);
    let mut found = Vec::new();
    for offset in &turn.missing {
        let record = match log.read_at(&inbox, *offset).await {
            Ok(record) => record,
            // Its row is past retention, too.
            Err(ReadError::OffsetGone { .. }) => None,
            Err(error) => return Err(error.into()),
        };
        if let Some(record) = record {
            let accepted = fold.read_accepted(record)?;
            found.extend(accepted.map(|accepted| (*offset, accepted)));
        }
    }
    Ok(found)
}
