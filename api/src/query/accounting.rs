//! `GET /accounting`, `GET /stats`: every delivery that was made is somewhere.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Response};
use problem::Problem;
use projections_port::{Accounting, Figures, Undelivered, ViewError};
use schemas::control::EndpointState;
use schemas::ids::EndpointId;
use schemas::topics::Topic;
use serde::Serialize;

use crate::asking::Asking;
use crate::failures;
use crate::json::Json;
use crate::limits::{ACCOUNTING_TRIES, MAX_ENDPOINTS_ACCOUNTED};
use crate::params::Params;
use crate::shared::Shared;

/// Where deliveries stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Totals {
    made: u64,
    pending: u64,
    retrying: u64,
    delivered: u64,
    dead_lettered: u64,
    discarded: u64,
    cancelled: u64,
    /// Zero, or something is wrong.
    unaccounted: u64,
}

impl Totals {
    pub(super) const fn of(accounting: Accounting) -> Self {
        Self {
            made: accounting.deliveries,
            pending: accounting.pending,
            retrying: accounting.retrying,
            delivered: accounting.delivered,
            dead_lettered: accounting.dead_lettered,
            discarded: accounting.discarded,
            cancelled: accounting.cancelled,
            unaccounted: accounting.unaccounted(),
        }
    }
}

/// Events that went nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
struct ShownUndelivered {
    no_route: u64,
    duplicate: u64,
    idempotency_conflict: u64,
}

impl ShownUndelivered {
    const fn of(undelivered: Undelivered) -> Self {
        Self {
            no_route: undelivered.no_route,
            duplicate: undelivered.duplicate,
            idempotency_conflict: undelivered.conflict,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct OfEndpoint {
    endpoint_id: EndpointId,
    #[serde(flatten)]
    deliveries: Totals,
}

/// How far a partition is folded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct AsOf {
    topic: Topic,
    partition: u32,
    offset: u64,
}

#[derive(Serialize)]
struct ShownAccounting {
    deliveries: Totals,
    events: ShownUndelivered,
    endpoints: Vec<OfEndpoint>,
    /// How many more endpoints there are: ask for one by `endpoint_id`.
    #[serde(skip_serializing_if = "Option::is_none")]
    endpoints_left_out: Option<usize>,
    /// Everything below these offsets is in the figures.
    as_of: Vec<AsOf>,
    /// Whether nothing above them is. Under load some may be.
    is_exact: bool,
}

/// Where all deliveries stand, in all and by endpoint, and as of which offsets.
pub(crate) async fn accounting(
    State(shared): State<Arc<Shared>>,
    asking: Asking,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let mut params = Params::of(query.as_deref(), &[&["endpoint_id"]]);
    let only: Option<EndpointId> = params.parsed("endpoint_id");
    params.finish()?;
    let tenant = &asking.caller.tenant;
    // What is queued for a deleted endpoint ends as well, so those count.
    let mut ids = match only {
        Some(id) => vec![id],
        None => shared.control.read(|state| state.all_ids_of(tenant)),
    };
    let left_out = ids.len().saturating_sub(MAX_ENDPOINTS_ACCOUNTED);
    ids.truncate(MAX_ENDPOINTS_ACCOUNTED);
    let of_views = |error: ViewError| failures::of_views(&error);
    let mut before = as_of(&shared).await.map_err(of_views)?;
    for tries_left in (0..ACCOUNTING_TRIES).rev() {
        let figures = shared.views.figures(tenant, &ids).await.map_err(of_views)?;
        // Asked before the offsets are: a half-done write that the figures have is half done still, or has moved them.
        let half_written = shared.views.is_half_written().await.map_err(of_views)?;
        let after = as_of(&shared).await.map_err(of_views)?;
        let is_exact = before == after && !half_written;
        if is_exact || tries_left == 0 {
            return Ok(answer(&ids, figures, before, is_exact, left_out));
        }
        before = after;
    }
    Err(failures::log_unavailable("the accounting was never read"))
}

fn answer(
    ids: &[EndpointId],
    figures: Figures,
    offsets: Offsets,
    is_exact: bool,
    left_out: usize,
) -> Response {
    let as_of = offsets
        .into_iter()
        .map(|((topic, partition), offset)| AsOf {
            topic,
            partition,
            offset,
        });
    let of_endpoint = |(id, counts): (&EndpointId, Accounting)| OfEndpoint {
        endpoint_id: *id,
        deliveries: Totals::of(counts),
    };
    let endpoints = ids.iter().zip(figures.endpoints).map(of_endpoint);
    Json(ShownAccounting {
        deliveries: Totals::of(figures.deliveries),
        events: ShownUndelivered::of(figures.undelivered),
        endpoints: endpoints.collect(),
        endpoints_left_out: (left_out > 0).then_some(left_out),
        as_of: as_of.collect(),
        is_exact,
    })
    .into_response()
}

type Offsets = BTreeMap<(Topic, u32), u64>;

async fn as_of(shared: &Shared) -> Result<Offsets, ViewError> {
    let progress = shared.views.progress().await?;
    let offsets = progress.into_iter();
    Ok(offsets
        .map(|(key, progress)| (key, progress.offset))
        .collect())
}

#[derive(Default, Serialize)]
struct Endpoints {
    total: u64,
    active: u64,
    disabled: u64,
    paused: u64,
}

#[derive(Serialize)]
struct ShownStats {
    deliveries: Totals,
    events: ShownUndelivered,
    endpoints: Endpoints,
}

/// Totals of everything.
pub(crate) async fn stats(
    State(shared): State<Arc<Shared>>,
    asking: Asking,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    Params::of(query.as_deref(), &[]).finish()?;
    let tenant = &asking.caller.tenant;
    let figures = shared.views.figures(tenant, &[]).await;
    let figures = figures.map_err(|error| failures::of_views(&error))?;
    let mut endpoints = Endpoints::default();
    shared.control.read(|state| {
        for current in state.endpoints_of(tenant) {
            let endpoint = &current.endpoint;
            endpoints.total += 1;
            endpoints.active += u64::from(endpoint.state == EndpointState::Active);
            endpoints.disabled += u64::from(endpoint.state == EndpointState::Disabled);
            endpoints.paused += u64::from(endpoint.paused);
        }
    });
    Ok(Json(ShownStats {
        deliveries: Totals::of(figures.deliveries),
        events: ShownUndelivered::of(figures.undelivered),
        endpoints,
    })
    .into_response())
}
