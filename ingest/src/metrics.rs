//! What this crate counts, by the names of the interface. No label grows with endpoints.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

/// Why an event was refused: the `code` of the problem.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct Rejection {
    pub(crate) reason: &'static str,
}

/// What ingest counts.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    pub(crate) accepted: Counter,
    pub(crate) rejected: Family<Rejection, Counter>,
    pub(crate) ingest_seconds: Histogram,
    pub(crate) append_seconds: Histogram,
}

/// From a tenth of a millisecond to 13 s, each twice the one before.
fn seconds() -> Histogram {
    Histogram::new(exponential_buckets(0.000_1, 2.0, 18))
}

impl Metrics {
    pub(crate) fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            accepted: Counter::default(),
            rejected: Family::default(),
            ingest_seconds: seconds(),
            append_seconds: seconds(),
        };
        registry.register(
            "events_accepted",
            "Events answered with 202, repeats included",
            metrics.accepted.clone(),
        );
        registry.register(
            "events_rejected",
            "Events refused, by the code of the problem",
            metrics.rejected.clone(),
        );
        registry.register(
            "ingest_duration_seconds",
            "From the whole request to its answer",
            metrics.ingest_seconds.clone(),
        );
        registry.register(
            "append_duration_seconds",
            "From handing an event to the log to knowing that it is durable",
            metrics.append_seconds.clone(),
        );
        metrics
    }

    pub(crate) fn reject(&self, reason: &'static str) {
        self.rejected.get_or_create(&Rejection { reason }).inc();
    }
}
