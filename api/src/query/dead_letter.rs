//! `GET /dlq`, `GET /dlq/{id}`: deliveries that failed for good, by the delivery's id.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Response};
use problem::Problem;
use projections_port::{DeliveryRow, DeliveryState, Order};
use schemas::topics::Topic;
use serde::Serialize;

use super::attempt::Budget;
use super::delivery::{self, ShownDelivery, complete};
use super::filters::selection;
use super::payload::{ShownPayload, event_at};
use crate::asking::{Asking, PathId};
use crate::failures;
use crate::json::Json;
use crate::page::{self, Wanted};
use crate::params::Params;
use crate::shared::Shared;
use crate::time::Shown;

/// The list's own filters.
const FILTERS: &[&str] = &["endpoint_id", "event_type", "reason"];

/// What has to be folded for a dead letter to be there.
const ENDING: &[Topic] = &[
    Topic::Inbox,
    Topic::Routed,
    Topic::Events,
    Topic::DeadLetters,
];

/// A dead letter.
#[derive(Serialize)]
struct ShownLetter {
    #[serde(flatten)]
    delivery: ShownDelivery,
    dead_lettered_at: Shown,
}

/// A dead letter with its payload.
#[derive(Serialize)]
struct WholeLetter {
    #[serde(flatten)]
    letter: ShownLetter,
    /// Retention has passed every record that had the payload.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    payload_gone: bool,
    #[serde(flatten)]
    payload: ShownPayload,
}

/// The tenant's dead letters, or those of one endpoint.
pub(crate) async fn dead_letters(
    State(shared): State<Arc<Shared>>,
    asking: Asking,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let known = &[page::PARAMS, page::TIMES, FILTERS];
    let mut params = Params::of(query.as_deref(), known);
    let tenant = &asking.caller.tenant;
    let wanted = Wanted::read(&mut params, "dlq", tenant, Order::Descending);
    let mut selection = selection(&mut params, &[]);
    params.finish()?;
    selection.status = Some("dead_lettered".to_owned());
    let page = shared
        .views
        .deliveries(tenant, &selection, wanted.request())
        .await
        .map_err(|error| failures::of_views(&error))?;
    let shown = |row: &DeliveryRow| ShownLetter {
        delivery: ShownDelivery::brief(row),
        dead_lettered_at: Shown(row.since),
    };
    let data = page.rows.iter().map(|(_, row)| shown(row)).collect();
    Ok(wanted.answer_page(&page, data).into_response())
}

/// One dead letter with its attempts and its payload.
pub(crate) async fn dead_letter(
    State(shared): State<Arc<Shared>>,
    asking: Asking,
    PathId(id): PathId,
) -> Result<Response, Problem> {
    let is_dead = |row: &DeliveryRow| matches!(row.state, DeliveryState::DeadLettered(_));
    let mut row = delivery::find(&shared, &asking.caller.tenant, &id, ENDING, is_dead)
        .await?
        .ok_or_else(|| Problem::not_found("dead letter"))?;
    complete(&shared, &mut row).await?;
    // The letter has the payload for as long as there is a letter; the acceptance goes earlier.
    let stored = match event_at(&shared, row.place).await? {
        Some(stored) => Some(stored),
        None => event_at(&shared, row.acceptance.position()).await?,
    };
    let payload = stored
        .as_ref()
        .map(|stored| ShownPayload::of(&stored.payload));
    let whole = WholeLetter {
        letter: ShownLetter {
            delivery: ShownDelivery::whole(&row, &mut Budget::default()),
            dead_lettered_at: Shown(row.since),
        },
        payload_gone: payload.is_none(),
        payload: payload.unwrap_or_default(),
    };
    Ok(Json(whole).into_response())
}
