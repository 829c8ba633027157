//! Changing an endpoint: the version it was read at is named by the fact that replaces it, so of two
//! changes at once the log takes one. The other is made again on what came of the first, or, when its
//! client had named a version, refused.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use control::{Behind, Current, WriteError};
use http::{HeaderMap, StatusCode};
use problem::{Problem, body};
use schemas::control::{Endpoint, EndpointChange, EndpointState, Fact, Signing};
use serde_json::{Map, Value};
use tokio::time::timeout;

use super::draft::Draft;
use super::etag::{Condition, stale};
use super::faults::Faults;
use super::{read, sealed, shown};
use crate::asking::{Asking, PathId, check_content_type};
use crate::limits::{CHANGE_TRIES, CONTROL_WAIT};
use crate::shared::Shared;
use crate::{failures, strict};

/// `PATCH /endpoints/{id}`.
pub(crate) async fn patch(
    State(shared): State<Arc<Shared>>,
    asking: Asking,
    PathId(id): PathId,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    check_content_type(&headers)?;
    let body = strict::object(&body::read(body).await?)?;
    let condition = Condition::of(&headers);
    let changed = change(&shared, &asking, &id, &condition, |current| {
        patched(&shared, current, &body)
    });
    let (endpoint, version) = changed.await?;
    Ok(shown::answer_version(&endpoint, version))
}

/// `DELETE /endpoints/{id}`.
pub(crate) async fn delete(
    State(shared): State<Arc<Shared>>,
    asking: Asking,
    PathId(id): PathId,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let condition = Condition::of(&headers);
    let deleted = |current: &Current| {
        let mut endpoint = current.endpoint.clone();
        endpoint.did = EndpointChange::Deleted;
        endpoint.state = EndpointState::Deleted;
        endpoint.disabled_reason = None;
        // Nothing is sent any more, and so nothing is left to sign or to add.
        endpoint.secrets.clear();
        endpoint.custom_headers.clear();
        Ok(Some(endpoint))
    };
    change(&shared, &asking, &id, &condition, deleted).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// The endpoint after `body`; `None` when that changes nothing.
fn patched(
    shared: &Shared,
    current: &Current,
    body: &Map<String, Value>,
) -> Result<Option<Endpoint>, Problem> {
    let before = &current.endpoint;
    let draft = read::patch(Draft::of(before), body, &shared.config)?;
    check_secrets(shared, before, draft.signing)?;
    let connect_timeout_seconds = draft.connect_timeout();
    let after = Endpoint {
        did: EndpointChange::Updated,
        name: draft.name,
        url: draft.url.unwrap_or_default(),
        event_types: draft.event_types,
        max_in_flight: draft.max_in_flight,
        timeout_seconds: draft.timeout_seconds,
        connect_timeout_seconds,
        retry: draft.retry,
        circuit: draft.circuit,
        signing: draft.signing,
        custom_headers: sealed::headers(shared, before.id, draft.custom_headers),
        metadata: draft.metadata,
        ..before.clone()
    };
    let is_same = Endpoint {
        did: before.did,
        ..after.clone()
    } == *before;
    Ok((!is_same).then_some(after))
}

/// Whether the secrets that there are can sign as `signing` would have it.
fn check_secrets(shared: &Shared, before: &Endpoint, signing: Signing) -> Result<(), Problem> {
    if before.signing != Signing::Stripe || signing == Signing::Stripe {
        return Ok(());
    }
    let mut secrets = before.secrets.iter();
    let fits = secrets.all(|secret| {
        sealed::opened(shared, before.id, secret).is_some_and(|secret| secret.is_standard())
    });
    let mut faults = Faults::default();
    if !fits {
        let detail =
            "the endpoint's secret is not whsec_ and base64, which Standard Webhooks needs";
        faults.invalid("/signing", detail);
    }
    faults.finish()
}

/// Changes an endpoint by `make`, which says what it is to be, or that it is as it should be. Returns it
/// with its version.
///
/// # Errors
/// 404; 412 when it isn't as `condition` has it; what `make` refuses; 503 when the log can't confirm.
pub(super) async fn change(
    shared: &Shared,
    asking: &Asking,
    id: &str,
    condition: &Condition,
    make: impl Fn(&Current) -> Result<Option<Endpoint>, Problem>,
) -> Result<(Endpoint, u64), Problem> {
    for _ in 0..CHANGE_TRIES {
        let current = as_asked(shared, asking, id, condition).await?;
        let Some(mut endpoint) = make(&current)? else {
            return Ok((current.endpoint.clone(), current.version));
        };
        endpoint.change = asking.change(Some(current.version));
        match write(shared, &endpoint).await {
            Ok(version) => {
                let request_id = asking.request_id();
                let did = named(endpoint.did);
                tracing::info!(endpoint = %endpoint.id, version, request_id, "{did}");
                return Ok((endpoint, version));
            }
            // Whether that is a version that was asked for is seen in the next round.
            Err(WriteError::Stale) => {}
            Err(error) => return Err(failures::of_change(&error)),
        }
    }
    Err(Problem::unavailable(
        "endpoint_contended",
        "others change the endpoint all the time; nothing has changed",
        crate::limits::RETRY_AFTER,
    ))
}

/// The endpoint, at the version that was asked for. Others may know a newer one than is known here,
/// so a version that doesn't match is compared once more at the end of `control`.
async fn as_asked(
    shared: &Shared,
    asking: &Asking,
    id: &str,
    condition: &Condition,
) -> Result<Arc<Current>, Problem> {
    let tenant = &asking.caller.tenant;
    let current = shared.endpoint_named(tenant, id).await?;
    if condition.holds(current.version) {
        return Ok(current);
    }
    shared.read_control().await?;
    let current = shared.endpoint_named(tenant, id).await?;
    if condition.holds(current.version) {
        Ok(current)
    } else {
        Err(stale())
    }
}

/// Writes a fact within [`CONTROL_WAIT`].
pub(super) async fn write(shared: &Shared, endpoint: &Endpoint) -> Result<u64, WriteError> {
    let fact = Fact::Endpoint(Box::new(endpoint.clone()));
    match timeout(CONTROL_WAIT, shared.writer.write(&fact)).await {
        Ok(written) => written,
        // Given up on, so not known, as when the follower that should read it back has stopped.
        Err(_) => Err(WriteError::Behind(Behind::Stopped)),
    }
}

/// What log lines call a change.
const fn named(did: EndpointChange) -> &'static str {
    match did {
        EndpointChange::Created => "endpoint.created",
        EndpointChange::Updated => "endpoint.updated",
        EndpointChange::Deleted => "endpoint.deleted",
        EndpointChange::Paused => "endpoint.paused",
        EndpointChange::Resumed => "endpoint.resumed",
        EndpointChange::Disabled => "endpoint.disabled",
        EndpointChange::Enabled => "endpoint.enabled",
        EndpointChange::SecretRotated => "endpoint.secret_rotated",
        EndpointChange::SecretRead => "endpoint.secret_read",
        EndpointChange::CircuitReset => "endpoint.circuit_reset",
    }
}
