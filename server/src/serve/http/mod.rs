//! The server's HTTP: the roles' doors under one gate, health, metrics.

mod connections;
mod gate;
mod health;
mod metrics;

use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::get;
use prometheus_client::registry::Registry;

pub(super) use connections::serve;
pub(super) use gate::{Gate, Hosts};
pub(super) use health::{Health, Probe};

/// Everything that is served.
pub(super) fn app(
    doors: Router,
    gate: Gate,
    health: Arc<Health>,
    registry: Arc<Registry>,
) -> Router {
    let health = Router::new()
        .route("/health", get(health::health))
        .route("/health/live", get(health::live))
        .route("/health/ready", get(health::ready))
        .with_state(health);
    let all = Router::new()
        .route("/metrics", get(metrics::metrics))
        .with_state(registry)
        .merge(health)
        .merge(doors);
    api::with_fallbacks(all).layer(from_fn_with_state(Arc::new(gate), gate::pass))
}
