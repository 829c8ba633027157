//! What handlers are told of a request: who asks, and for which id.

use axum::extract::{FromRequestParts, Path};
use http::request::Parts;
use http::{HeaderMap, StatusCode};
use problem::{Caller, Problem, RequestId};
use schemas::control::Change;

/// Who asks, in which request.
#[derive(Clone, Debug)]
pub(crate) struct Asking {
    pub(crate) caller: Caller,
    request_id: Option<RequestId>,
}

impl Asking {
    /// What a fact says of itself that comes of this request and replaces `replaces`.
    pub(crate) fn change(&self, replaces: Option<u64>) -> Change {
        Change {
            tenant: self.caller.tenant.clone(),
            replaces,
            by: self.caller.actor,
            request_id: self.request_id().map(str::to_owned),
        }
    }

    pub(crate) fn request_id(&self) -> Option<&str> {
        self.request_id.as_ref().map(|id| &*id.0)
    }
}

impl<S: Sync> FromRequestParts<S> for Asking {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let Some(caller) = parts.extensions.get::<Caller>().cloned() else {
            // Whoever put this router behind no middleware: nobody is let in by mistake.
            tracing::error!("a request without a caller");
            let status = StatusCode::INTERNAL_SERVER_ERROR;
            return Err(Problem::new(
                status,
                "internal",
                "the server is set up wrongly",
            ));
        };
        Ok(Self {
            caller,
            request_id: parts.extensions.get::<RequestId>().cloned(),
        })
    }
}

/// The id in the path, as it was written there.
#[derive(Clone, Debug)]
pub(crate) struct PathId(pub(crate) String);

impl<S: Send + Sync> FromRequestParts<S> for PathId {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let path = Path::<String>::from_request_parts(parts, state).await;
        // What isn't UTF-8 is no id of anything.
        path.map(|Path(id)| Self(id))
            .map_err(|_| Problem::not_found("resource"))
    }
}

/// Refuses what a request may carry by the interface and isn't honoured yet.
pub(crate) fn check_headers(headers: &HeaderMap) -> Result<(), Problem> {
    if headers.contains_key("idempotency-key") {
        return Err(Problem::not_supported_yet(
            "Idempotency-Key on this request",
        ));
    }
    Ok(())
}

/// Refuses a body that says it is something else than JSON.
pub(crate) fn check_content_type(headers: &HeaderMap) -> Result<(), Problem> {
    let Some(value) = headers.get(http::header::CONTENT_TYPE) else {
        return Ok(());
    };
    let media_type = value.to_str().unwrap_or_default();
    let media_type = media_type.split(';').next().unwrap_or_default().trim();
    let known = ["application/json", "application/merge-patch+json"];
    if known
        .iter()
        .any(|known| known.eq_ignore_ascii_case(media_type))
    {
        return Ok(());
    }
    Err(Problem::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "unsupported_media_type",
        "the body must be application/json",
    ))
}
