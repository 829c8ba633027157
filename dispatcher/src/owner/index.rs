//! The index of waiting records, asked one thing at a time and in order.

use std::collections::VecDeque;
use std::sync::Arc;

use eventlog_port::{EventLog, IndexError, LaneIndex, LaneNumber, Note, Offset, ReadError};
use futures_util::future::BoxFuture;
use schemas::topics::Topic;

use super::at;
use super::reads::AFTER_ERROR;
use crate::core::{Fetch, Fetched};

/// Bytes of records after which one fetch brings no more: as much as a lane holds.
const MOST_BYTES: usize = 4 << 20;

/// Something to be asked of it.
#[derive(Debug)]
pub(super) enum Ask {
    Add(Vec<(LaneNumber, Note)>),
    Forget(LaneNumber, Offset),
    Fetch(Fetch),
}

/// What came of it.
pub(super) enum Told {
    Nothing,
    Fetched(Result<Fetched, (Fetch, ReadError)>),
    Failed(IndexError),
}

/// More questions than this, and nothing more is read that would ask some.
const MANY: usize = 64;

/// The questions that wait.
pub(super) struct Index {
    index: Arc<dyn LaneIndex>,
    log: Arc<dyn EventLog>,
    partition: u32,
    asks: VecDeque<Ask>,
    is_busy: bool,
}

impl Index {
    pub(super) fn new(index: Box<dyn LaneIndex>, log: Arc<dyn EventLog>, partition: u32) -> Self {
        Self {
            index: index.into(),
            log,
            partition,
            asks: VecDeque::new(),
            is_busy: false,
        }
    }

    pub(super) fn ask(&mut self, ask: Ask) {
        self.asks.push_back(ask);
    }

    pub(super) fn is_behind(&self) -> bool {
        self.asks.len() > MANY
    }

    /// The next question, under way, if none is.
    pub(super) fn next(&mut self) -> Option<BoxFuture<'static, Told>> {
        if self.is_busy {
            return None;
        }
        let ask = self.asks.pop_front()?;
        self.is_busy = true;
        let (index, log) = (Arc::clone(&self.index), Arc::clone(&self.log));
        let partition = self.partition;
        Some(Box::pin(async move {
            let done = match ask {
                Ask::Add(notes) => index.add(notes).await,
                Ask::Forget(lane, below) => index.forget(lane, below).await,
                Ask::Fetch(fetch) => return fetched(&*index, &*log, partition, fetch).await,
            };
            done.map_or_else(Told::Failed, |()| Told::Nothing)
        }))
    }

    /// There is no room: what else was to be added would lie behind a gap.
    pub(super) fn drop_adds(&mut self) {
        self.asks.retain(|ask| !matches!(ask, Ask::Add(_)));
    }

    pub(super) fn answered(&mut self) {
        self.is_busy = false;
    }
}

async fn fetched(index: &dyn LaneIndex, log: &dyn EventLog, partition: u32, fetch: Fetch) -> Told {
    let mut wanted: Vec<Note> = fetch
        .parked
        .iter()
        .map(|offset| Note {
            offset: *offset,
            record: None,
        })
        .collect();
    if wanted.is_empty() {
        wanted = match index
            .read(fetch.number, fetch.from, fetch.limit.max(1))
            .await
        {
            Ok(notes) => notes,
            Err(error) => return Told::Failed(error),
        };
    }
    let found = wanted.len();
    let events = at(Topic::Events, partition);
    let mut records = Vec::with_capacity(found);
    let mut bytes = 0;
    for note in wanted {
        // What is left is asked for again.
        if bytes >= MOST_BYTES {
            break;
        }
        let record = match note.record {
            Some(record) => Ok(Some(record)),
            None => log.read_at(&events, note.offset).await,
        };
        match record {
            Ok(Some(record)) => {
                bytes += record.size();
                records.push(record);
            }
            // Below the cursor and above the start each offset is a record.
            Ok(None) => {
                let gone = format!("offset {} of {events} gives no record", note.offset);
                tokio::time::sleep(AFTER_ERROR).await;
                return Told::Fetched(Err((fetch, ReadError::Unavailable(gone.into()))));
            }
            Err(error) => {
                tokio::time::sleep(AFTER_ERROR).await;
                return Told::Fetched(Err((fetch, error)));
            }
        }
    }
    Told::Fetched(Ok(Fetched {
        fetch,
        notes: found,
        records,
    }))
}
