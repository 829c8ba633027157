//! An endpoint to test with.

use std::collections::BTreeMap;

use domain::retry;
use domain::time::Timestamp;
use schemas::actor::Actor;
use schemas::control::{
    Algorithm, Change, CircuitSettings, Endpoint, EndpointChange, EndpointState, OnDeadLetter,
    Ordering, RetryOn, RetrySettings, Schedule, Signing,
};
use schemas::ids::EndpointId;
use schemas::scalar::{At, Number};

/// As the api makes one of which nothing but the URL is said.
pub(crate) fn endpoint() -> Endpoint {
    Endpoint {
        change: Change {
            tenant: "default".parse().unwrap(),
            replaces: None,
            by: Actor::Local,
            request_id: None,
        },
        did: EndpointChange::Created,
        id: EndpointId::new(Timestamp::default(), 1),
        partition: 0,
        created_at: At(Timestamp::default()),
        state: EndpointState::Active,
        disabled_reason: None,
        paused: false,
        circuit_resets: 0,
        name: None,
        url: "https://example.com/".to_owned(),
        event_types: Vec::new(),
        filter: None,
        ordering: Ordering::None,
        ordering_key: None,
        on_dead_letter: OnDeadLetter::Continue,
        max_in_flight: 20,
        rate_limit: None,
        timeout_seconds: 30,
        connect_timeout_seconds: 10,
        retry: RetrySettings {
            schedule: Schedule::Seconds(retry::STANDARD.to_vec()),
            jitter: Number::try_from(retry::STANDARD_JITTER).unwrap(),
            retry_on: RetryOn::Transient,
        },
        circuit: Some(CircuitSettings {
            failures: 5,
            window_seconds: 60,
            open_seconds: 300,
        }),
        signing: Signing::Both,
        algorithm: Algorithm::HmacSha256,
        secrets: Vec::new(),
        custom_headers: BTreeMap::new(),
        metadata: BTreeMap::new(),
    }
}
