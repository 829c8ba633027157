//! Endpoints: made, changed, shown.
//!
//! A request is read into a [`draft`] by [`read`], all that is wrong told at once; a draft becomes a
//! fact in [`create`] or [`change`]. Secrets are sealed before the fact is made, and what is [`shown`] has
//! none but in the one answer that made it.

mod change;
mod create;
mod draft;
mod etag;
mod faults;
mod list;
mod read;
mod read_headers;
mod read_retry;
mod sealed;
mod shown;
mod switch;

pub(crate) use change::{delete, patch};
pub(crate) use create::create;
pub(crate) use list::list;
pub(crate) use switch::{disable, enable, pause, resume};

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use problem::Problem;

use crate::asking::{Asking, PathId};
use crate::shared::Shared;

/// `GET /endpoints/{id}`.
pub(crate) async fn get(
    State(shared): State<Arc<Shared>>,
    asking: Asking,
    PathId(id): PathId,
) -> Result<Response, Problem> {
    let current = shared.endpoint_named(&asking.caller.tenant, &id).await?;
    Ok(shown::answer(&current))
}
