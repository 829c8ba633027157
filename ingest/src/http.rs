//! The HTTP door: `POST /api/v1/events`, and what is not built yet and says so.

use axum::Router;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use futures_util::future::join_all;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode};
use problem::{Caller, Problem, body};
use schemas::topics::Topic;
use serde::Serialize;
use serde_json::json;

use crate::accept::Ingest;
use crate::cloud_event::{self, Mode};
use crate::event::{NewEvent, Receipt};
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
    accepted(&ingest, request)
        .await
        .unwrap_or_else(IntoResponse::into_response)
}

async fn accepted(ingest: &Ingest, request: Request) -> Result<Response, Problem> {
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
    let body = body::read(body).await.map_err(refused)?;
    let event = match Mode::of(&head.headers) {
        None => request::read(&body, &head.headers, ingest.clock().now()),
        Some(Mode::Batch) => {
            let events = cloud_event::batch(&head.headers, &body).map_err(refused)?;
            return Ok(take_all(ingest, caller, events).await);
        }
        Some(mode) => cloud_event::one(mode, &head.headers, body),
    };
    let taken = ingest.accept(&caller.tenant, event.map_err(refused)?).await;
    taken
        .map(|receipt| answer(&receipt))
        .map_err(|refused| refused.problem())
}

/// One item's answer in that of a batch.
#[derive(Serialize)]
#[serde(untagged)]
enum Item<'a> {
    Taken(Answer<'a>),
    Refused {
        status: &'static str,
        problem: &'a Problem,
    },
}

/// Takes each event that could be read. All are under way at once, in their order.
async fn take_all(
    ingest: &Ingest,
    caller: &Caller,
    events: Vec<Result<NewEvent, Problem>>,
) -> Response {
    let take = |event: Result<NewEvent, Problem>| async {
        match event {
            Ok(event) => {
                let taken = ingest.accept(&caller.tenant, event).await;
                taken.map_err(|refused| refused.problem())
            }
            Err(problem) => {
                ingest.metrics().reject(problem.code());
                Err(problem)
            }
        }
    };
    let taken = join_all(events.into_iter().map(take)).await;
    // Whoever looks at no item must come again, when none could be taken for reasons that pass.
    let passing = |item: &Result<Receipt, Problem>| {
        item.as_ref()
            .err()
            .filter(|problem| problem.status().is_server_error())
            .cloned()
    };
    if let Some(all) = taken.iter().map(passing).collect::<Option<Vec<_>>>()
        && let Some(problem) = all.into_iter().next()
    {
        return problem.into_response();
    }
    let results: Vec<_> = taken.iter().map(item).collect();
    let body = serde_json::to_vec(&json!({ "results": results })).unwrap_or_default();
    accepted_with(body)
}

fn item(taken: &Result<Receipt, Problem>) -> Item<'_> {
    match taken {
        Ok(receipt) => Item::Taken(told(receipt)),
        Err(problem) => Item::Refused {
            status: "refused",
            problem,
        },
    }
}

fn accepted_with(body: Vec<u8>) -> Response {
    let mut response = (StatusCode::ACCEPTED, body).into_response();
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    response
}

fn told(receipt: &Receipt) -> Answer<'_> {
    let position = receipt.acceptance.position();
    let deliveries = receipt
        .deliveries()
        .map(|(delivery_id, endpoint_id)| Delivery {
            delivery_id,
            endpoint_id,
        });
    Answer {
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
    }
}

fn answer(receipt: &Receipt) -> Response {
    let body = serde_json::to_vec(&told(receipt)).unwrap_or_default();
    let mut response = accepted_with(body);
    if receipt.duplicate {
        let repeated = HeaderValue::from_static("true");
        response.headers_mut().insert(REPLAYED, repeated);
    }
    response
}

async fn batch(State(ingest): State<Ingest>) -> Problem {
    let problem = Problem::not_supported_yet("batches are not built yet: send one event a request");
    ingest.metrics().reject(problem.code());
    problem
}
