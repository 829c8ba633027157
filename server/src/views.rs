//! `postrider views`: the views against the log.

use std::sync::Arc;

use anyhow::{Context, Result, anyhow};
use eventlog_port::EventLog;
use projections::Difference;
use projections_embedded::{Config, Rebuilding, Scratch, Store};
use projections_port::{Row, RowKey, ViewWriter};
use serde::Serialize;

use crate::cli::{ViewsAction, ViewsCommand};
use crate::clock::SystemClock;
use crate::log;
use crate::output::{Output, rfc3339};

/// Differences that are told one by one; past them only the count says how many.
const TOLD: usize = 100;

/// A row that differs, by what it is found by: what is in it may be a payload's.
#[derive(Serialize)]
struct Differs {
    what: &'static str,
    kind: &'static str,
    row: String,
}

/// What a verification has seen, for programs.
#[derive(Serialize)]
struct Verified {
    compared: u64,
    passed_over: u64,
    differences: u64,
    since: String,
}

/// Runs one of the commands.
///
/// # Errors
/// When a server has the data directory, the log or the views can't be read, or rows differ.
pub(crate) async fn run(command: ViewsCommand, output: &mut Output) -> Result<()> {
    let folder = command.data.join("log");
    if log::is_empty(&folder) {
        return Err(anyhow!(
            "there is no log in {}; --data names another place",
            folder.display()
        ));
    }
    let holder = match command.action {
        ViewsAction::Verify => "postrider views verify",
        ViewsAction::Rebuild => "postrider views rebuild",
    };
    let log = log::embedded(&command.data, holder, Arc::new(SystemClock)).await?;
    let mut config = Config::new(command.data.join("views"));
    holder.clone_into(&mut config.holder);
    match command.action {
        ViewsAction::Verify => verify(&log, &config, command.json, output).await,
        ViewsAction::Rebuild => rebuild(&log, &config, command.json, output).await,
    }
}

async fn verify(
    log: &Arc<dyn EventLog>,
    config: &Config,
    json: bool,
    output: &mut Output,
) -> Result<()> {
    let store = Store::open(config)?;
    let views: Arc<dyn ViewWriter> = store.views();
    let scratch = Scratch::make(
        config.directory.with_extension("compared"),
        config.cache_bytes,
    )?;
    let mut differ = Vec::new();
    let report = projections::verify(log, &views, &scratch.views(), |difference| {
        if differ.len() < TOLD {
            differ.push(differs(&difference));
        }
    });
    let report = report.await.context("the views could not be compared")?;
    store.close();
    for one in &differ {
        match json {
            true => output.json(one)?,
            false => output.line(&format!("{}: {} {}", one.what, one.kind, one.row))?,
        }
    }
    let since = rfc3339(report.since);
    if json {
        output.json(&Verified {
            compared: report.compared,
            passed_over: report.passed_over,
            differences: report.differences,
            since,
        })?;
    } else {
        output.line(&format!(
            "{} rows compared, {} differ, {} passed over; complete since {since}",
            report.compared, report.differences, report.passed_over
        ))?;
    }
    output.flush()?;
    match report.differences {
        0 => Ok(()),
        differences => Err(anyhow!(
            "{differences} rows are not as the log says; `postrider views rebuild` makes them anew"
        )),
    }
}

fn differs(difference: &Difference) -> Differs {
    let (what, row) = match difference {
        Difference::Missing(row) => ("missing", row),
        Difference::Surplus(row) => ("surplus", row),
        Difference::Changed { log, .. } => ("changed", log),
    };
    let (kind, row) = named(row);
    Differs { what, kind, row }
}

fn named(row: &Row) -> (&'static str, String) {
    match (row, row.key()) {
        (Row::Event(row), _) => ("event", row.id.to_string()),
        (Row::Delivery(row), _) => ("delivery", row.id.to_string()),
        (_, RowKey::Minute(endpoint, minute)) => {
            ("minute", format!("{endpoint} {}", rfc3339(minute)))
        }
        (_, RowKey::Accounting(tenant, endpoint)) => ("accounting", format!("{tenant} {endpoint}")),
        (_, RowKey::Undelivered(tenant)) => ("undelivered", tenant.to_string()),
        (_, RowKey::Endpoint(endpoint)) => ("endpoint", endpoint.to_string()),
        (_, RowKey::Event(..) | RowKey::Delivery(..)) => ("row", String::new()),
    }
}

async fn rebuild(
    log: &Arc<dyn EventLog>,
    config: &Config,
    json: bool,
    output: &mut Output,
) -> Result<()> {
    let rebuilding = Rebuilding::begin(config)?;
    let rebuilt = projections::rebuild(log, &rebuilding.views()).await;
    let rebuilt = rebuilt.context("the log could not be folded; the old rows still count")?;
    rebuilding.finish()?;
    let records: u64 = rebuilt.folded.values().sum();
    let partitions = rebuilt.folded.len();
    match json {
        true => output.json(&serde_json::json!({"partitions": partitions, "offsets": records})),
        false => output.line(&format!(
            "views made anew out of {partitions} partitions, up to {records} offsets in all"
        )),
    }
}
