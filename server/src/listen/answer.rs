//! What a request is answered.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use domain::chance::Chance;
use domain::time::Clock;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Limited};
use parking_lot::Mutex;
use tokio::sync::mpsc;

use super::came::Came;
use super::forward::Forward;
use super::verdict::{Secrets, Verdict};
use crate::chance::SystemChance;
use crate::clock::SystemClock;

/// The largest body that is received, in bytes: more than Postrider accepts from a producer.
const MAX_BODY: usize = 4 << 20;

/// How requests are answered.
pub(super) struct Receiver {
    pub(super) status: u16,
    pub(super) fail_percent: u8,
    pub(super) delay: Duration,
    pub(super) secrets: Secrets,
    pub(super) forward: Option<Forward>,
    pub(super) chance: Mutex<SystemChance>,
    pub(super) came: mpsc::Sender<Came>,
}

/// Takes one request.
pub(super) async fn receive(
    State(receiver): State<Arc<Receiver>>,
    request: Request<Body>,
) -> Response {
    let at = SystemClock.now();
    let (parts, body) = request.into_parts();
    let Ok(body) = Limited::new(body, MAX_BODY).collect().await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let body = body.to_bytes();
    let verdict = receiver.secrets.verdict(&parts.headers, &body, at);
    if !receiver.delay.is_zero() {
        tokio::time::sleep(receiver.delay).await;
    }
    let (status, answer) = receiver.answer(&verdict, &parts, &body).await;
    let came = Came {
        at,
        method: parts.method,
        uri: parts.uri,
        headers: parts.headers,
        body,
        verdict,
        status: status.as_u16(),
    };
    // Nobody prints any more: the process ends.
    drop(receiver.came.send(came).await);
    (status, answer).into_response()
}

impl Receiver {
    async fn answer(
        &self,
        verdict: &Verdict,
        parts: &http::request::Parts,
        body: &Bytes,
    ) -> (StatusCode, Bytes) {
        if matches!(verdict, Verdict::Invalid(_)) {
            return (
                StatusCode::UNAUTHORIZED,
                Bytes::from_static(b"signature refused\n"),
            );
        }
        if self.chance.lock().below(100) < u64::from(self.fail_percent) {
            let said = Bytes::from_static(b"failing on purpose\n");
            return (StatusCode::INTERNAL_SERVER_ERROR, said);
        }
        match &self.forward {
            Some(forward) => forward.hand_on(parts, body).await,
            None => {
                let status = StatusCode::from_u16(self.status);
                (status.unwrap_or(StatusCode::OK), Bytes::new())
            }
        }
    }
}
