//! `postrider log dump`

use std::sync::Arc;

use anyhow::{Result, anyhow};
use eventlog_port::{EventLog, TopicInfo};

use super::open::Opening;
use super::scan::Scan;
use super::shown::Shown;
use super::which::{self, Range};
use crate::cli::DumpArgs;
use crate::output::Output;

pub(super) async fn run(opening: Opening<'_>, args: &DumpArgs, output: &mut Output) -> Result<()> {
    let log = opening.existing("postrider log dump").await?;
    // All ends are taken first: what is dumped is of one moment, and a dump ends.
    let mut ranges = Vec::new();
    for info in topics(&*log, &args.topics).await? {
        let partitions = which::partitions(&info, args.partition)?;
        let places = (args.from, args.to);
        ranges.extend(which::ranges(&*log, &*opening.clock, &partitions, places).await?);
    }
    let mut damaged = 0;
    for range in ranges {
        damaged += dump(&log, range, output).await?;
    }
    output.flush()?;
    damaged_none(damaged)
}

/// The topics that were named, in that order, or all.
async fn topics(log: &dyn EventLog, names: &[String]) -> Result<Vec<TopicInfo>> {
    if names.is_empty() {
        return Ok(log.topics().await?);
    }
    let mut topics = Vec::new();
    for name in names {
        topics.push(which::topic(log, name).await?);
    }
    Ok(topics)
}

async fn dump(log: &Arc<dyn EventLog>, range: Range, output: &mut Output) -> Result<u64> {
    let partition = range.partition.clone();
    let mut scan = Scan::new(Arc::clone(log), range);
    while let Some(record) = scan.next().await? {
        output.json(&Shown::new(&partition, record).json())?;
    }
    Ok(scan.damaged())
}

/// What was left out must not look like what was never there.
pub(super) fn damaged_none(damaged: u64) -> Result<()> {
    match damaged {
        0 => Ok(()),
        1 => Err(anyhow!(
            "a record is damaged and was left out; its offset is in the line above"
        )),
        more => Err(anyhow!(
            "{more} records are damaged and were left out; see the lines above"
        )),
    }
}
