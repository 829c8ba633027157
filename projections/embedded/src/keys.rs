//! The keyed store: rows of firsts, durable once written.

use std::ops::Bound;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use domain::time::Timestamp;
use parking_lot::Mutex;
use projections_port::{First, KeyScope, Keys, ViewError};

use crate::engine::{Layout, Space};
use crate::slot::Slot;
use projections_port::encoding::{Damage, first, key};

const FIRSTS: Space = Space(0);
const MARKS: Space = Space(1);

/// There once the store has every key that the log says.
const WHOLE: &[u8] = b"whole";

static LAYOUT: [Layout; 2] = [layout("firsts", 8 << 20), layout("marks", 1 << 20)];

const fn layout(name: &'static str, memtable_bytes: u64) -> Layout {
    Layout {
        name,
        memtable_bytes,
        block_bytes: 4 << 10,
        has_filters: false,
    }
}

/// Rows that one batch forgets.
const FORGOTTEN_AT_ONCE: usize = 5_000;

/// Idempotency keys on local disk.
pub struct EmbeddedKeys(Arc<Firsts>);

struct Firsts {
    slot: Slot,
    writing: Mutex<()>,
}

impl EmbeddedKeys {
    pub(crate) fn open(folder: PathBuf, cache_bytes: u64) -> Result<Self, ViewError> {
        Ok(Self(Arc::new(Firsts {
            slot: Slot::open(folder, cache_bytes, &LAYOUT)?,
            writing: Mutex::new(()),
        })))
    }

    /// Whether the store has every key that the log says.
    pub(crate) fn are_whole(&self) -> Result<bool, ViewError> {
        Ok(self.0.slot.engine()?.get(MARKS, WHOLE)?.is_some())
    }

    /// Notes, durably, that it has.
    pub(crate) fn mark_whole(&self) -> Result<(), ViewError> {
        let engine = self.0.slot.engine()?;
        let mut batch = engine.batch(1);
        batch.put(MARKS, WHOLE, &[]);
        batch.commit(true)
    }

    pub(crate) fn close(&self) {
        self.0.slot.close();
    }

    /// Calls the disk off the runtime's threads: a `put` waits for it.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Firsts) -> Result<T, ViewError> + Send + 'static,
    ) -> Result<T, ViewError> {
        let firsts = Arc::clone(&self.0);
        let work = tokio::task::spawn_blocking(move || work(&firsts));
        work.await
            .map_err(|ended| ViewError::Unavailable(Box::new(ended)))?
    }
}

#[async_trait]
impl Keys for EmbeddedKeys {
    async fn firsts(&self, wanted: &[(KeyScope, u64)]) -> Result<Vec<Option<First>>, ViewError> {
        wanted
            .iter()
            .map(|(scope, offset)| self.0.first(scope, *offset))
            .collect()
    }

    async fn put(&self, rows: &[(KeyScope, First)]) -> Result<(), ViewError> {
        if rows.is_empty() {
            return Ok(());
        }
        let encode = |(scope, row): &(KeyScope, First)| {
            (row_key(key::scope(scope), row.offset), first::encode(row))
        };
        let rows: Vec<_> = rows.iter().map(encode).collect();
        self.blocking(move |firsts| firsts.put(rows)).await
    }

    async fn expire(&self, before: Timestamp) -> Result<(), ViewError> {
        self.blocking(move |firsts| firsts.expire(before)).await
    }
}

impl Firsts {
    fn first(&self, scope: &KeyScope, offset: u64) -> Result<Option<First>, ViewError> {
        let engine = self.slot.engine()?;
        let snapshot = engine.snapshot();
        let scope = key::scope(scope);
        let last = Bound::Included(row_key(scope.clone(), offset));
        let mut range = snapshot.range(FIRSTS, Bound::Included(scope), last, true);
        let Some(found) = range.next() else {
            return Ok(None);
        };
        let (key, value) = found?;
        let offset = key.last_chunk().ok_or(Damage::Short)?;
        Ok(Some(first::decode(u64::from_be_bytes(*offset), &value)?))
    }

    fn put(&self, rows: Vec<(Vec<u8>, Vec<u8>)>) -> Result<(), ViewError> {
        let _writing = self.writing.lock();
        let (engine, _) = self.slot.engine_or_reopen()?;
        let mut batch = engine.batch(rows.len());
        for (key, value) in rows {
            batch.put(FIRSTS, &key, &value);
        }
        batch.commit(true).inspect_err(|_| self.slot.fail())
    }

    fn expire(&self, before: Timestamp) -> Result<(), ViewError> {
        let engine = self.slot.engine()?;
        let mut old = Vec::new();
        let rows = engine
            .snapshot()
            .range(FIRSTS, Bound::Unbounded, Bound::Unbounded, false);
        for row in rows {
            let (key, value) = row?;
            if first::decode(0, &value)?.appended_at < before {
                old.push(key.to_vec());
            }
            if old.len() == FORGOTTEN_AT_ONCE {
                self.forget(std::mem::take(&mut old))?;
            }
        }
        self.forget(old)
    }

    fn forget(&self, keys: Vec<Vec<u8>>) -> Result<(), ViewError> {
        let _writing = self.writing.lock();
        let (engine, _) = self.slot.engine_or_reopen()?;
        let mut batch = engine.batch(keys.len());
        keys.iter().for_each(|key| batch.remove(FIRSTS, key));
        batch.commit(false).inspect_err(|_| self.slot.fail())
    }
}

fn row_key(mut scope: Vec<u8>, offset: u64) -> Vec<u8> {
    scope.extend_from_slice(&offset.to_be_bytes());
    scope
}
