//! What was measured, for people and for programs.

use std::time::Duration;

use anyhow::Result;
use hdrhistogram::Histogram;
use serde_json::{Value, json};

use super::flood::Flood;
use super::stuck::Stuck;
use crate::cli::BenchScenario;
use crate::output::Output;

/// Latencies in microseconds, to a minute, to three digits.
pub(super) struct Latencies(Histogram<u64>);

impl Default for Latencies {
    fn default() -> Self {
        let bounds = Histogram::new_with_bounds(1, 60_000_000, 3);
        Self(bounds.expect("1 is above 0, the highest more than twice that, and 3 is at most 5"))
    }
}

impl Latencies {
    pub(super) fn record(&mut self, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.0.saturating_record(micros);
    }

    fn millis(&self, quantile: f64) -> f64 {
        self.0.value_at_quantile(quantile) as f64 / 1_000.0
    }

    fn words(&self) -> String {
        format!(
            "p50 {:.2} ms, p99 {:.2} ms",
            self.millis(0.5),
            self.millis(0.99)
        )
    }

    fn json(&self) -> Value {
        json!({"p50_ms": self.millis(0.5), "p99_ms": self.millis(0.99), "count": self.0.len()})
    }
}

/// Gathers and prints.
pub(super) struct Report {
    json: Option<serde_json::Map<String, Value>>,
}

impl Report {
    pub(super) fn new(json: bool) -> Self {
        Self {
            json: json.then(serde_json::Map::new),
        }
    }

    pub(super) fn bare(&mut self, what: &str, rate: f64, output: &mut Output) -> Result<()> {
        self.line(output, &format!("{what:<24} {rate:>10.0}/s"))?;
        self.put(what, json!({"per_second": rate}));
        Ok(())
    }

    pub(super) fn flood(
        &mut self,
        scenario: BenchScenario,
        run: &Flood,
        bare: f64,
        output: &mut Output,
    ) -> Result<()> {
        let name = scenario.name();
        let ratio = run.rate / bare;
        let mut lines = vec![
            format!("{name:<24} {:>10.0}/s   {ratio:.3} of bare hyper", run.rate),
            format!("  202s                   {:>10.0}/s", run.accepted),
            format!("  at 100/s               {}", run.calm.words()),
            format!("  at half of that        {}", run.half.words()),
            format!(
                "  disk                   {:>10.0} bytes a delivery",
                run.disk
            ),
            format!(
                "  memory                 {:>10.1} MiB at most, {:.1} before",
                run.peak_mib, run.idle_mib
            ),
        ];
        let processors = run.processors_us.iter();
        lines.extend(
            processors
                .map(|(name, us)| format!("  {name:<22} {us:>10.1} µs of processor a delivery")),
        );
        lines.extend(run.requests.map(|(reads, writes)| {
            format!(
                "  view store             {writes:>10.2} writes and {reads:.2} reads a delivery"
            )
        }));
        lines.iter().try_for_each(|line| self.line(output, line))?;
        let processors: serde_json::Map<_, _> = run
            .processors_us
            .iter()
            .map(|(name, us)| (name.clone(), json!(us)))
            .collect();
        self.put(
            name,
            json!({
                "per_second": run.rate, "of_bare_hyper": ratio, "accepted_per_second": run.accepted,
                "at_100": run.calm.json(), "at_half": run.half.json(),
                "processor_us": processors, "view_store": run.requests.map(|(reads, writes)| json!({"reads": reads, "writes": writes})), "disk_bytes": run.disk,
                "peak_mib": run.peak_mib, "idle_mib": run.idle_mib,
            }),
        );
        Ok(())
    }

    pub(super) fn stuck(
        &mut self,
        scenario: BenchScenario,
        run: &Stuck,
        output: &mut Output,
    ) -> Result<()> {
        let name = scenario.name();
        let (before, after) = run.memory_mib;
        let lines = [
            format!("{name:<24} {:>10} waiting", run.waiting),
            format!("  memory                 {before:.1} MiB before, {after:.1} with them"),
            format!("  a neighbour before     {}", run.neighbour.0.words()),
            format!("  a neighbour then       {}", run.neighbour.1.words()),
            format!(
                "  after a restart        {:.2} s to the first delivery",
                run.restart.as_secs_f64()
            ),
        ];
        lines.iter().try_for_each(|line| self.line(output, line))?;
        self.put(
            name,
            json!({
                "waiting": run.waiting, "memory_before_mib": before, "memory_after_mib": after,
                "neighbour_before": run.neighbour.0.json(), "neighbour_then": run.neighbour.1.json(),
                "restart_seconds": run.restart.as_secs_f64(),
            }),
        );
        Ok(())
    }

    pub(super) fn finish(self, output: &mut Output) -> Result<()> {
        match self.json {
            Some(figures) => output.json(&figures),
            None => Ok(()),
        }
    }

    /// A line for people, as soon as it is known.
    fn line(&self, output: &mut Output, line: &str) -> Result<()> {
        if self.json.is_some() {
            return Ok(());
        }
        output.line(line)?;
        output.flush()
    }

    fn put(&mut self, name: &str, figures: Value) {
        if let Some(json) = &mut self.json {
            json.insert(name.replace(' ', "_"), figures);
        }
    }
}
