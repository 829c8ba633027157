//! `POST /endpoints/{id}/pause`, `resume`, `disable`, `enable`. Asking for what is so changes nothing.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use control::Current;
use http::HeaderMap;
use problem::{Problem, body};
use schemas::control::{DisabledReason, Endpoint, EndpointChange, EndpointState};

use super::change::change;
use super::etag::Condition;
use super::shown;
use crate::asking::{Asking, PathId, check_content_type, check_headers};
use crate::shared::Shared;
use crate::strict;

/// What a request is made of.
type Asked = (State<Arc<Shared>>, Asking, PathId, HeaderMap, Body);

macro_rules! switches {
    ($($(#[$doc:meta])* $name:ident => $becomes:expr;)+) => {$(
        $(#[$doc])*
        pub(crate) async fn $name(
            shared: State<Arc<Shared>>,
            asking: Asking,
            id: PathId,
            headers: HeaderMap,
            body: Body,
        ) -> Result<Response, Problem> {
            switch((shared, asking, id, headers, body), $becomes).await
        }
    )+};
}

switches! {
    /// Holds deliveries in the log.
    pause => |endpoint| {
        endpoint.did = EndpointChange::Paused;
        endpoint.paused = true;
    };
    /// Lets them go on.
    resume => |endpoint| {
        endpoint.did = EndpointChange::Resumed;
        endpoint.paused = false;
    };
    /// Sends nothing more: what is queued is dead-lettered.
    disable => |endpoint| {
        endpoint.did = EndpointChange::Disabled;
        endpoint.state = EndpointState::Disabled;
        endpoint.disabled_reason = Some(DisabledReason::Operator);
    };
    /// Sends again.
    enable => |endpoint| {
        endpoint.did = EndpointChange::Enabled;
        endpoint.state = EndpointState::Active;
        endpoint.disabled_reason = None;
    };
}

async fn switch(asked: Asked, become_so: fn(&mut Endpoint)) -> Result<Response, Problem> {
    let (State(shared), asking, PathId(id), headers, body) = asked;
    check_headers(&headers)?;
    check_content_type(&headers)?;
    check_empty(&body::read(body).await?)?;
    let condition = Condition::of(&headers);
    let made = |current: &Current| Ok(switched(&current.endpoint, become_so));
    let (endpoint, version) = change(&shared, &asking, &id, &condition, made).await?;
    Ok(shown::answer_version(&endpoint, version))
}

/// The endpoint as it becomes; `None` when it is so already, for whatever reason it came to be.
fn switched(before: &Endpoint, become_so: fn(&mut Endpoint)) -> Option<Endpoint> {
    let mut after = before.clone();
    become_so(&mut after);
    let is_so = (after.state, after.paused) == (before.state, before.paused);
    (!is_so).then_some(after)
}

/// There is nothing to say in such a body, and so nothing in it to ignore.
fn check_empty(body: &[u8]) -> Result<(), Problem> {
    if body.is_empty() || strict::object(body)?.is_empty() {
        return Ok(());
    }
    Err(Problem::new(
        http::StatusCode::UNPROCESSABLE_ENTITY,
        "validation_failed",
        "the body must be empty, or an object without members",
    ))
}
