//! Records, made of little.

use bytes::Bytes;
use domain::time::Timestamp;
use schemas::attempt::{Attempt, AttemptError, AttemptResult, ErrorClass};
use schemas::delivery::Subject;
use schemas::event::{Addressed, Envelope, Priority};
use schemas::ids::EndpointId;
use schemas::scalar::At;
use schemas::text::TenantId;

use super::OWNED;

/// Endpoint `n`.
pub fn endpoint(n: u64) -> EndpointId {
    EndpointId::new(Timestamp::from_millis(1), u128::from(n))
}

/// The partition that an endpoint lives in.
pub fn partition_of(endpoint: EndpointId) -> u32 {
    let last = endpoint.uuid().as_bytes()[15];
    u32::from(last) % OWNED
}

/// The only tenant.
pub fn tenant() -> TenantId {
    "default".parse().unwrap()
}

pub fn envelope() -> Envelope {
    Envelope {
        event_type: "invoice.paid".parse().unwrap(),
        source: "shop".parse().unwrap(),
        time: None,
        content_type: None,
        trace_parent: None,
        trace_state: None,
        tags: Some("blue".parse().unwrap()),
        given_id: None,
        extensions: Vec::new(),
    }
}

pub fn addressed(event: &str, endpoint: EndpointId) -> Addressed {
    Addressed {
        endpoint,
        tenant: tenant(),
        id: event.parse().unwrap(),
        envelope: envelope(),
        ordering_key: None,
        priority: Priority::Normal,
        payload: Bytes::from_static(b"{}"),
    }
}

pub fn subject(event: &str, endpoint: EndpointId) -> Subject {
    Subject {
        tenant: tenant(),
        endpoint,
        event: event.parse().unwrap(),
        event_type: "invoice.paid".parse().unwrap(),
    }
}

pub fn attempt(number: u32, at: Timestamp, is_good: bool) -> Attempt {
    let error = AttemptError {
        class: ErrorClass::Status,
        message: "500".to_owned(),
    };
    Attempt {
        number,
        started_at: At(at),
        duration_us: 900,
        result: if is_good {
            AttemptResult::Succeeded
        } else {
            AttemptResult::Failed
        },
        status: Some(if is_good { 200 } else { 500 }),
        error: (!is_good).then_some(error),
        headers: vec![("server".to_owned(), "x".to_owned())],
        body: None,
        keys: vec!["key-1".to_owned()],
        address: Some("192.0.2.1:443".to_owned()),
    }
}
