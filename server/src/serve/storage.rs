//! What is on disk: the log, the views, the key.

use std::sync::Arc;

use anyhow::{Context, Result};
use domain::time::Clock;
use eventlog_port::{EventLog, TopicPartition};
use ingest::limits::MAX_IDEMPOTENCY_WINDOW;
use schemas::topics::Topic;

use super::config::Config;
use super::data_lock::DataLock;
use super::key_file::{self, Key};
use crate::chance::SystemChance;
use crate::clock::SystemClock;
use crate::log::{self, Target};
use crate::views::Stores;

/// The name under which the log is held: whoever comes second is told it.
const HOLDER: &str = "postrider serve";

/// Everything that outlives the process, opened.
pub(super) struct Storage {
    pub(super) clock: Arc<dyn Clock>,
    pub(super) log: Arc<dyn EventLog>,
    pub(super) key: Key,
    pub(super) views: Stores,
    pub(super) lock: DataLock,
}

impl Storage {
    /// Opens what is there, and makes what isn't.
    ///
    /// # Errors
    /// What can't be opened or doesn't fit; a log that another process holds, by that process's name.
    pub(super) async fn open(config: &Config) -> Result<Self> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let lock = DataLock::take(&config.data, HOLDER)?;
        let holder = match config.log.log {
            Target::Embedded => HOLDER,
            Target::Kafka(_) => &config.instance,
        };
        let log = log::open(&config.log, &config.data, holder, Arc::clone(&clock)).await?;
        log.ensure(&config.topics)
            .await
            .context("the topics of the log")?;
        let key = key(config, log.as_ref()).await?;
        let views = views(config, &log, &clock).await?;
        Ok(Self {
            clock,
            log,
            key,
            views,
            lock,
        })
    }
}

/// Opens the views. Idempotency keys that were lost are read out of the log before anything is judged
/// by them; lost rows are folded again as the server runs.
async fn views(config: &Config, log: &Arc<dyn EventLog>, clock: &Arc<dyn Clock>) -> Result<Stores> {
    // Rows live for the longest window plus the retention of `inbox` (`docs/protocol.md`, R8).
    let kept = config
        .events_retention
        .saturating_add(MAX_IDEMPOTENCY_WINDOW);
    let clock = Arc::clone(clock);
    let stores = Stores::open(&config.views, &config.data, HOLDER, Some(kept), clock).await?;
    if let Some(rows) = stores.fold_keys(log).await? {
        tracing::info!(rows, "idempotency keys read out of the log");
    }
    Ok(stores)
}

/// A key is made only where nothing has been sealed yet.
async fn key(config: &Config, log: &dyn EventLog) -> Result<Key> {
    let control = TopicPartition::new(Topic::Control.to_string(), 0);
    let is_new = log.bounds(&control).await?.end == 0;
    let may_make = is_new && !config.key_is_named;
    Ok(key_file::key(
        &config.key_file,
        may_make,
        &mut SystemChance::default(),
    )?)
}
