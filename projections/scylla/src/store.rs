//! Opening views and keys, and filling a new generation of rows beside the old.

use std::sync::Arc;
use std::time::Duration;

use domain::time::Clock;
use projections_port::ViewError;
use prometheus_client::registry::Registry;
use tokio::time::Instant;

use crate::claim::micros;
use crate::counting::{Meta, REBUILDING, Tables};
use crate::cql::{Cql, Requests};
use crate::error::OpenError;
use crate::keys::ScyllaKeys;
use crate::making;
use crate::tables::Generation;
use crate::tls::Tls;
use crate::views::ScyllaViews;

/// Where the views are.
#[derive(Clone)]
pub struct Config {
    /// Nodes to begin with, each `host:port`.
    pub nodes: Vec<String>,
    /// The keyspace, made when it isn't there.
    pub keyspace: String,
    /// How many copies there are of each row, where the keyspace is made.
    pub replication: u32,
    /// User and password, where the server asks for them.
    pub login: Option<(String, String)>,
    /// How nodes are spoken to behind TLS; `None`: in the clear.
    pub tls: Option<Tls>,
    /// After how many seconds an idempotency key goes by itself: no less than the retention of `inbox` and the
    /// longest window (`docs/protocol.md`, R8). 0: never. `None`: as who opened it before has said, which is
    /// noted in the keyspace.
    pub keys_ttl: Option<u32>,
}

impl Config {
    /// Views in `keyspace` at `nodes`, one copy of each row.
    #[must_use]
    pub fn new(nodes: Vec<String>, keyspace: String) -> Self {
        Self {
            nodes,
            keyspace,
            replication: 1,
            login: None,
            tls: None,
            keys_ttl: None,
        }
    }
}

/// For how long making the tables is tried again: two processes that start at once may be in each
/// other's way.
const TRY_FOR: Duration = Duration::from_secs(30);
const TRY_EVERY: Duration = Duration::from_millis(200);

/// Views and keys, open.
pub struct Store {
    cql: Arc<Cql>,
    views: Arc<ScyllaViews>,
    keys: Arc<ScyllaKeys>,
}

/// Everything that is opened but the rows.
struct Opened {
    cql: Arc<Cql>,
    meta: Arc<Meta>,
    generation: Generation,
}

impl Store {
    /// Opens both, or makes them. Any number of processes may.
    ///
    /// # Errors
    /// When nobody answers, a newer program made the tables, or they can't be made or read.
    pub async fn open(config: &Config, clock: Arc<dyn Clock>) -> Result<Self, OpenError> {
        let opened = open(config, &clock).await?;
        let schema = |source| schema(config, source);
        let Opened {
            cql,
            meta,
            generation,
        } = opened;
        let keys = ScyllaKeys::open(
            Arc::clone(&cql),
            Arc::clone(&meta),
            Arc::clone(&clock),
            &config.keyspace,
            config.keys_ttl,
        );
        let keys = keys.await.map_err(schema)?;
        let views = ScyllaViews::new(Arc::clone(&cql), meta, clock, config, generation);
        Ok(Self {
            cql,
            views: Arc::new(views),
            keys: Arc::new(keys),
        })
    }

    /// The views.
    #[must_use]
    pub fn views(&self) -> Arc<ScyllaViews> {
        Arc::clone(&self.views)
    }

    /// The keyed store.
    #[must_use]
    pub fn keys(&self) -> Arc<ScyllaKeys> {
        Arc::clone(&self.keys)
    }

    /// Lets operators see how many requests the store is asked: those that read, and those that write one
    /// partition each.
    pub fn register(&self, registry: &mut Registry) {
        let Requests { reads, writes } = &self.cql.requests;
        let help = "Requests to the view store that read";
        registry.register("view_store_reads", help, reads.clone());
        let help = "Requests to the view store that write, each to one partition";
        registry.register("view_store_writes", help, writes.clone());
    }

    /// Whether the keyed store has every key that the log says. If not, it is new or was lost, and the
    /// keys have to be folded out of the log before a router judges by them.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn keys_are_whole(&self) -> Result<bool, ViewError> {
        self.keys.are_whole().await
    }

    /// Notes that the keys were folded out of the log.
    ///
    /// # Errors
    /// When the store can't be written.
    pub async fn keys_were_folded(&self) -> Result<(), ViewError> {
        self.keys.mark_whole().await
    }
}

fn schema(config: &Config, source: ViewError) -> OpenError {
    OpenError::Schema {
        keyspace: config.keyspace.clone(),
        source: Box::new(source),
    }
}

async fn open(config: &Config, clock: &Arc<dyn Clock>) -> Result<Opened, OpenError> {
    let name = &config.keyspace;
    let is_word = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if !is_word || name.len() > 48 || !name.starts_with(|c: char| c.is_ascii_alphabetic()) {
        return Err(OpenError::Name(name.clone()));
    }
    let cql = Cql::connect(config).await?;
    let until = Instant::now() + TRY_FOR;
    loop {
        match prepare(&cql, config, clock).await {
            Ok((meta, generation)) => {
                return Ok(Opened {
                    cql: Arc::new(cql),
                    meta: Arc::new(meta),
                    generation,
                });
            }
            Err(ViewError::Unusable(source)) => {
                return Err(match source.downcast::<OpenError>() {
                    Ok(known) => *known,
                    Err(source) => schema(config, ViewError::Unusable(source)),
                });
            }
            Err(error) if Instant::now() > until => return Err(schema(config, error)),
            Err(error) => {
                tracing::info!(%error, "the tables are not there yet, trying again");
                tokio::time::sleep(TRY_EVERY).await;
            }
        }
    }
}

/// Makes what isn't there, and opens the rows that count.
async fn prepare(
    cql: &Cql,
    config: &Config,
    clock: &Arc<dyn Clock>,
) -> Result<(Meta, Generation), ViewError> {
    let keyspace = &config.keyspace;
    making::define(cql, keyspace, config.replication).await?;
    let meta = Meta::open(cql, keyspace).await?;
    let tables = Tables {
        cql,
        meta: &meta,
        keyspace,
    };
    let found = tables.look().await?;
    let generation = tables.go_on(found, micros(&**clock)).await?;
    Ok((meta, generation))
}

/// A new generation of rows, filled while the old one is there and goes on to count and to be written.
/// One that was left half-filled is gone on with.
pub struct Rebuilding {
    config: Config,
    cql: Arc<Cql>,
    meta: Arc<Meta>,
    clock: Arc<dyn Clock>,
    new: i64,
    views: Arc<ScyllaViews>,
}

impl Rebuilding {
    /// Makes an empty generation, or takes the one that was being filled.
    ///
    /// # Errors
    /// As for [`Store::open`].
    pub async fn begin(config: &Config, clock: Arc<dyn Clock>) -> Result<Self, OpenError> {
        let Opened {
            cql,
            meta,
            generation,
        } = open(config, &clock).await?;
        let schema = |source| schema(config, source);
        let generation = generation.number;
        let left = meta.get(&cql, REBUILDING).await.map_err(schema)?;
        let new = left.filter(|left| *left > generation);
        let new = new.unwrap_or(generation + 1);
        let noted = meta.put(&cql, REBUILDING, new, micros(&*clock)).await;
        noted.map_err(schema)?;
        let made = making::make_rows(&cql, &config.keyspace, new).await;
        made.map_err(schema)?;
        let rows = Generation::open(&cql, &config.keyspace, new).await;
        let views = ScyllaViews::pinned(
            Arc::clone(&cql),
            Arc::clone(&meta),
            Arc::clone(&clock),
            config,
            rows.map_err(schema)?,
        );
        Ok(Self {
            config: config.clone(),
            cql,
            meta,
            clock,
            new,
            views: Arc::new(views),
        })
    }

    /// The rows to fill.
    #[must_use]
    pub fn views(&self) -> Arc<ScyllaViews> {
        Arc::clone(&self.views)
    }

    /// Lets the new rows count, and drops the old ones. Servers go over to them within a second, and
    /// go on folding where the new rows are.
    ///
    /// # Errors
    /// When the switch can't be written; the old ones still count.
    pub async fn finish(self) -> Result<(), OpenError> {
        let schema = |source| schema(&self.config, source);
        let tables = Tables {
            cql: &self.cql,
            meta: &self.meta,
            keyspace: &self.config.keyspace,
        };
        let switched = tables.switch(self.new, micros(&*self.clock)).await;
        switched.map_err(schema)
    }
}
