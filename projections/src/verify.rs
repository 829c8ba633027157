//! The views against the log: folded again and compared, or folded anew.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use domain::time::Timestamp;
use eventlog_port::{EventLog, ReadError, TopicError, TopicPartition};
use projections_port::row::minute_of;
use projections_port::{Row, RowKey, ViewError, ViewWriter};
use schemas::topics::Topic;

use crate::difference::Difference;
use crate::partition::{Claimed, FoldError, Folding, tiers};
use crate::sums::Sums;

/// Rows that are compared at a time.
const PAGE: usize = 1_000;

/// What a verification has seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Rows that were compared.
    pub compared: u64,
    /// Rows that could not be, since the log no longer has all that they were made of.
    pub passed_over: u64,
    /// Rows that differ; each was told.
    pub differences: u64,
    /// Everything accepted from here on was compared.
    pub since: Timestamp,
}

/// Why a verification or a rebuild ended early.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// The log could not be folded.
    #[error(transparent)]
    Fold(#[from] FoldError),
    /// The log's topics could not be listed.
    #[error(transparent)]
    Topics(#[from] TopicError),
    /// A store failed.
    #[error(transparent)]
    Views(#[from] ViewError),
    /// The views were written meanwhile: stop who writes them, and verify again.
    #[error("the views were written while they were compared")]
    Moved,
}

impl From<ReadError> for VerifyError {
    fn from(error: ReadError) -> Self {
        Self::Fold(error.into())
    }
}

/// Folds the log from its start into `scratch`, which must be empty, as far as `views` have come,
/// compares every row, and tells each that differs. What a killed writer left half-written is finished first. Nobody may
/// write `views` meanwhile.
///
/// What was accepted before the log's start, or before rows were last forgotten, is passed over: the
/// log no longer has all of it. Counts are compared with the sums of the views' own rows.
///
/// # Errors
/// When the log or a store can't be read, or the views moved.
pub async fn verify(
    log: &Arc<dyn EventLog>,
    views: &Arc<dyn ViewWriter>,
    scratch: &Arc<dyn ViewWriter>,
    mut tell: impl FnMut(Difference),
) -> Result<Report, VerifyError> {
    views.settle().await?;
    let progress = views.progress().await?;
    let offsets = progress.iter().map(|(at, progress)| (*at, progress.offset));
    fold_to(log, scratch, &offsets.collect()).await?;
    let since = complete_since(&**log, &progress.keys().copied().collect::<Vec<_>>()).await?;
    let expired = views.expired().await?;
    let since = since.max(expired);
    let mut report = Report {
        since,
        ..Report::default()
    };
    let mut ours = Rows::new(views);
    let mut theirs = Rows::new(scratch);
    let mut sums = Sums::new(expired);
    loop {
        let (our_key, their_key) = (ours.peek().await?, theirs.peek().await?);
        let (view, log) = match (our_key, their_key) {
            (None, None) => break,
            (Some(ours_is), Some(theirs_is)) if ours_is == theirs_is => {
                (ours.take(), theirs.take())
            }
            (Some(ours_is), theirs_is) if theirs_is.as_ref().is_none_or(|key| ours_is < *key) => {
                (ours.take(), None)
            }
            (_, _) => (None, theirs.take()),
        };
        sums.count(view.as_ref());
        let log = sums.summed(view.as_ref(), log);
        report.compare(view, log, &mut tell);
    }
    let has_moved = views.is_half_written().await?
        || views.progress().await? != progress
        || views.expired().await? != expired;
    if has_moved {
        return Err(VerifyError::Moved);
    }
    Ok(report)
}

/// What a rebuild has done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rebuilt {
    /// How far each partition of each topic is folded.
    pub folded: BTreeMap<(Topic, u32), u64>,
}

/// Forgets all rows and folds the log anew, up to its end as it was at the call. Readers see how far it
/// has come. Killed half-way, whoever folds next goes on; a role that runs meanwhile helps.
///
/// # Errors
/// When the log or the store fails. What was folded stays.
pub async fn rebuild(
    log: &Arc<dyn EventLog>,
    views: &Arc<dyn ViewWriter>,
) -> Result<Rebuilt, VerifyError> {
    views.clear().await?;
    fill(log, views).await
}

/// As [`rebuild`], going on where the rows are instead of forgetting them.
///
/// # Errors
/// As for [`rebuild`].
pub async fn fill(
    log: &Arc<dyn EventLog>,
    views: &Arc<dyn ViewWriter>,
) -> Result<Rebuilt, VerifyError> {
    let mut topics = Vec::new();
    for info in log.topics().await? {
        if let Ok(topic) = info.spec.name.parse::<Topic>() {
            topics.push((topic, info.spec.partitions));
        }
    }
    // Those last whose records others name: while all are asked, the log goes on.
    topics.sort_by_key(|(topic, _)| matches!(topic, Topic::Events | Topic::Inbox));
    let mut ends = BTreeMap::new();
    for (topic, partitions) in topics {
        for partition in 0..partitions {
            let bounds = log.bounds(&TopicPartition::of(topic, partition)).await?;
            ends.insert((topic, partition), bounds.end);
        }
    }
    fold_to(log, views, &ends).await?;
    let progress = views.progress().await?;
    let folded = progress.iter().map(|(at, progress)| (*at, progress.offset));
    Ok(Rebuilt {
        folded: folded.collect(),
    })
}

/// Folds every partition up to `ends`.
async fn fold_to(
    log: &Arc<dyn EventLog>,
    views: &Arc<dyn ViewWriter>,
    ends: &BTreeMap<(Topic, u32), u64>,
) -> Result<(), VerifyError> {
    let tiers = tiers(&**log).await?;
    for (topic, partition) in ends.keys().copied() {
        let claimed = match topic {
            Topic::Events => Claimed::Deliveries(partition),
            Topic::Inbox => Claimed::Acceptances(partition),
            Topic::Routed
            | Topic::Retry(_)
            | Topic::Attempts
            | Topic::DeadLetters
            | Topic::Requests
            | Topic::Progress
            | Topic::Control
            | Topic::Quarantine => continue,
        };
        loop {
            let begun = Folding::begin(log, views, claimed, &tiers, Some(ends)).await;
            let ended = match begun {
                Ok(mut folding) => folding.finish().await,
                Err(error) => Err(error),
            };
            match ended {
                Ok(()) => break,
                Err(FoldError::Views(ViewError::Overtaken { .. })) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
    Ok(())
}

/// Since when the log has everything: the latest first record of a partition that has lost its start.
async fn complete_since(
    log: &dyn EventLog,
    partitions: &[(Topic, u32)],
) -> Result<Timestamp, VerifyError> {
    let mut since = Timestamp::from_millis(i64::MIN);
    for (topic, partition) in partitions {
        let id = TopicPartition::of(*topic, *partition);
        let bounds = log.bounds(&id).await?;
        if bounds.start == 0 {
            continue;
        }
        let first = log.read_at(&id, bounds.start).await?;
        // Nothing is left: whatever is from before now may have been there.
        let first = first.map_or(Timestamp::from_millis(i64::MAX), |record| {
            record.appended_at
        });
        since = since.max(first);
    }
    Ok(since)
}

impl Report {
    fn compare(&mut self, view: Option<Row>, log: Option<Row>, tell: &mut impl FnMut(Difference)) {
        let either = view.as_ref().or(log.as_ref());
        if either.is_none_or(|row| !is_whole(row, self.since)) {
            self.passed_over += 1;
            return;
        }
        self.compared += 1;
        let difference = match (view, log) {
            (Some(view), Some(log)) if view == log => return,
            (Some(view), Some(log)) => Difference::Changed { view, log },
            (Some(view), None) if is_nothing(&view) => return,
            (None, Some(log)) if is_nothing(&log) => return,
            (Some(view), None) => Difference::Surplus(view),
            (None, Some(log)) => Difference::Missing(log),
            (None, None) => return,
        };
        self.differences += 1;
        tell(difference);
    }
}

/// Whether all that the row is made of is in a log that is complete since then.
fn is_whole(row: &Row, since: Timestamp) -> bool {
    match row {
        Row::Event(row) => row.accepted_at >= since,
        Row::Delivery(row) => row.accepted_at >= since,
        Row::Minute(_, minute, _) => *minute >= since && minute_of(*minute) == *minute,
        // Its last note may be older than any record.
        Row::Endpoint(..) => since == Timestamp::from_millis(i64::MIN),
        Row::Accounting(..) | Row::Undelivered(..) => true,
    }
}

/// A count of nothing is as good as none.
fn is_nothing(row: &Row) -> bool {
    match row {
        Row::Accounting(_, _, counts) => *counts == projections_port::Accounting::default(),
        Row::Undelivered(_, counts) => *counts == projections_port::Undelivered::default(),
        Row::Event(_) | Row::Delivery(_) | Row::Minute(..) | Row::Endpoint(..) => false,
    }
}

/// The rows of a store, one after another.
struct Rows<'a> {
    store: &'a Arc<dyn ViewWriter>,
    page: VecDeque<Row>,
    last: Option<RowKey>,
    is_over: bool,
}

impl<'a> Rows<'a> {
    const fn new(store: &'a Arc<dyn ViewWriter>) -> Self {
        Self {
            store,
            page: VecDeque::new(),
            last: None,
            is_over: false,
        }
    }

    async fn peek(&mut self) -> Result<Option<RowKey>, ViewError> {
        if self.page.is_empty() && !self.is_over {
            let page = self.store.dump(self.last.as_ref(), PAGE).await?;
            self.is_over = page.is_empty();
            self.last = page.last().map(Row::key);
            self.page = page.into();
        }
        Ok(self.page.front().map(Row::key))
    }

    fn take(&mut self) -> Option<Row> {
        self.page.pop_front()
    }
}
