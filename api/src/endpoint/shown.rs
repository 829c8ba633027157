//! An endpoint as clients see it.

use std::collections::BTreeMap;

use axum::response::{IntoResponse, Response};
use control::Current;
use domain::time::Timestamp;
use http::header::ETAG;
use schemas::control::{
    Algorithm, CircuitSettings, DisabledReason, Endpoint, EndpointState, OnDeadLetter, Ordering,
    RetryOn, RetrySettings, Schedule, Secret, Signing,
};
use schemas::ids::EndpointId;
use serde::Serialize;
use serde_json::value::RawValue;

use super::etag::etag;
use super::read_headers::MASK;
use crate::json::Json;
use crate::time::Shown;

/// An endpoint without its secrets, or with the one that was just made.
#[derive(Serialize)]
pub(super) struct ShownEndpoint<'a> {
    id: EndpointId,
    name: Option<&'a str>,
    url: &'a str,
    is_active: bool,
    state: EndpointState,
    disabled_reason: Option<DisabledReason>,
    paused: bool,
    event_types: &'a [String],
    filter: Option<Box<RawValue>>,
    ordering: Ordering,
    ordering_key: Option<&'a str>,
    on_dead_letter: OnDeadLetter,
    max_in_flight: u32,
    rate_limit: Option<u32>,
    timeout_seconds: u32,
    connect_timeout_seconds: u32,
    retry: ShownRetry<'a>,
    circuit: Option<CircuitSettings>,
    signing: Signing,
    algorithm: Algorithm,
    signing_keys: Vec<SigningKey<'a>>,
    custom_headers: BTreeMap<&'a str, &'static str>,
    metadata: &'a BTreeMap<String, String>,
    partition: u32,
    version: u64,
    created_at: Shown,
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<&'a str>,
}

/// A key that signs, by its id.
#[derive(Serialize)]
struct SigningKey<'a> {
    id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<Shown>,
}

/// Both forms of a schedule, each with the members that clients write it with.
#[derive(Serialize)]
struct ShownRetry<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    schedule: Option<&'a [u64]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    initial: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    factor: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_attempts: Option<u32>,
    jitter: f64,
    retry_on: RetryOn,
}

impl<'a> ShownRetry<'a> {
    fn of(retry: &'a RetrySettings) -> Self {
        let mut shown = Self {
            schedule: None,
            initial: None,
            factor: None,
            max: None,
            max_attempts: None,
            jitter: retry.jitter.get(),
            retry_on: retry.retry_on,
        };
        match &retry.schedule {
            Schedule::Seconds(waits) => shown.schedule = Some(waits),
            Schedule::Geometric {
                initial,
                factor,
                max,
                max_attempts,
            } => {
                shown.initial = Some(initial.get());
                shown.factor = Some(factor.get());
                shown.max = Some(max.get());
                shown.max_attempts = Some(*max_attempts);
            }
        }
        shown
    }
}

impl<'a> SigningKey<'a> {
    fn of(secret: &'a Secret) -> Self {
        Self {
            id: &secret.id,
            until: secret.until.map(|until| Shown(until.0)),
        }
    }
}

impl<'a> ShownEndpoint<'a> {
    /// The endpoint, with `secret` if this answer is the one that shows it.
    pub(super) fn of(endpoint: &'a Endpoint, version: u64, secret: Option<&'a str>) -> Self {
        let filter = endpoint.filter.as_ref();
        let masked = |name: &'a String| (name.as_str(), MASK);
        Self {
            id: endpoint.id,
            name: endpoint.name.as_deref(),
            url: &endpoint.url,
            is_active: endpoint.state == EndpointState::Active,
            state: endpoint.state,
            disabled_reason: endpoint.disabled_reason,
            paused: endpoint.paused,
            event_types: &endpoint.event_types,
            filter: filter.and_then(|text| RawValue::from_string(text.as_str().to_owned()).ok()),
            ordering: endpoint.ordering,
            ordering_key: endpoint.ordering_key.as_deref(),
            on_dead_letter: endpoint.on_dead_letter,
            max_in_flight: endpoint.max_in_flight,
            rate_limit: endpoint.rate_limit,
            timeout_seconds: endpoint.timeout_seconds,
            connect_timeout_seconds: endpoint.connect_timeout_seconds,
            retry: ShownRetry::of(&endpoint.retry),
            circuit: endpoint.circuit,
            signing: endpoint.signing,
            algorithm: endpoint.algorithm,
            signing_keys: endpoint.secrets.iter().map(SigningKey::of).collect(),
            custom_headers: endpoint.custom_headers.keys().map(masked).collect(),
            metadata: &endpoint.metadata,
            partition: endpoint.partition,
            version,
            created_at: Shown(endpoint.created_at.0),
            secret,
        }
    }
}

/// 200 with the endpoint as it is.
pub(super) fn answer(current: &Current) -> Response {
    answer_version(&current.endpoint, current.version)
}

/// 200 with the endpoint as it is at `version`.
pub(super) fn answer_version(endpoint: &Endpoint, version: u64) -> Response {
    let body = Json(ShownEndpoint::of(endpoint, version, None));
    ([(ETAG, etag(version))], body).into_response()
}

/// When the endpoint was made.
pub(super) fn created_at(current: &Current) -> Timestamp {
    current.endpoint.created_at.0
}
