//! Attempts as the dispatcher makes them, from an event, an endpoint and its secrets.

use std::collections::BTreeMap;

use anyhow::Context;
use bytes::Bytes;
use dispatcher::outgoing::{OpenedSecrets, outgoing};
use domain::chance::Seeded;
use domain::sealing::{self, Sealer};
use domain::time::{Clock, Timestamp};
use schemas::actor::Actor;
use schemas::control::{
    Algorithm, Change, Endpoint, EndpointChange, EndpointState, OnDeadLetter, Ordering, RetryOn,
    RetrySettings, Schedule, Secret, Signing,
};
use schemas::event::{Addressed, Envelope, Priority};
use schemas::ids::{DeliveryId, EndpointId};
use schemas::origin::{Acceptance, Run};
use schemas::scalar::{At, Sealed};

/// The machine's time, which other people's libraries look at.
///
/// # Panics
/// Before 1970.
#[must_use]
#[allow(
    clippy::disallowed_methods,
    reason = "the libraries look at the machine's clock"
)]
pub fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let millis = since.expect("it is later than 1970").as_millis();
    Timestamp::from_millis(i64::try_from(millis).unwrap_or(i64::MAX))
}

/// The clock of [`now`].
#[derive(Clone, Copy, Debug)]
pub struct MachineClock;

impl Clock for MachineClock {
    fn now(&self) -> Timestamp {
        now()
    }
}

/// A first attempt.
#[derive(Clone, Copy, Debug)]
pub struct Attempt<'a> {
    /// The endpoint's secrets, newest first.
    pub secrets: &'a [&'a str],
    /// The event's type.
    pub event_type: &'a str,
    /// The payload.
    pub body: &'a [u8],
    /// When it is signed.
    pub at: Timestamp,
}

impl Attempt<'_> {
    /// The endpoint that it goes to.
    #[must_use]
    pub fn endpoint() -> EndpointId {
        EndpointId::new(Timestamp::from_millis(7), 7)
    }

    /// Its headers, signatures in both forms among them.
    ///
    /// # Errors
    /// When a secret or the event's type is none.
    pub fn headers(&self) -> anyhow::Result<http::HeaderMap> {
        let endpoint = endpoint(self.secrets)?;
        let opened = OpenedSecrets::open(&sealer(), &endpoint)?;
        let delivery =
            DeliveryId::derive(Acceptance::events(0, 5), self.at, endpoint.id, Run::First);
        let event = self.event()?;
        let made = outgoing(&event, &delivery, &endpoint, &opened, 1, self.at);
        Ok(made.headers)
    }

    fn event(&self) -> anyhow::Result<Addressed> {
        Ok(Addressed {
            endpoint: Self::endpoint(),
            tenant: "default".parse()?,
            id: "evt_0190a1b2-c3d4-7e5f-8a6b-7c8d9e0f1a2b".parse()?,
            envelope: Envelope {
                event_type: self.event_type.parse()?,
                source: "postrider".parse()?,
                time: None,
                content_type: None,
                trace_parent: None,
                trace_state: None,
                tags: None,
                given_id: None,
                extensions: Vec::new(),
            },
            ordering_key: None,
            priority: Priority::Normal,
            payload: Bytes::copy_from_slice(self.body),
        })
    }
}

fn sealer() -> Sealer {
    Sealer::new([1; 32])
}

fn secret(name: String, text: &str) -> Secret {
    let context = sealing::context(&Attempt::endpoint().to_string(), &name);
    let sealed = sealer().seal(text.as_bytes(), &context, &mut Seeded::new(1));
    Secret {
        id: name,
        sealed: Sealed(sealed.into()),
        until: None,
    }
}

fn endpoint(secrets: &[&str]) -> anyhow::Result<Endpoint> {
    let named = |(n, text): (usize, &&str)| secret(format!("k{n}"), text);
    Ok(Endpoint {
        change: Change {
            tenant: "default".parse()?,
            replaces: None,
            by: Actor::Local,
            request_id: None,
        },
        did: EndpointChange::Created,
        id: Attempt::endpoint(),
        partition: 0,
        created_at: At(Timestamp::from_millis(7)),
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
            schedule: Schedule::Seconds(vec![5]),
            jitter: 0.1.try_into().ok().context("a share")?,
            retry_on: RetryOn::Transient,
        },
        circuit: None,
        signing: Signing::Both,
        algorithm: Algorithm::HmacSha256,
        secrets: secrets.iter().enumerate().map(named).collect(),
        custom_headers: BTreeMap::new(),
        metadata: BTreeMap::new(),
    })
}
