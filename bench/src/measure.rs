//! Time, memory, and how they are printed.

use std::fs;
use std::time::Duration;

use anyhow::Context;
use domain::time::{Clock, Timestamp};
use hdrhistogram::Histogram;
use tokio::time::Instant;

/// The machine's own clock.
#[derive(Debug)]
pub(crate) struct SystemClock;

impl Clock for SystemClock {
    #[allow(
        clippy::disallowed_methods,
        reason = "the one place here that supplies the time"
    )]
    fn now(&self) -> Timestamp {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let millis = since.map_or(0, |since| since.as_millis());
        Timestamp::from_millis(i64::try_from(millis).unwrap_or(i64::MAX))
    }
}

/// How many a second, over `count` in what `run` takes.
pub(crate) fn rate<E>(count: u64, run: impl FnOnce() -> Result<(), E>) -> Result<f64, E> {
    let begun = Instant::now();
    run()?;
    Ok(count as f64 / begun.elapsed().as_secs_f64())
}

/// Latencies, in microseconds.
pub(crate) struct Latencies(Histogram<u64>);

impl Latencies {
    pub(crate) fn new() -> anyhow::Result<Self> {
        Ok(Self(Histogram::new_with_bounds(1, 60_000_000, 3)?))
    }

    pub(crate) fn record(&mut self, took: Duration) {
        self.0
            .saturating_record(u64::try_from(took.as_nanos() / 100).unwrap_or(u64::MAX));
    }

    /// In microseconds; recorded in tenths.
    pub(crate) fn quantile(&self, q: f64) -> f64 {
        self.0.value_at_quantile(q) as f64 / 10.0
    }
}

/// Resident memory of this process, in MiB.
pub(crate) fn resident_mib() -> anyhow::Result<f64> {
    let statm = fs::read_to_string("/proc/self/statm")?;
    let pages: f64 = statm.split_whitespace().nth(1).unwrap_or("0").parse()?;
    Ok(pages * 4_096.0 / 1_048_576.0)
}

/// What this process has used of the cores, in microseconds; in steps of 10 ms.
pub(crate) fn cpu_micros() -> anyhow::Result<f64> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    // The name before them may hold anything, and ends with a parenthesis.
    let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields);
    let mut ticks = fields.split_whitespace().skip(11).map(str::parse::<f64>);
    let mut next = || {
        ticks
            .next()
            .context("times of this process")?
            .context("a time")
    };
    Ok((next()? + next()?) * 10_000.0)
}

/// A line of the report: what, the figure, the peer's figure, the ratio.
pub(crate) fn compare(what: &str, ours: f64, bare: f64, unit: &str) {
    println!(
        "{what:<44} {ours:>12.1} {bare:>12.1} {unit:<5} {:>6.2}",
        ours / bare
    );
}

/// The median of an odd number of runs.
pub(crate) fn median(mut runs: Vec<f64>) -> f64 {
    runs.sort_by(f64::total_cmp);
    runs[runs.len() / 2]
}
