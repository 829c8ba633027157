//! `postrider views`: the views against the log, while no server runs.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use eventlog_port::EventLog;
use projections_embedded::{Config, Rebuilding, Scratch, Store};
use projections_port::{Keys, ViewWriter};

use crate::cli::{ViewsAction, ViewsCommand};
use crate::clock::SystemClock;
use crate::log::{self, Target};
use crate::output::Output;

/// Differences that are printed; the rest are counted.
const SHOWN: u64 = 100;

/// Bytes of blocks that the second fold of a verification keeps in memory.
const SCRATCH_CACHE: u64 = 8 << 20;

/// Runs one of the commands.
pub(crate) async fn run(command: ViewsCommand, output: &mut Output) -> Result<()> {
    match command.action {
        ViewsAction::Verify => verify(&command, output).await,
        ViewsAction::Rebuild => rebuild(&command, output).await,
    }
}

/// The folder of the views in a data directory.
pub(crate) fn config(data: &Path, holder: &str) -> Config {
    let mut config = Config::new(data.join("views"));
    holder.clone_into(&mut config.holder);
    config
}

async fn verify(command: &ViewsCommand, output: &mut Output) -> Result<()> {
    let data = &command.data;
    let holder = "postrider views verify";
    let log = open_log(command, holder).await?;
    let config = config(data, holder);
    let store = blocking(move || Store::open(&config)).await?;
    let folder = data.join("views-compared");
    let scratch = blocking(move || Scratch::make(folder, SCRATCH_CACHE)).await?;
    let views: Arc<dyn ViewWriter> = store.views();
    let mut differences = Vec::new();
    let told = |difference: projections::Difference| {
        if (differences.len() as u64) < SHOWN {
            differences.push(difference.to_string());
        }
    };
    let report = projections::verify(&log, &views, &scratch.views(), told).await?;
    store.close();
    differences.iter().try_for_each(|line| output.line(line))?;
    let (compared, passed_over) = (report.compared, report.passed_over);
    if report.differences > 0 {
        let found = report.differences;
        bail!(
            "{found} of {compared} rows are not as the log says; `postrider views rebuild` makes \
             them anew"
        );
    }
    output.line(&format!("{compared} rows are as the log says"))?;
    if passed_over > 0 {
        output.line(&format!(
            "{passed_over} rows were passed over: the log no longer has all that they are made of"
        ))?;
    }
    Ok(())
}

async fn rebuild(command: &ViewsCommand, output: &mut Output) -> Result<()> {
    let data = &command.data;
    let holder = "postrider views rebuild";
    let log = open_log(command, holder).await?;
    let config = config(data, holder);
    let opening = config.clone();
    let rebuilding = blocking(move || Rebuilding::begin(&opening)).await?;
    let rebuilt = projections::rebuild(&log, &rebuilding.views()).await?;
    blocking(move || rebuilding.finish()).await?;
    let store = blocking(move || Store::open(&config)).await?;
    let keys = fold_keys(&log, &store).await?;
    store.close();
    let records: u64 = rebuilt.folded.values().sum();
    output.line(&format!("the views are made anew, from {records} records"))?;
    if let Some(keys) = keys {
        output.line(&format!("so are {keys} idempotency keys"))?;
    }
    Ok(())
}

/// Folds idempotency keys out of the log where the keyed store is new or was lost, and says how many.
/// Before any router runs.
///
/// # Errors
/// When the log or the store fails.
pub(crate) async fn fold_keys(log: &Arc<dyn EventLog>, store: &Store) -> Result<Option<u64>> {
    if store.keys_are_whole()? {
        return Ok(None);
    }
    let keys: Arc<dyn Keys> = store.keys();
    let rows = projections::rebuild_keys(log, &keys)
        .await
        .context("idempotency keys out of the log")?;
    store.keys_were_folded()?;
    Ok(Some(rows))
}

async fn open_log(command: &ViewsCommand, holder: &str) -> Result<Arc<dyn EventLog>> {
    let ViewsCommand {
        log: which, data, ..
    } = command;
    if which.log == Target::Embedded && log::is_empty(&data.join("log")) {
        bail!(
            "there is no log in {}; --data names another place",
            data.join("log").display()
        );
    }
    log::open(which, data, holder, Arc::new(SystemClock)).await
}

async fn blocking<T, E>(work: impl FnOnce() -> Result<T, E> + Send + 'static) -> Result<T>
where
    T: Send + 'static,
    E: std::error::Error + Send + Sync + 'static,
{
    Ok(tokio::task::spawn_blocking(work).await??)
}
