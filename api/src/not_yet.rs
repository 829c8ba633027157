//! What the interface names and this version doesn't do. Nothing of it is ever stored and ignored.

use http::{Method, StatusCode, Uri};
use problem::Problem;

/// 422: asked to do something.
pub(crate) async fn not_yet(method: Method, uri: Uri) -> Problem {
    Problem::not_supported_yet(&format!("{method} {}", uri.path()))
}

/// 404: asked for something that can't be there.
pub(crate) async fn not_yet_there(method: Method, uri: Uri) -> Problem {
    let detail = format!("{method} {} is not supported yet", uri.path());
    Problem::new(StatusCode::NOT_FOUND, "not_supported_yet", detail)
}
