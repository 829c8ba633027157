//! What operators see.

use std::sync::atomic::AtomicU64;

use eventlog_port::TopicPartition;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::role::Shared;

type Count = Gauge<u64, AtomicU64>;

/// Gauges, by the names of the interface's contract.
#[derive(Default)]
pub(crate) struct Metrics {
    lag: Count,
    unaccounted: Count,
    dead_letters: Count,
}

impl Metrics {
    pub(crate) fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        for (name, help, gauge) in [
            (
                "view_lag_events",
                "Records that are durable and not in the views yet",
                &metrics.lag,
            ),
            (
                "unaccounted",
                "Deliveries whose state is not known",
                &metrics.unaccounted,
            ),
            (
                "dead_letters",
                "Deliveries that failed for good and were not put away",
                &metrics.dead_letters,
            ),
        ] {
            registry.register(name, help, gauge.clone());
        }
        metrics
    }
}

impl Shared {
    /// Sets the gauges that have to be asked for.
    pub(crate) async fn measure(&self) {
        if let Ok((accounting, _)) = self.views.totals().await {
            self.metrics.unaccounted.set(accounting.unaccounted());
            self.metrics.dead_letters.set(accounting.dead_lettered);
        }
        let Ok(progress) = self.views.progress().await else {
            return;
        };
        let mut lag = 0;
        for ((topic, partition), progress) in progress {
            let partition = TopicPartition::of(topic, partition);
            if let Ok(bounds) = self.log.bounds(&partition).await {
                lag += bounds.end.saturating_sub(progress.offset);
            }
        }
        self.metrics.lag.set(lag);
    }
}
