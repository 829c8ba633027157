//! `postrider bench`: load, a receiver and the bare limit in one run.
//!
//! The receiver and the load live in this process, the server under test in one of its own, so that
//! its processor time, memory and disk are its alone. All share the same cores, as the figures say.

mod bare;
mod client;
mod flood;
mod load;
mod receiver;
mod report;
mod stuck;
mod subject;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use tokio_util::sync::CancellationToken;

use crate::cli::{BenchArgs, BenchScenario};
use crate::output::Output;
use receiver::Receiver;
use report::Report;
use subject::Subject;

/// How long what was accepted may take to be delivered and shown, before the run is given up.
const SETTLE: Duration = Duration::from_secs(600);

/// Runs what `args` ask for, each beside the bare limit measured in the same run.
pub(crate) async fn run(args: &BenchArgs, output: &mut Output) -> Result<()> {
    let stop = CancellationToken::new();
    let _stop = stop.clone().drop_guard();
    let receiver = Arc::new(Receiver::start(stop).await?);
    let mut report = Report::new(args.json);
    let bare = bare::hyper(&receiver, args).await?;
    report.bare("bare hyper", bare, output)?;
    report.bare(
        "bare reqwest",
        bare::reqwest(&receiver, args).await?,
        output,
    )?;
    for scenario in &args.scenario {
        let subject = Subject::start(args).await?;
        match scenario {
            BenchScenario::Addressed | BenchScenario::Subscription => {
                let run = flood::run(&subject, &receiver, *scenario, args).await?;
                report.flood(*scenario, &run, bare, output)?;
            }
            BenchScenario::Hanging | BenchScenario::Refusing => {
                let run = stuck::run(subject, &receiver, *scenario, args).await?;
                report.stuck(*scenario, &run, output)?;
            }
        }
    }
    report.finish(output)
}
