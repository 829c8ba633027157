//! `GET /deliveries`, `GET /deliveries/{id}`.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Response};
use problem::Problem;
use projections_port::{DeliveryRow, DeliveryState, Order};
use schemas::dead_letter::DeadLetterReason;
use schemas::ids::{DeliveryId, EndpointId, EventId, ReplayId};
use schemas::origin::Run;
use schemas::text::{EventType, TenantId};
use schemas::topics::Topic;
use serde::Serialize;

use super::attempt::{Budget, ShownAttempt, count};
use super::filters::selection;
use super::payload::attempt_at;
use crate::asking::{Asking, PathId};
use crate::failures;
use crate::json::Json;
use crate::page::{self, Wanted};
use crate::params::Params;
use crate::shared::Shared;
use crate::time::Shown;

/// The list's own filters.
const FILTERS: &[&str] = &["endpoint_id", "status", "event_type", "status_code"];

/// Where a delivery may stand.
const STATUSES: &[&str] = &[
    "pending",
    "delivering",
    "retrying",
    "delivered",
    "dead_lettered",
    "discarded",
    "cancelled",
];

/// What has to be folded for a delivery that a 202 named to be there.
pub(super) const ACCEPTING: &[Topic] = &[Topic::Inbox, Topic::Routed, Topic::Events];

/// A delivery.
#[derive(Serialize)]
pub(super) struct ShownDelivery {
    id: DeliveryId,
    event_id: EventId,
    event_type: EventType,
    endpoint_id: EndpointId,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<DeadLetterReason>,
    accepted_at: Shown,
    updated_at: Shown,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_attempt_at: Option<Shown>,
    #[serde(skip_serializing_if = "Option::is_none")]
    replay_id: Option<ReplayId>,
    attempt_count: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_attempt: Option<ShownAttempt>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attempts: Option<Vec<ShownAttempt>>,
}

impl ShownDelivery {
    /// As in lists: with the last attempt, without its response.
    pub(super) fn brief(row: &DeliveryRow) -> Self {
        let last = row.attempts.last();
        Self {
            last_attempt: last.map(|last| ShownAttempt::brief(row, last)),
            ..Self::bare(row)
        }
    }

    /// With all attempts.
    pub(super) fn whole(row: &DeliveryRow, budget: &mut Budget) -> Self {
        let attempts = row.attempts.iter();
        let shown = attempts.map(|attempt| ShownAttempt::of(row, attempt.clone(), budget));
        Self {
            attempts: Some(shown.collect()),
            ..Self::bare(row)
        }
    }

    fn bare(row: &DeliveryRow) -> Self {
        let (reason, next_attempt_at) = match row.state {
            DeliveryState::DeadLettered(reason) => (Some(reason), None),
            DeliveryState::Retrying { next_attempt_at } => (None, Some(Shown(next_attempt_at))),
            DeliveryState::Pending
            | DeliveryState::Delivering
            | DeliveryState::Delivered
            | DeliveryState::Discarded
            | DeliveryState::Cancelled => (None, None),
        };
        let replay_id = match row.run {
            Run::First => None,
            Run::Replay(id) => Some(id),
        };
        Self {
            id: row.id,
            event_id: row.event.clone(),
            event_type: row.event_type.clone(),
            endpoint_id: row.endpoint,
            status: row.state.name(),
            reason,
            accepted_at: Shown(row.accepted_at),
            updated_at: Shown(row.since),
            next_attempt_at,
            replay_id,
            attempt_count: count(row),
            last_attempt: None,
            attempts: None,
        }
    }
}

/// The tenant's deliveries, or those of one endpoint.
pub(crate) async fn deliveries(
    State(shared): State<Arc<Shared>>,
    asking: Asking,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let known = &[page::PARAMS, page::TIMES, FILTERS];
    let mut params = Params::of(query.as_deref(), known);
    let tenant = &asking.caller.tenant;
    let wanted = Wanted::read(&mut params, "deliveries", tenant, Order::Descending);
    let selection = selection(&mut params, STATUSES);
    params.finish()?;
    let page = shared
        .views
        .deliveries(tenant, &selection, wanted.request())
        .await
        .map_err(|error| failures::of_views(&error))?;
    let rows = page.rows.iter();
    let data = rows.map(|(_, row)| ShownDelivery::brief(row)).collect();
    Ok(wanted.answer_page(&page, data).into_response())
}

/// One delivery with its attempts in full.
pub(crate) async fn delivery(
    State(shared): State<Arc<Shared>>,
    asking: Asking,
    PathId(id): PathId,
) -> Result<Response, Problem> {
    let mut row = find(&shared, &asking.caller.tenant, &id, ACCEPTING, |_| true)
        .await?
        .ok_or_else(|| Problem::not_found("delivery"))?;
    complete(&shared, &mut row).await?;
    let shown = ShownDelivery::whole(&row, &mut Budget::default());
    Ok(Json(shown).into_response())
}

/// The delivery that a path names, if it is as `fits` has it.
pub(super) async fn find(
    shared: &Shared,
    tenant: &TenantId,
    id: &str,
    topics: &[Topic],
    fits: fn(&DeliveryRow) -> bool,
) -> Result<Option<DeliveryRow>, Problem> {
    let Ok(id) = id.parse() else {
        return Ok(None);
    };
    let look = || async move {
        let row = of_views(shared, tenant, &id).await?;
        Ok(row.filter(fits))
    };
    shared.find(topics, look).await
}

/// A delivery as the views have it.
pub(super) async fn of_views(
    shared: &Shared,
    tenant: &TenantId,
    id: &DeliveryId,
) -> Result<Option<DeliveryRow>, Problem> {
    let row = shared.views.delivery(tenant, id).await;
    row.map_err(|error| failures::of_views(&error))
}

/// Fills in what the row leaves out of its attempts, where the log still has it.
pub(super) async fn complete(shared: &Shared, row: &mut DeliveryRow) -> Result<(), Problem> {
    for attempt in row
        .attempts
        .iter_mut()
        .filter(|attempt| attempt.has_outcome)
    {
        if let Some(stored) = attempt_at(shared, attempt.place).await?
            && stored.number == attempt.attempt.number
        {
            attempt.attempt = stored;
        }
    }
    Ok(())
}
