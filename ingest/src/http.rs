//! The HTTP door: `POST /api/v1/events`, and what is not built yet and says so.

use axum::Router;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, StatusCode};
use problem::{Caller, Problem, body};
use schemas::topics::Topic;
use serde::Serialize;

use crate::accept::Ingest;
use crate::event::Receipt;
use crate::request;

/// The header of an answer that repeats an earlier one.
const REPLAYED: &str = "idempotent-replayed";

impl Ingest {
    /// The routes of this door, with their whole paths. Each request carries a [`Caller`].
    pub fn http(&self) -> Router {
        Router::new()
            .route("/api/v1/events", post(take))
            .route("/api/v1/events/batch", post(batch))
            .with_state(self.clone())
    }
}

/// What a producer is told.
#[derive(Serialize)]
struct Answer<'a> {
    event_id: &'a str,
    status: &'static str,
    duplicate: bool,
    topic: &'static str,
    partition: u32,
    offset: u64,
    deliveries: Vec<Delivery>,
}

#[derive(Serialize)]
struct Delivery {
    delivery_id: schemas::ids::DeliveryId,
    endpoint_id: schemas::ids::EndpointId,
}

async fn take(State(ingest): State<Ingest>, request: Request) -> Response {
    match accepted(&ingest, request).await {
        Ok(receipt) => answer(&receipt),
        Err(problem) => problem.into_response(),
    }
}

async fn accepted(ingest: &Ingest, request: Request) -> Result<Receipt, Problem> {
    let (head, body) = request.into_parts();
    let refused = |problem: Problem| {
        ingest.metrics().reject(problem.code());
        problem
    };
    let Some(caller) = head.extensions.get::<Caller>() else {
        // Nobody found out who asks: whoever serves this door forgot to.
        let problem = Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", "nobody is asking");
        return Err(refused(problem));
    };
    if is_cloud_event(&head.headers) {
        return Err(refused(Problem::not_supported_yet(
            "CloudEvents over HTTP are not built yet: send application/json",
        )));
    }
    let body = body::read(body).await.map_err(refused)?;
    let now = ingest.clock().now();
    let event = request::read(&body, &head.headers, now).map_err(refused)?;
    let taken = ingest.accept(&caller.tenant, event).await;
    taken.map_err(|refused| refused.problem())
}

/// CloudEvents over HTTP: structured or batch by the media type, binary by the version's header.
fn is_cloud_event(headers: &HeaderMap) -> bool {
    const FRONT: &[u8] = b"application/cloudevents";
    let media_type = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes);
    let front = media_type.and_then(|value| value.get(..FRONT.len()));
    front.is_some_and(|front| front.eq_ignore_ascii_case(FRONT))
        || headers.contains_key("ce-specversion")
}

fn answer(receipt: &Receipt) -> Response {
    let position = receipt.acceptance.position();
    let deliveries = receipt
        .deliveries()
        .map(|(delivery_id, endpoint_id)| Delivery {
            delivery_id,
            endpoint_id,
        });
    let answer = Answer {
        event_id: receipt.event.as_str(),
        status: if receipt.endpoints.is_empty() {
            "no_route"
        } else {
            "accepted"
        },
        duplicate: receipt.duplicate,
        topic: if position.topic == Topic::Events {
            "events"
        } else {
            "inbox"
        },
        partition: position.partition,
        offset: position.offset,
        deliveries: deliveries.collect(),
    };
    let body = serde_json::to_vec(&answer).unwrap_or_default();
    let mut response = (StatusCode::ACCEPTED, body).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if receipt.duplicate {
        headers.insert(REPLAYED, HeaderValue::from_static("true"));
    }
    response
}

async fn batch(State(ingest): State<Ingest>) -> Problem {
    let problem = Problem::not_supported_yet("batches are not built yet: send one event a request");
    ingest.metrics().reject(problem.code());
    problem
}
