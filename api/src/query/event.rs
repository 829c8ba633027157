//! `GET /events`, `GET /events/{id}`.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Response};
use problem::Problem;
use projections_port::{DeliveryState, Ending, EventRow, Order};
use schemas::ids::EventId;
use schemas::text::TenantId;

use super::attempt::Budget;
use super::delivery::{self, ACCEPTING, ShownDelivery};
use super::event_shown::{ShownEvent, WholeEvent};
use super::filters::selection;
use super::payload::event_at;
use crate::asking::{Asking, PathId};
use crate::failures;
use crate::json::Json;
use crate::limits::{MAX_DELIVERIES_SHOWN, MAX_STATES_READ};
use crate::page::{self, Wanted};
use crate::params::Params;
use crate::shared::Shared;

/// The list's own filters.
const FILTERS: &[&str] = &["event_type", "status", "endpoint_id", "source", "tag"];

/// Where an event may stand.
const STATUSES: &[&str] = &[
    "no_route",
    "pending",
    "partial",
    "delivered",
    "failed",
    "duplicate",
    "idempotency_conflict",
];

/// The tenant's events, or those that go to one endpoint.
pub(crate) async fn events(
    State(shared): State<Arc<Shared>>,
    asking: Asking,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let known = &[page::PARAMS, page::TIMES, FILTERS];
    let mut params = Params::of(query.as_deref(), known);
    let tenant = &asking.caller.tenant;
    let wanted = Wanted::read(&mut params, "events", tenant, Order::Descending);
    let selection = selection(&mut params, STATUSES);
    params.finish()?;
    let page = shared
        .views
        .events(tenant, &selection, wanted.request())
        .await
        .map_err(|error| failures::of_views(&error))?;
    let mut left = MAX_STATES_READ;
    let mut data = Vec::new();
    for (_, row) in &page.rows {
        let status = status(&shared, row, &mut left).await?;
        data.push(ShownEvent::of(row, status));
    }
    Ok(wanted.answer_page(&page, data).into_response())
}

/// Where an event stands, if that takes no more than `left` deliveries to say.
async fn status(
    shared: &Shared,
    row: &EventRow,
    left: &mut usize,
) -> Result<Option<&'static str>, Problem> {
    let Some(less) = left.checked_sub(row.deliveries().count()) else {
        return Ok(None);
    };
    *left = less;
    let mut states: Vec<DeliveryState> = Vec::new();
    for id in row.deliveries() {
        let delivery = delivery::of_views(shared, &row.tenant, &id).await?;
        states.extend(delivery.map(|delivery| delivery.state));
    }
    Ok(Some(row.status(&states)))
}

/// One event with its payload, its deliveries and their attempts.
pub(crate) async fn event(
    State(shared): State<Arc<Shared>>,
    asking: Asking,
    PathId(id): PathId,
) -> Result<Response, Problem> {
    let row = find(&shared, &asking.caller.tenant, &id).await?;
    let stored = event_at(&shared, row.acceptance.position()).await?;
    let mut states = Vec::new();
    let mut deliveries = Vec::new();
    let mut budget = Budget::default();
    for id in row.deliveries() {
        let Some(delivery) = delivery::of_views(&shared, &row.tenant, &id).await? else {
            continue;
        };
        states.push(delivery.state);
        if deliveries.len() < MAX_DELIVERIES_SHOWN {
            deliveries.push(ShownDelivery::whole(&delivery, &mut budget));
        }
    }
    let event = ShownEvent::of(&row, Some(row.status(&states)));
    let left_out = states.len() - deliveries.len();
    Ok(Json(WholeEvent::of(event, stored.as_ref(), deliveries, left_out)).into_response())
}

/// The event that a path names. A repeat's id means the first; a bare UUID may mean a generated id, or
/// a client's own.
pub(super) async fn find(
    shared: &Shared,
    tenant: &TenantId,
    id: &str,
) -> Result<EventRow, Problem> {
    let not_found = || Problem::not_found("event");
    let (likeliest, other) = EventId::meant_by(id).map_err(|_| not_found())?;
    let (likeliest, other) = (&likeliest, other.as_ref());
    let look = || async move {
        if let Some(row) = of_views(shared, tenant, likeliest).await? {
            return Ok(Some(row));
        }
        match other {
            Some(other) => of_views(shared, tenant, other).await,
            None => Ok(None),
        }
    };
    let row = shared.find(ACCEPTING, look).await?.ok_or_else(not_found)?;
    let first = match &row.ending {
        Ending::Routed(_) => return Ok(row),
        Ending::Duplicate(first) | Ending::Conflict(first) => first,
    };
    // The first may be past retention. What is known of the repeat is shown then.
    Ok(of_views(shared, tenant, first).await?.unwrap_or(row))
}

async fn of_views(
    shared: &Shared,
    tenant: &TenantId,
    id: &EventId,
) -> Result<Option<EventRow>, Problem> {
    let row = shared.views.event(tenant, id).await;
    row.map_err(|error| failures::of_views(&error))
}
