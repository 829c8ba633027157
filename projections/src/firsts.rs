//! Idempotency keys out of the log, for a keyed store that was lost: which records were the first of
//! theirs, as routers have decided or will (`docs/protocol.md`, R6 to R8).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use domain::time::Timestamp;
use eventlog_port::{EventLog, ReadError, Record, TopicError, TopicPartition};
use projections_port::{First, KeyScope, Keys, ViewError};
use schemas::ids::EventId;
use schemas::inbox::{Door, InboxEvent};
use schemas::origin::Position;
use schemas::routed::Routed;
use schemas::topics::Topic;
use sha2::{Digest, Sha256};

use crate::fold::{TooNew, known};
use crate::reading::ToEnd;

/// Rows that are written at a time.
const ROWS: usize = 1_000;

/// Why keys could not be folded.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// The log could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The log's topics could not be listed.
    #[error(transparent)]
    Topics(#[from] TopicError),
    /// The keyed store failed.
    #[error(transparent)]
    Keys(#[from] ViewError),
    /// A record of a newer program.
    #[error(transparent)]
    TooNew(#[from] TooNew),
}

/// Writes the row of each record in `inbox` that was the first of its key, up to the end as it was at
/// the call. No router may run meanwhile. Doing it again does no harm. Says how many rows there are.
///
/// # Errors
/// When the log or the store fails.
pub async fn rebuild_keys(log: &Arc<dyn EventLog>, keys: &Arc<dyn Keys>) -> Result<u64, KeysError> {
    let topics = log.topics().await?;
    let inbox = topics
        .iter()
        .find(|info| info.spec.name == Topic::Inbox.to_string());
    let mut rows = 0;
    for partition in 0..inbox.map_or(0, |info| info.spec.partitions) {
        rows += Partition::open(log, keys, partition).await?.fold().await?;
    }
    Ok(rows)
}

/// One partition of `inbox`, read beside its decisions: the first about each offset ascend with them.
struct Partition {
    number: u32,
    keys: Arc<dyn Keys>,
    inbox: ToEnd,
    routed: ToEnd,
    /// Decisions read ahead, by the offset in `inbox`.
    decisions: BTreeMap<u64, Routed>,
    /// Offsets below have no further decision that counts.
    decided: u64,
    rows: BTreeMap<KeyScope, First>,
    written: u64,
}

impl Partition {
    async fn open(
        log: &Arc<dyn EventLog>,
        keys: &Arc<dyn Keys>,
        number: u32,
    ) -> Result<Self, KeysError> {
        let inbox = TopicPartition::of(Topic::Inbox, number);
        let routed = TopicPartition::of(Topic::Routed, number);
        Ok(Self {
            number,
            keys: Arc::clone(keys),
            inbox: ToEnd::open(log, inbox).await?,
            routed: ToEnd::open(log, routed).await?,
            decisions: BTreeMap::new(),
            decided: 0,
            rows: BTreeMap::new(),
            written: 0,
        })
    }

    async fn fold(mut self) -> Result<u64, KeysError> {
        loop {
            let records = self.inbox.next().await?;
            if records.is_empty() {
                break;
            }
            for record in records {
                self.record(record).await?;
            }
        }
        self.write().await?;
        Ok(self.written)
    }

    async fn record(&mut self, record: Record) -> Result<(), KeysError> {
        let (offset, appended_at) = (record.offset, record.appended_at);
        let decision = self.decision(offset).await?;
        let at = self.position(Topic::Inbox, offset);
        let Some(event) = known(InboxEvent::decode(&record.into_parts()), at)? else {
            return Ok(());
        };
        let Some(key) = event.idempotency_key.clone() else {
            return Ok(());
        };
        let (tenant, id, window) = match (&event.door, decision) {
            (Door::Kafka { .. }, Some(Routed::Routes(found))) => (found.tenant, found.event, None),
            (Door::Http(http), None) => (
                http.tenant.clone(),
                http.id.clone(),
                Some(Duration::from_millis(http.idempotency_window.unwrap_or(0))),
            ),
            // A repeat, or not decided yet.
            (Door::Kafka { .. } | Door::Http(_), _) => return Ok(()),
        };
        let scope = KeyScope {
            tenant,
            partition: self.number,
            key,
        };
        let repeats = match window {
            Some(window) => self.repeats(&scope, offset, appended_at, window).await?,
            None => false,
        };
        if !repeats {
            let row = first(offset, appended_at, id, &event);
            self.add(scope, row).await?;
        }
        Ok(())
    }

    /// Whether a record of ours that nothing is decided about repeats an earlier one: then its router
    /// has yet to say so (R8).
    async fn repeats(
        &self,
        scope: &KeyScope,
        offset: u64,
        at: Timestamp,
        window: Duration,
    ) -> Result<bool, KeysError> {
        let earlier = match (self.rows.get(scope), offset.checked_sub(1)) {
            (Some(row), _) => Some(row.appended_at),
            (None, None) => None,
            (None, Some(below)) => {
                let found = self.keys.firsts(&[(scope.clone(), below)]).await?;
                let found = found.into_iter().flatten().next();
                found.map(|row| row.appended_at)
            }
        };
        Ok(earlier.is_some_and(|earlier| at.saturating_since(earlier) < window))
    }

    /// The first decision about `offset`, which is above those asked for before.
    async fn decision(&mut self, offset: u64) -> Result<Option<Routed>, KeysError> {
        while self.decided <= offset {
            let records = self.routed.next().await?;
            if records.is_empty() {
                break;
            }
            for record in records {
                let at = self.position(Topic::Routed, record.offset);
                let decision = known(Routed::decode(&record.into_parts()), at)?;
                let Some(decision) = decision else { continue };
                let origin = decision.origin();
                if origin.partition == self.number && origin.offset >= self.decided {
                    self.decided = origin.offset.saturating_add(1);
                    self.decisions.insert(origin.offset, decision);
                }
            }
        }
        self.decisions = self.decisions.split_off(&offset);
        Ok(self.decisions.remove(&offset))
    }

    async fn add(&mut self, scope: KeyScope, row: First) -> Result<(), KeysError> {
        if self.rows.contains_key(&scope) || self.rows.len() >= ROWS {
            self.write().await?;
        }
        self.rows.insert(scope, row);
        Ok(())
    }

    async fn write(&mut self) -> Result<(), KeysError> {
        let rows: Vec<_> = std::mem::take(&mut self.rows).into_iter().collect();
        self.keys.put(&rows).await?;
        self.written += rows.len() as u64;
        Ok(())
    }

    const fn position(&self, topic: Topic, offset: u64) -> Position {
        Position {
            topic,
            partition: self.number,
            offset,
        }
    }
}

fn first(offset: u64, appended_at: Timestamp, event: EventId, record: &InboxEvent) -> First {
    First {
        offset,
        appended_at,
        payload_sha256: Sha256::digest(&record.payload).into(),
        event,
    }
}
