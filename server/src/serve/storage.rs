//! What is on disk: the log, the key.

use std::sync::Arc;

use anyhow::{Context, Result};
use domain::time::Clock;
use eventlog_embedded::EmbeddedLog;
use eventlog_port::{EventLog, TopicPartition};
use schemas::topics::Topic;

use super::config::Config;
use super::key_file::{self, Key};
use crate::chance::SystemChance;
use crate::clock::SystemClock;

/// The name under which the log is held: whoever comes second is told it.
const HOLDER: &str = "postrider serve";

/// Everything that outlives the process, opened.
pub(super) struct Storage {
    pub(super) clock: Arc<dyn Clock>,
    pub(super) log: Arc<dyn EventLog>,
    pub(super) key: Key,
}

impl Storage {
    /// Opens what is there, and makes what isn't.
    ///
    /// # Errors
    /// What can't be opened or doesn't fit; a log that another process holds, by that process's name.
    pub(super) async fn open(config: &Config) -> Result<Self> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let log = log(config, Arc::clone(&clock)).await?;
        log.ensure(&config.topics)
            .await
            .context("the topics of the log")?;
        let key = key(config, log.as_ref()).await?;
        Ok(Self { clock, log, key })
    }
}

async fn log(config: &Config, clock: Arc<dyn Clock>) -> Result<Arc<dyn EventLog>> {
    let mut log = eventlog_embedded::Config::new(config.data.join("log"), clock);
    HOLDER.clone_into(&mut log.holder);
    let opened = tokio::task::spawn_blocking(|| EmbeddedLog::open(log)).await?;
    Ok(Arc::new(opened?))
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
