//! `POST /endpoints`.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use domain::signing::Secret;
use http::header::{CACHE_CONTROL, ETAG, LOCATION};
use http::{HeaderMap, HeaderValue, StatusCode};
use problem::{Problem, body};
use schemas::control::{
    Algorithm, Endpoint, EndpointChange, EndpointState, OnDeadLetter, Ordering,
};
use schemas::ids::EndpointId;
use schemas::scalar::At;
use schemas::topics::Topic;

use super::change::write;
use super::draft::Draft;
use super::etag::etag;
use super::shown::ShownEndpoint;
use super::{read, sealed};
use crate::asking::{Asking, check_content_type, check_headers};
use crate::failures;
use crate::json::Json;
use crate::shared::Shared;
use crate::strict;

/// Makes an endpoint: 201 with it and, this once, its secret.
pub(crate) async fn create(
    State(shared): State<Arc<Shared>>,
    asking: Asking,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    check_headers(&headers)?;
    check_content_type(&headers)?;
    let body = strict::object(&body::read(body).await?)?;
    let mut draft = read::new(&body, &shared.config)?;
    let secret = match draft.secret.take() {
        Some(given) => given,
        None => Secret::generate(&mut **shared.chance.lock()),
    };
    // Endpoints are spread by how many each partition has: all that are there have to be known.
    shared.read_control().await?;
    let endpoint = made(&shared, &asking, draft, &secret);
    let version = write(&shared, &endpoint)
        .await
        .map_err(|error| failures::of_change(&error))?;
    tracing::info!(endpoint = %endpoint.id, version, request_id = asking.request_id(), "endpoint.created");
    Ok(answer(&endpoint, version, &secret))
}

fn made(shared: &Shared, asking: &Asking, draft: Draft, secret: &Secret) -> Endpoint {
    let now = shared.now();
    let id = EndpointId::new(now, shared.random_128());
    let partitions = shared.partitions.get(&Topic::Events).copied().unwrap_or(1);
    let partition = shared
        .control
        .read(|state| state.emptiest_partition(partitions));
    let connect_timeout_seconds = draft.connect_timeout();
    Endpoint {
        change: asking.change(None),
        did: EndpointChange::Created,
        id,
        partition,
        created_at: At(now),
        state: EndpointState::Active,
        disabled_reason: None,
        paused: false,
        circuit_resets: 0,
        name: draft.name,
        url: draft.url.unwrap_or_default(),
        event_types: draft.event_types,
        filter: None,
        ordering: Ordering::None,
        ordering_key: None,
        on_dead_letter: OnDeadLetter::Continue,
        max_in_flight: draft.max_in_flight,
        rate_limit: None,
        timeout_seconds: draft.timeout_seconds,
        connect_timeout_seconds,
        retry: draft.retry,
        circuit: draft.circuit,
        signing: draft.signing,
        algorithm: Algorithm::HmacSha256,
        secrets: vec![sealed::secret(shared, id, secret)],
        custom_headers: sealed::headers(shared, id, draft.custom_headers),
        metadata: draft.metadata,
    }
}

fn answer(endpoint: &Endpoint, version: u64, secret: &Secret) -> Response {
    const PLAIN: &str = "an id fits a header";
    let location = format!("/api/v1/endpoints/{}", endpoint.id);
    let headers = [
        (LOCATION, HeaderValue::try_from(location).expect(PLAIN)),
        (ETAG, etag(version)),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    let body = ShownEndpoint::of(endpoint, version, Some(secret.reveal()));
    (StatusCode::CREATED, headers, Json(body)).into_response()
}
