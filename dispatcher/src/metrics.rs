//! What this crate counts, by the names of the interface. No label grows with endpoints.

use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;
use schemas::attempt::{Attempt, AttemptResult};

use crate::outcome::Ends;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct ByOutcome {
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct ByState {
    state: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct ByTier {
    tier: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct ByPartition {
    topic: &'static str,
    partition: u32,
}

/// What dispatchers count.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    attempts: Family<ByOutcome, Counter>,
    attempt_seconds: Histogram,
    pub(crate) latency: Histogram,
    ended: Family<ByState, Counter>,
    retries: Family<ByTier, Counter>,
    pub(crate) lateness: Histogram,
    pub(crate) in_flight: Gauge,
    circuits_open: Gauge,
    lag: Family<ByPartition, Gauge>,
    age: Family<ByPartition, Gauge>,
    lanes: Family<ByState, Gauge>,
    pub(crate) quarantined: Counter,
}

const fn of(partition: u32) -> ByPartition {
    ByPartition {
        topic: "events",
        partition,
    }
}

/// From a tenth of a millisecond to 13 s, each twice the one before.
fn seconds() -> Histogram {
    Histogram::new(exponential_buckets(0.000_1, 2.0, 18))
}

impl Metrics {
    pub(crate) fn register(registry: &mut Registry, quarantined: Counter) -> Self {
        let metrics = Self {
            attempts: Family::default(),
            attempt_seconds: seconds(),
            latency: seconds(),
            ended: Family::default(),
            retries: Family::default(),
            lateness: seconds(),
            in_flight: Gauge::default(),
            circuits_open: Gauge::default(),
            lag: Family::default(),
            age: Family::default(),
            lanes: Family::default(),
            quarantined,
        };
        metrics.register_all(registry);
        metrics
    }

    fn register_all(&self, to: &mut Registry) {
        to.register(
            "attempts",
            "Attempts, by what came of them",
            self.attempts.clone(),
        );
        to.register(
            "attempt_duration_seconds",
            "From connecting to the last byte of the answer",
            self.attempt_seconds.clone(),
        );
        to.register(
            "delivery_latency_seconds",
            "From being accepted to being delivered",
            self.latency.clone(),
        );
        to.register(
            "deliveries_ended",
            "Deliveries that ended, by how",
            self.ended.clone(),
        );
        to.register(
            "retries_scheduled",
            "Waits in delay topics, put-offs and hops included",
            self.retries.clone(),
        );
        to.register(
            "retry_lateness_seconds",
            "From when a retry was due to its request",
            self.lateness.clone(),
        );
        to.register("in_flight", "Requests that are out", self.in_flight.clone());
        to.register(
            "circuits_open",
            "Endpoints that look dead",
            self.circuits_open.clone(),
        );
        to.register(
            "lag_events",
            "From the oldest event that is not done to the end of what was read",
            self.lag.clone(),
        );
        to.register(
            "lag_age_seconds",
            "How long ago the oldest event that is not done was appended",
            self.age.clone(),
        );
        to.register("lanes", "Lanes, by how they read", self.lanes.clone());
    }

    pub(crate) fn attempt(&self, attempt: &Attempt) {
        let outcome = match attempt.result {
            AttemptResult::Succeeded => "succeeded",
            AttemptResult::Failed => "failed",
            AttemptResult::Unknown => "unknown",
        };
        self.attempts.get_or_create(&ByOutcome { outcome }).inc();
        self.attempt_seconds
            .observe(attempt.duration_us as f64 / 1e6);
    }

    pub(crate) fn ended(&self, ends: Ends) {
        let state = match ends {
            Ends::Delivered => "delivered",
            Ends::DeadLettered => "dead_lettered",
            Ends::Waits(tier) => {
                let tier = tier.to_string();
                self.retries.get_or_create(&ByTier { tier }).inc();
                return;
            }
        };
        self.ended.get_or_create(&ByState { state }).inc();
    }

    /// How many events one partition is behind.
    pub(crate) fn stands(&self, partition: u32, lag: u64) {
        let lag = i64::try_from(lag).unwrap_or(i64::MAX);
        self.lag.get_or_create(&of(partition)).set(lag);
    }

    /// And since when.
    pub(crate) fn is_behind(&self, partition: u32, since: Duration) {
        let age = i64::try_from(since.as_secs()).unwrap_or(i64::MAX);
        self.age.get_or_create(&of(partition)).set(age);
    }

    /// A partition is another owner's to tell of.
    pub(crate) fn is_gone(&self, partition: u32) {
        self.lag.remove(&of(partition));
        self.age.remove(&of(partition));
    }

    /// The numbers of lanes that are live, of those that lag, and of circuits that are not closed
    /// have changed by this much.
    pub(crate) fn counts(&self, [live, lagging, open]: [i64; 3]) {
        self.lanes
            .get_or_create(&ByState { state: "live" })
            .inc_by(live);
        self.lanes
            .get_or_create(&ByState { state: "lagging" })
            .inc_by(lagging);
        self.circuits_open.inc_by(open);
    }
}
