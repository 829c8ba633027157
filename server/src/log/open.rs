//! Opens the log. The one file that names the adapters.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, anyhow};
use domain::time::Clock;
use eventlog_embedded::EmbeddedLog;
use eventlog_kafka::KafkaLog;
use eventlog_port::EventLog;

use super::target::Target;
use crate::cli::{LogArgs, WhichLog};
use crate::exit::WrongUse;

/// How the log is to be opened.
#[derive(Clone)]
pub(super) struct Opening<'a> {
    pub(super) args: &'a LogArgs,
    pub(super) clock: Arc<dyn Clock>,
}

impl Opening<'_> {
    /// Opens a log that is there, in the name of `command`.
    pub(super) async fn existing(&self, command: &str) -> Result<Arc<dyn EventLog>> {
        if self.is_missing() {
            let folder = self.args.data.join("log");
            return Err(anyhow!(
                "there is no log in {}; `postrider log plan --apply` makes one there, --data names \
                 another place",
                folder.display()
            ));
        }
        self.any(command).await
    }

    /// Opens a log, and makes it when it isn't there.
    pub(super) async fn any(&self, command: &str) -> Result<Arc<dyn EventLog>> {
        let clock = Arc::clone(&self.clock);
        open(&self.args.target, &self.args.data, command, clock).await
    }

    /// Whether the log is one that would have to be made first.
    pub(super) fn is_missing(&self) -> bool {
        match self.args.target.log {
            Target::Embedded => is_empty(&self.args.data.join("log")),
            Target::Kafka(_) => false,
        }
    }
}

/// Opens a log in the name of `holder`; an embedded one is in the folder `log` of `data`, and is made
/// when it isn't there.
///
/// # Errors
/// When it can't be opened or reached, or its settings may not be.
pub(crate) async fn open(
    which: &WhichLog,
    data: &Path,
    holder: &str,
    clock: Arc<dyn Clock>,
) -> Result<Arc<dyn EventLog>> {
    let brokers = match &which.log {
        Target::Embedded => return embedded(data, holder, clock).await,
        Target::Kafka(brokers) => brokers,
    };
    let mut config = eventlog_kafka::Config::new(brokers);
    holder.clone_into(&mut config.instance);
    config.topic_prefix.clone_from(&which.kafka_prefix);
    config.replication = which.kafka_replication;
    if let Some(path) = &which.kafka_settings {
        config.settings = settings(path)?;
    }
    config
        .check()
        .map_err(|error| WrongUse(error.to_string()))?;
    Ok(Arc::new(KafkaLog::connect(config).await?))
}

/// Whether the folder isn't there, or holds nothing.
pub(crate) fn is_empty(folder: &Path) -> bool {
    fs::read_dir(folder).map_or(true, |mut entries| entries.next().is_none())
}

/// The log in the data directory, held in the name of `holder`: whoever comes second is told it.
///
/// # Errors
/// When another process holds it, or it can't be opened.
async fn embedded(data: &Path, holder: &str, clock: Arc<dyn Clock>) -> Result<Arc<dyn EventLog>> {
    let mut config = eventlog_embedded::Config::new(data.join("log"), clock);
    holder.clone_into(&mut config.holder);
    let opened = tokio::task::spawn_blocking(|| EmbeddedLog::open(config)).await?;
    Ok(Arc::new(opened?))
}

fn settings(path: &Path) -> Result<BTreeMap<String, String>> {
    let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
    let lines = text
        .lines()
        .enumerate()
        .map(|(number, line)| (number + 1, line.trim()));
    let filled = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    let setting = |(number, line): (usize, &str)| match line.split_once('=') {
        Some((name, value)) => Ok((name.trim().to_owned(), value.trim().to_owned())),
        // The line is not shown: it may hold a password.
        None => Err(WrongUse(format!(
            "{}, line {number}: must be name=value",
            path.display()
        ))),
    };
    filled.map(|line| Ok(setting(line)?)).collect()
}
