//! `postrider log tail`

use std::collections::VecDeque;
use std::sync::Arc;

use anyhow::Result;
use eventlog_port::{EventLog, Record, TopicPartition};

use super::dump::damaged_none;
use super::follow::{self, stopped};
use super::merge::Merge;
use super::open::Opening;
use super::place::Place;
use super::scan::Scan;
use super::shown::{HEADINGS, Shown};
use super::which::{self, Range};
use crate::cli::TailArgs;
use crate::output::Output;

pub(super) async fn run(
    opening: Opening<'_>,
    args: &TailArgs,
    json: bool,
    output: &mut Output,
) -> Result<()> {
    let log = opening.existing("postrider log tail").await?;
    let info = which::topic(&*log, &args.topic).await?;
    let partitions = which::partitions(&info, args.partition)?;
    let places = (args.from, Place::End);
    let ranges = which::ranges(&*log, &*opening.clock, &partitions, places).await?;
    let mut printer = Printer {
        output,
        json,
        left: args.limit.unwrap_or(u64::MAX),
    };
    if !args.follow {
        return past(&log, ranges, args.from, &mut printer).await;
    }
    tokio::select! {
        biased;
        ended = stopped() => ended,
        ended = on_and_on(&log, ranges, args.from, &mut printer) => ended,
    }
}

async fn on_and_on(
    log: &Arc<dyn EventLog>,
    ranges: Vec<Range>,
    from: Place,
    printer: &mut Printer<'_>,
) -> Result<()> {
    let ends: Vec<_> = ranges
        .iter()
        .map(|range| (range.partition.clone(), range.to))
        .collect();
    past(log, ranges, from, printer).await?;
    follow::run(log, ends, printer).await
}

/// Prints what is there.
async fn past(
    log: &Arc<dyn EventLog>,
    ranges: Vec<Range>,
    from: Place,
    printer: &mut Printer<'_>,
) -> Result<()> {
    printer.begin()?;
    // So many before the end were taken of each partition; so many are wanted of all.
    let last = match from {
        Place::Last(records) if ranges.len() > 1 => usize::try_from(records).ok(),
        Place::Last(_)
        | Place::Start
        | Place::End
        | Place::Offset(_)
        | Place::At(_)
        | Place::Ago(_) => None,
    };
    let scans = ranges
        .into_iter()
        .map(|range| Scan::new(Arc::clone(log), range));
    let mut merge = Merge::new(scans).await?;
    let mut newest = VecDeque::new();
    while !printer.is_done()
        && let Some((partition, record)) = merge.next().await?
    {
        match last {
            None => printer.print(&partition, record)?,
            Some(count) => keep(&mut newest, count, (partition, record)),
        }
    }
    for (partition, record) in newest {
        printer.print(&partition, record)?;
    }
    printer.output.flush()?;
    damaged_none(merge.damaged())
}

fn keep<T>(newest: &mut VecDeque<T>, count: usize, one: T) {
    newest.push_back(one);
    if newest.len() > count {
        newest.pop_front();
    }
}

/// Prints records until there were enough.
pub(super) struct Printer<'a> {
    pub(super) output: &'a mut Output,
    json: bool,
    left: u64,
}

impl Printer<'_> {
    fn begin(&mut self) -> Result<()> {
        if self.json {
            Ok(())
        } else {
            self.output.line(HEADINGS)
        }
    }

    pub(super) fn is_done(&self) -> bool {
        self.left == 0
    }

    pub(super) fn print(&mut self, partition: &TopicPartition, record: Record) -> Result<()> {
        if self.is_done() {
            return Ok(());
        }
        self.left -= 1;
        let shown = Shown::new(partition, record);
        if self.json {
            self.output.json(&shown.json())
        } else {
            self.output.line(&shown.line())
        }
    }
}
