//! Answers in JSON.

use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode};
use problem::Problem;
use serde::Serialize;

/// A body in JSON.
pub(crate) struct Json<T>(pub(crate) T);

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        match serde_json::to_vec(&self.0) {
            Ok(body) => {
                let json = HeaderValue::from_static("application/json");
                ([(CONTENT_TYPE, json)], body).into_response()
            }
            Err(error) => {
                tracing::error!(%error, "an answer can't be written as JSON");
                let status = StatusCode::INTERNAL_SERVER_ERROR;
                Problem::new(status, "internal", "the answer can't be written").into_response()
            }
        }
    }
}
