//! Views, whichever store keeps them, and `postrider views`: the views against the log.

mod stores;
mod target;

use std::path::Path;
use std::sync::Arc;

use anyhow::{Result, bail};
use domain::time::Clock;
use eventlog_port::EventLog;
use projections_embedded::{Config, Rebuilding, Scratch};
use projections_port::ViewWriter;

use crate::cli::{ViewsAction, ViewsCommand};
use crate::clock::SystemClock;
use crate::log;
use crate::output::Output;

pub(crate) use stores::Stores;
pub(crate) use target::Target;

/// Bytes of blocks that the second fold of a verification keeps in memory.
const SCRATCH_CACHE: u64 = 8 << 20;

/// Runs one of the commands.
pub(crate) async fn run(command: ViewsCommand, output: &mut Output) -> Result<()> {
    match command.action {
        ViewsAction::Verify => verify(&command, output).await,
        ViewsAction::Rebuild => rebuild(&command, output).await,
    }
}

/// The embedded views in a data directory.
fn embedded_config(data: &Path, holder: &str) -> Config {
    let mut config = Config::new(data.join("views"));
    holder.clone_into(&mut config.holder);
    config
}

async fn verify(command: &ViewsCommand, output: &mut Output) -> Result<()> {
    let holder = "postrider views verify";
    let log = open_log(command, holder).await?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let stores = Stores::open(&command.which, &command.data, holder, None, clock).await?;
    let anew = "; `postrider views rebuild` makes them anew";
    let checked = compare(command, &log, &stores.views(), anew, output).await;
    stores.close().await?;
    checked
}

/// What a rebuild says whose rows are not as the log says.
const NOT_SWITCHED: &str = ": the rows that were there before still count";

/// Folds the log once more, compares every row, and prints each that differs; `otherwise` is what then follows.
async fn compare(
    command: &ViewsCommand,
    log: &Arc<dyn EventLog>,
    views: &Arc<dyn ViewWriter>,
    otherwise: &str,
    output: &mut Output,
) -> Result<()> {
    let folder = command.data.join("views-compared");
    let scratch = blocking(move || Scratch::make(folder, SCRATCH_CACHE)).await?;
    let mut printed = Ok(());
    let tell = |difference: projections::Difference| {
        if printed.is_ok() {
            printed = output.line(&difference.to_string());
        }
    };
    let report = projections::verify(log, views, &scratch.views(), tell).await?;
    printed?;
    let (compared, passed_over) = (report.compared, report.passed_over);
    if report.differences > 0 {
        let found = report.differences;
        bail!("{found} of {compared} rows are not as the log says{otherwise}");
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
    let holder = "postrider views rebuild";
    let log = open_log(command, holder).await?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let records = match stores::cql_config(&command.which)? {
        Some(config) => {
            let rebuilding = projections_scylla::Rebuilding::begin(&config, Arc::clone(&clock));
            let rebuilding = rebuilding.await?;
            let views: Arc<dyn ViewWriter> = rebuilding.views();
            let rebuilt = projections::fill(&log, &views).await?;
            compare(command, &log, &views, NOT_SWITCHED, output).await?;
            rebuilding.finish().await?;
            rebuilt.folded.values().sum::<u64>()
        }
        None => {
            let config = embedded_config(&command.data, holder);
            let rebuilding = blocking(move || Rebuilding::begin(&config)).await?;
            let views = rebuilding.views();
            let rebuilt = projections::rebuild(&log, &views).await?;
            compare(command, &log, &views, NOT_SWITCHED, output).await?;
            blocking(move || rebuilding.finish()).await?;
            rebuilt.folded.values().sum()
        }
    };
    let stores = Stores::open(&command.which, &command.data, holder, None, clock).await?;
    let keys = stores.fold_keys(&log).await?;
    stores.close().await?;
    output.line(&format!("the views are made anew, from {records} records"))?;
    if let Some(keys) = keys {
        output.line(&format!("so are {keys} idempotency keys"))?;
    }
    Ok(())
}

async fn open_log(command: &ViewsCommand, holder: &str) -> Result<Arc<dyn EventLog>> {
    let ViewsCommand {
        log: which, data, ..
    } = command;
    if which.log == log::Target::Embedded && log::is_empty(&data.join("log")) {
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
