//! The rows of views: spaces of one database, and in memory beside them what every batch moves.

mod dump;
mod expire;
mod read;
mod write;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use domain::time::Timestamp;
use parking_lot::Mutex;
use projections_port::ledger::Ledger;
use projections_port::{Progress, ViewError};
use schemas::topics::Topic;
use tokio::sync::watch;

use crate::engine::{Engine, Layout, Space};
use crate::slot::Slot;
use projections_port::encoding::{key, state};

/// Events, by tenant and time.
const EVENTS: Space = Space(0);
/// Deliveries, by tenant and time.
const DELIVERIES: Space = Space(1);
/// Where the delivery of an id is: its acceptance, then its tenant.
const DELIVERY_IDS: Space = Space(2);
/// Where the events of an id are: all of it in the key.
const EVENT_IDS: Space = Space(3);
/// Deliveries by endpoint and time; the value is the tenant.
const BY_ENDPOINT: Space = Space(4);
/// Minutes, endpoints, counts, progress.
const STATE: Space = Space(5);

const SPACES: [Space; 6] = [
    EVENTS,
    DELIVERIES,
    DELIVERY_IDS,
    EVENT_IDS,
    BY_ENDPOINT,
    STATE,
];

/// Rows are written in the order of time, and read so: long blocks. Ids are looked up: short ones.
/// Spaces are written out early: in memory a row takes twice its room, and there are six.
static LAYOUT: [Layout; 6] = [
    list("events"),
    list("deliveries"),
    Layout {
        name: "delivery-ids",
        memtable_bytes: 3 << 20,
        block_bytes: 4 << 10,
        has_filters: true,
    },
    list("event-ids"),
    list("by-endpoint"),
    Layout {
        name: "state",
        memtable_bytes: 3 << 20,
        block_bytes: 4 << 10,
        has_filters: true,
    },
];

const fn list(name: &'static str) -> Layout {
    Layout {
        name,
        memtable_bytes: 3 << 20,
        block_bytes: 16 << 10,
        has_filters: false,
    }
}

/// The rows of one generation.
pub(crate) struct Rows {
    slot: Slot,
    /// Held while a batch is made and written.
    writing: Mutex<()>,
    written: Mutex<Written>,
    changed: watch::Sender<()>,
}

/// What every batch moves. Counts may be a batch ahead of the rows for as long as it is written.
struct Written {
    ledger: Ledger,
    progress: BTreeMap<(Topic, u32), Progress>,
    expired: Timestamp,
}

impl Rows {
    /// Opens the rows in `folder`.
    pub(crate) fn open(folder: PathBuf, cache_bytes: u64) -> Result<Self, ViewError> {
        let slot = Slot::open(folder, cache_bytes, &LAYOUT)?;
        let engine = slot.engine()?;
        if engine.get(STATE, state::CLEARING_KEY)?.is_some() {
            clear(&engine)?;
        }
        let written = load(&engine)?;
        Ok(Self {
            slot,
            writing: Mutex::new(()),
            written: Mutex::new(written),
            changed: watch::Sender::new(()),
        })
    }

    pub(crate) fn close(&self) {
        self.slot.close();
    }

    /// Makes everything that was written durable.
    pub(crate) fn persist(&self) -> Result<(), ViewError> {
        self.slot.engine()?.persist()
    }

    /// Told whenever a batch was written.
    pub(crate) fn changed(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// The engine to write to. After a failed write it is opened again, and what every batch moves
    /// is what the rows say.
    fn engine_to_write(&self) -> Result<Arc<Engine>, ViewError> {
        let (engine, is_new) = self.slot.engine_or_reopen()?;
        if is_new {
            match load(&engine) {
                Ok(loaded) => *self.written.lock() = loaded,
                Err(error) => {
                    self.slot.fail();
                    return Err(error);
                }
            }
        }
        Ok(engine)
    }

    /// Forgets everything.
    pub(crate) fn clear(&self) -> Result<(), ViewError> {
        let _writing = self.writing.lock();
        let engine = self.engine_to_write()?;
        let cleared = mark_clearing(&engine).and_then(|()| clear(&engine));
        cleared.inspect_err(|_| self.slot.fail())?;
        *self.written.lock() = Written::default();
        self.changed.send_replace(());
        Ok(())
    }
}

impl Default for Written {
    fn default() -> Self {
        Self {
            ledger: Ledger::default(),
            progress: BTreeMap::new(),
            expired: Timestamp::from_millis(i64::MIN),
        }
    }
}

fn mark_clearing(engine: &Engine) -> Result<(), ViewError> {
    let mut batch = engine.batch(1);
    batch.put(STATE, state::CLEARING_KEY, &[]);
    batch.commit(true)
}

/// Clears every space, the one with the mark last: a crash before leaves the mark.
fn clear(engine: &Engine) -> Result<(), ViewError> {
    for space in SPACES {
        engine.clear(space)?;
    }
    engine.persist()
}

fn load(engine: &Engine) -> Result<Written, ViewError> {
    let mut written = Written::default();
    let snapshot = engine.snapshot();
    for row in snapshot.list(STATE, vec![state::ACCOUNTING]) {
        let (key, value) = row?;
        let (tenant, endpoint) = state::accounting_of_key(&key)?;
        let counts = state::decode_accounting(&value)?;
        written.ledger.load(tenant, endpoint, counts);
    }
    for row in snapshot.list(STATE, vec![state::UNDELIVERED]) {
        let (key, value) = row?;
        let tenant = key::tenant_of(&key[1..])?;
        let counts = state::decode_undelivered(&value)?;
        written.ledger.load_events(tenant, counts);
    }
    for row in snapshot.list(STATE, vec![state::PROGRESS]) {
        let (key, value) = row?;
        let partition = state::progress_of_key(&key)?;
        let progress = state::decode_progress(&value)?;
        written.progress.insert(partition, progress);
    }
    if let Some(value) = snapshot.get(STATE, state::EXPIRED_KEY)? {
        written.expired = state::decode_moment(&value)?;
    }
    Ok(written)
}
