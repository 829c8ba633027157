//! What becomes of an event: pure, from what is known of endpoints to the record that is appended.

use std::time::Duration;

use bytestring::ByteString;
use control::{ControlState, Current};
use domain::time::Timestamp;
use schemas::accepted::Accepted;
use schemas::event::{Addressed, Envelope};
use schemas::ids::{EndpointId, EventId};
use schemas::inbox::{Door, HttpDoor, InboxEvent, Route, Routes};
use schemas::parts::Parts;
use schemas::text::{ContentType, EventTime, EventType, OrderingKey, Source, TenantId};

use crate::event::{NewEvent, Refused};
use crate::limits::MAX_ROUTES;

/// The source of an event whose producer names none.
pub(crate) const DEFAULT_SOURCE: &str = "postrider";

/// Where an event goes, as of an offset of `control`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) routes: Routes,
    pub(crate) control: u64,
}

/// Finds the endpoints of an event over HTTP.
pub(crate) fn routes(
    state: &ControlState,
    tenant: &TenantId,
    event: &NewEvent,
) -> Result<Found, Refused> {
    let key = event.ordering_key.as_ref();
    let routes = match event.endpoint {
        Some(endpoint) => vec![addressed(state, tenant, endpoint, &event.event_type, key)?],
        None => subscribed(state, tenant, &event.event_type, key),
    };
    if routes.len() > MAX_ROUTES {
        return Err(Refused::TooManyRoutes(routes.len()));
    }
    Ok(Found {
        routes: ascending(routes),
        control: state.end(),
    })
}

/// Finds the endpoints of a Kafka producer's event. Nobody can be told that an endpoint doesn't take it:
/// then it goes nowhere, and is listed so.
pub(crate) fn kafka_routes(
    state: &ControlState,
    tenant: &TenantId,
    event: &InboxEvent,
    endpoint: Option<EndpointId>,
) -> Found {
    let (event_type, key) = (&event.envelope.event_type, event.ordering_key.as_ref());
    let mut routes = match endpoint {
        Some(endpoint) => addressed(state, tenant, endpoint, event_type, key)
            .into_iter()
            .collect(),
        None => subscribed(state, tenant, event_type, key),
    };
    routes.truncate(MAX_ROUTES);
    Found {
        routes: ascending(routes),
        control: state.end(),
    }
}

fn ascending(routes: Vec<Route>) -> Routes {
    Routes::try_from(routes).expect("subscribers ascend by id, each once")
}

fn addressed(
    state: &ControlState,
    tenant: &TenantId,
    id: EndpointId,
    event_type: &EventType,
    key: Option<&OrderingKey>,
) -> Result<Route, Refused> {
    let current = state.endpoint_of(tenant, &id);
    let current = current.ok_or(Refused::UnknownEndpoint(id))?;
    if !current.is_active() {
        Err(Refused::Inactive(id))
    } else if !current.subscribes_to(event_type.as_str()) {
        Err(Refused::NotSubscribed(id))
    } else {
        Ok(route(current, key))
    }
}

fn subscribed(
    state: &ControlState,
    tenant: &TenantId,
    event_type: &EventType,
    key: Option<&OrderingKey>,
) -> Vec<Route> {
    let found = state.subscribers(tenant, event_type.as_str());
    found.iter().map(|current| route(current, key)).collect()
}

fn route(current: &Current, key: Option<&OrderingKey>) -> Route {
    Route {
        endpoint: current.endpoint.id,
        partition: current.endpoint.partition,
        ordering_key: key.cloned(),
    }
}

/// An event with what ingest adds to it.
pub(crate) struct Taken<'a> {
    pub(crate) tenant: &'a TenantId,
    pub(crate) id: &'a EventId,
    pub(crate) event: NewEvent,
    /// Up to where `control` was known.
    pub(crate) control: u64,
    /// When ingest took it.
    pub(crate) now: Timestamp,
}

impl Taken<'_> {
    fn envelope(&self) -> Envelope {
        let event = &self.event;
        let given = &event.attributes;
        let source = || Source::try_from(ByteString::from_static(DEFAULT_SOURCE));
        Envelope {
            event_type: event.event_type.clone(),
            source: event
                .source
                .clone()
                .unwrap_or_else(|| source().expect("the name is a source")),
            time: Some(
                given
                    .time
                    .clone()
                    .unwrap_or_else(|| EventTime::new(self.now)),
            ),
            content_type: Some(given.content_type.clone().unwrap_or_else(json)),
            trace_parent: event.trace_parent.clone(),
            trace_state: event.trace_state.clone(),
            tags: event.tags.clone(),
            given_id: given.given_id.clone(),
            extensions: given.extensions.clone(),
        }
    }

    /// The record of `events` for the one endpoint of `route`.
    pub(crate) fn accepted(self, route: Route) -> Parts {
        let envelope = self.envelope();
        let accepted = Accepted {
            addressed: Addressed {
                endpoint: route.endpoint,
                tenant: self.tenant.clone(),
                id: self.id.clone(),
                envelope,
                ordering_key: route.ordering_key,
                priority: self.event.priority,
                payload: self.event.payload,
            },
            routed: None,
            control: self.control,
            deliver_after: self.event.deliver_after,
            copied_from: None,
        };
        accepted.encode()
    }

    /// The record of `inbox` that says all of `routes`.
    pub(crate) fn inbox(self, routes: Routes, window: Duration) -> Parts {
        let envelope = self.envelope();
        let has_key = self.event.idempotency_key.is_some();
        let window = u64::try_from(window.as_millis()).unwrap_or(u64::MAX);
        let event = InboxEvent {
            door: Door::Http(HttpDoor {
                tenant: self.tenant.clone(),
                id: self.id.clone(),
                routes,
                control: self.control,
                idempotency_window: has_key.then_some(window),
                deliver_after: self.event.deliver_after,
                copied_from: None,
            }),
            envelope,
            idempotency_key: self.event.idempotency_key,
            ordering_key: self.event.ordering_key,
            priority: self.event.priority,
            payload: self.event.payload,
        };
        event.encode()
    }
}

fn json() -> ContentType {
    let text = ByteString::from_static("application/json");
    ContentType::try_from(text).expect("the name is a media type")
}
