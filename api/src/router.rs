//! Which path is whose.

use std::sync::Arc;

use axum::Router;
use axum::routing::{delete, get, post, put};
use http::StatusCode;
use problem::Problem;

use crate::not_yet::{not_yet, not_yet_there};
use crate::shared::Shared;
use crate::{endpoint, query};

pub(crate) fn routes() -> Router<Arc<Shared>> {
    Router::new()
        .merge(endpoints())
        .merge(queries())
        .merge(of_later())
}

fn endpoints() -> Router<Arc<Shared>> {
    let one = get(endpoint::get)
        .patch(endpoint::patch)
        .delete(endpoint::delete);
    Router::new()
        .route(
            "/api/v1/endpoints",
            get(endpoint::list).post(endpoint::create),
        )
        .route("/api/v1/endpoints/{id}", one)
        .route("/api/v1/endpoints/{id}/pause", post(endpoint::pause))
        .route("/api/v1/endpoints/{id}/resume", post(endpoint::resume))
        .route("/api/v1/endpoints/{id}/disable", post(endpoint::disable))
        .route("/api/v1/endpoints/{id}/enable", post(endpoint::enable))
        .route("/api/v1/endpoints/{id}/stats", get(query::endpoint_stats))
}

fn queries() -> Router<Arc<Shared>> {
    Router::new()
        .route("/api/v1/events", get(query::events))
        .route("/api/v1/events/{id}", get(query::event))
        .route("/api/v1/events/{id}/attempts", get(query::event_attempts))
        .route("/api/v1/deliveries", get(query::deliveries))
        .route("/api/v1/deliveries/{id}", get(query::delivery))
        .route("/api/v1/dlq", get(query::dead_letters))
        .route("/api/v1/dlq/{id}", get(query::dead_letter).delete(not_yet))
        .route("/api/v1/stats", get(query::stats))
        .route("/api/v1/accounting", get(query::accounting))
}

/// What the interface names and isn't built.
fn of_later() -> Router<Arc<Shared>> {
    let event_type = put(not_yet).get(not_yet_there).delete(not_yet_there);
    Router::new()
        .route("/api/v1/endpoints/{id}/rotate-secret", post(not_yet))
        .route("/api/v1/endpoints/{id}/secret", get(not_yet_there))
        .route("/api/v1/endpoints/{id}/test", post(not_yet))
        .route("/api/v1/endpoints/{id}/circuit/reset", post(not_yet))
        .route("/api/v1/events/{id}/replay", post(not_yet))
        .route("/api/v1/deliveries/{id}/cancel", post(not_yet))
        .route("/api/v1/deliveries/{id}/retry", post(not_yet))
        .route("/api/v1/dlq/{id}/replay", post(not_yet))
        .route("/api/v1/dlq/replay/bulk", post(not_yet))
        .route("/api/v1/replays", post(not_yet).get(not_yet_there))
        .route("/api/v1/replays/{id}", get(not_yet_there))
        .route("/api/v1/replays/{id}/pause", post(not_yet))
        .route("/api/v1/replays/{id}/resume", post(not_yet))
        .route("/api/v1/replays/{id}/cancel", post(not_yet))
        .route("/api/v1/event-types", get(not_yet_there))
        .route("/api/v1/event-types/{name}", event_type)
        .route("/api/v1/filters/test", post(not_yet))
        .route("/api/v1/inbound/verify", post(not_yet))
        .route("/api/v1/keys", post(not_yet).get(not_yet_there))
        .route("/api/v1/keys/{id}", delete(not_yet_there))
        .route("/openapi.json", get(not_yet_there))
        .route("/docs", get(not_yet_there))
        .route("/events", post(not_yet))
        .route("/webhooks/send", post(not_yet))
        .route("/webhooks", get(not_yet_there))
        .route("/webhooks/{id}", get(not_yet_there))
}

/// `router`, with problem documents for what none of its routes takes: 404 `not_found` for a path, 405
/// `method_not_allowed` for a method. Goes around everything that is served, last.
pub fn with_fallbacks(router: Router) -> Router {
    router
        .method_not_allowed_fallback(async || {
            Problem::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "method_not_allowed",
                "the resource has no such method; the header allow names those that it has",
            )
        })
        .fallback(async || Problem::not_found("resource"))
}
