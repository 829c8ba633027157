//! `GET /endpoints/{id}/stats`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Response};
use domain::time::Timestamp;
use problem::Problem;
use projections_port::MinuteRow;
use projections_port::row::consecutive_failures;
use schemas::attempts::CircuitState;
use schemas::ids::EndpointId;
use serde::Serialize;

use super::accounting::Totals;
use crate::asking::{Asking, PathId};
use crate::failures;
use crate::json::Json;
use crate::params::Params;
use crate::shared::Shared;
use crate::time::Shown;

const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);

/// From so many failures in a row on an endpoint is failing: what opens a circuit by default.
const FAILING: u64 = 5;

/// Below this share of attempts that succeed within the hour an endpoint is degraded.
const DEGRADED: f64 = 0.95;

/// What is known of how an endpoint does.
#[derive(Serialize)]
struct ShownStats {
    endpoint_id: EndpointId,
    deliveries: Totals,
    attempts_1h: Attempts,
    attempts_24h: Attempts,
    health: &'static str,
    consecutive_failures: u64,
    /// Of the attempts of 24 hours; `None`: there were none.
    latency_ms: Option<Latency>,
    last_success_at: Option<Shown>,
    circuit_state: CircuitState,
    probe_at: Option<Shown>,
}

/// Attempts within a while.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
struct Attempts {
    succeeded: u64,
    failed: u64,
    /// `None`: there were none.
    success_rate: Option<f64>,
}

/// How long attempts took, in milliseconds; all but the mean within 19 %.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
struct Latency {
    mean: f64,
    p50: f64,
    p95: f64,
    p99: f64,
}

type Minutes = BTreeMap<Timestamp, MinuteRow>;

/// How an endpoint does.
pub(crate) async fn endpoint_stats(
    State(shared): State<Arc<Shared>>,
    asking: Asking,
    PathId(id): PathId,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    Params::of(query.as_deref(), &[]).finish()?;
    let tenant = &asking.caller.tenant;
    let id = shared.endpoint_named(tenant, &id).await?.endpoint.id;
    let now = shared.now();
    let of_views = |error| failures::of_views(&error);
    let day = shared.views.minutes(&id, now.saturating_sub(DAY)).await;
    let day = day.map_err(of_views)?;
    let figures = shared.views.figures(tenant, &[id]).await;
    let deliveries = figures.map_err(of_views)?.endpoints;
    let row = shared.views.endpoint(&id).await.map_err(of_views)?;
    let row = row.unwrap_or_default();
    let hour = attempts(day.range(now.saturating_sub(HOUR)..).map(|(_, row)| row));
    let failures = consecutive_failures(&day);
    Ok(Json(ShownStats {
        endpoint_id: id,
        deliveries: Totals::of(deliveries.first().copied().unwrap_or_default()),
        attempts_1h: hour,
        attempts_24h: attempts(day.values()),
        health: health(hour, failures),
        consecutive_failures: failures,
        latency_ms: latency(&day),
        last_success_at: row.last_success.map(Shown),
        circuit_state: row.circuit,
        probe_at: row.probe_at.map(Shown),
    })
    .into_response())
}

fn attempts<'a>(rows: impl Iterator<Item = &'a MinuteRow>) -> Attempts {
    let (mut succeeded, mut failed) = (0, 0);
    for row in rows {
        succeeded += row.succeeded;
        failed += row.failed;
    }
    let all = succeeded + failed;
    Attempts {
        succeeded,
        failed,
        success_rate: (all > 0).then(|| succeeded as f64 / all as f64),
    }
}

fn health(hour: Attempts, consecutive_failures: u64) -> &'static str {
    match hour.success_rate {
        _ if consecutive_failures >= FAILING => "failing",
        None => "idle",
        Some(rate) if rate < DEGRADED => "degraded",
        Some(_) => "healthy",
    }
}

fn latency(minutes: &Minutes) -> Option<Latency> {
    let mut buckets: BTreeMap<u16, u64> = BTreeMap::new();
    let mut total_us = 0_u64;
    for row in minutes.values() {
        total_us = total_us.saturating_add(row.duration_us);
        for (bucket, count) in &row.durations {
            *buckets.entry(*bucket).or_default() += count;
        }
    }
    let all: u64 = buckets.values().sum();
    if all == 0 {
        return None;
    }
    Some(Latency {
        mean: total_us as f64 / all as f64 / 1_000.0,
        p50: quantile(&buckets, all, 0.50),
        p95: quantile(&buckets, all, 0.95),
        p99: quantile(&buckets, all, 0.99),
    })
}

/// The middle, in proportion, of the bucket that the quantile lies in, in milliseconds.
fn quantile(buckets: &BTreeMap<u16, u64>, all: u64, share: f64) -> f64 {
    let rank = (all as f64 * share).ceil().max(1.0);
    let mut seen = 0.0;
    for (bucket, count) in buckets {
        seen += *count as f64;
        if seen >= rank {
            return ((f64::from(*bucket) + 0.5) / 4.0).exp2() / 1_000.0;
        }
    }
    0.0
}

#[cfg(test)]
mod tests {
    use projections_port::row::bucket_of;

    use super::*;

    #[test]
    fn quantiles_lie_within_a_bucket_of_the_truth() {
        let mut buckets = BTreeMap::new();
        for micros in 1..=10_000_u64 {
            *buckets.entry(bucket_of(micros)).or_default() += 1;
        }
        for (share, truth) in [(0.5, 5.0), (0.95, 9.5), (0.99, 9.9)] {
            let found = quantile(&buckets, 10_000, share);
            assert!(
                (found / truth - 1.0).abs() < 0.19,
                "{share}: {found} for {truth}"
            );
        }
    }

    #[test]
    fn health_is_what_the_last_hour_says() {
        let hour = |succeeded, failed| {
            let row = MinuteRow {
                succeeded,
                failed,
                ..MinuteRow::default()
            };
            attempts([row].iter())
        };
        for (succeeded, failed, in_a_row, expected) in [
            (0, 0, 0, "idle"),
            (100, 0, 0, "healthy"),
            (95, 5, 0, "healthy"),
            (94, 6, 1, "degraded"),
            (1_000, 5, 5, "failing"),
            (0, 0, 5, "failing"),
        ] {
            assert_eq!(health(hour(succeeded, failed), in_a_row), expected);
        }
        assert_eq!(latency(&Minutes::new()), None);
    }
}
