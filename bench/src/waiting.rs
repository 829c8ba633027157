//! The index of waiting records: what a note costs to write, to read back and to forget, beside an
//! append to the log.

use clap::Args;
use eventlog_embedded::{EmbeddedLaneIndexes, IndexConfig};
use eventlog_port::{LaneIndex, LaneIndexes, LaneNumber, Note, Offset};
use tokio::time::Instant;

use crate::measure::resident_mib;

#[derive(Args, Clone, Copy)]
pub(crate) struct Arguments {
    /// Notes in all.
    #[arg(long, default_value_t = 1_000_000)]
    notes: u64,
    /// Lanes that they are of, in turn.
    #[arg(long, default_value_t = 10)]
    lanes: u64,
    /// Notes that are written at once.
    #[arg(long, default_value_t = 256)]
    batch: u64,
    /// Notes that are read at once, and forgotten.
    #[arg(long, default_value_t = 128)]
    read: usize,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    runtime.block_on(measure(*arguments))
}

async fn measure(arguments: Arguments) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let indexes = EmbeddedLaneIndexes::new(IndexConfig::new(folder.path()));
    let index = indexes.open(0).await?;
    let before = resident_mib()?;
    let begun = Instant::now();
    write(&*index, arguments).await?;
    let written = begun.elapsed();
    let held = resident_mib()? - before;
    let begun = Instant::now();
    read(&*index, arguments).await?;
    let read = begun.elapsed();
    let each = |took: std::time::Duration| took.as_secs_f64() * 1e6 / arguments.notes as f64;
    println!(
        "{} notes of {} lanes: {:.2} µs each to write, {:.2} µs to read back and forget, {held:.1} MiB more in memory",
        arguments.notes,
        arguments.lanes,
        each(written),
        each(read),
    );
    Ok(())
}

async fn write(index: &dyn LaneIndex, arguments: Arguments) -> anyhow::Result<()> {
    let note = |offset: Offset| {
        let lane: LaneNumber = offset % arguments.lanes;
        let record = None;
        (lane, Note { offset, record })
    };
    for first in (0..arguments.notes).step_by(arguments.batch as usize) {
        let end = (first + arguments.batch).min(arguments.notes);
        index.add((first..end).map(note).collect()).await?;
    }
    Ok(())
}

async fn read(index: &dyn LaneIndex, arguments: Arguments) -> anyhow::Result<()> {
    let mut found = 0;
    for lane in 0..arguments.lanes {
        let mut next = 0;
        loop {
            let notes = index.read(lane, next, arguments.read).await?;
            let Some(last) = notes.last() else { break };
            found += notes.len() as u64;
            next = last.offset + 1;
            index.forget(lane, next).await?;
        }
    }
    anyhow::ensure!(found == arguments.notes, "{found} came back");
    Ok(())
}
