//! The operator: makes endpoints and changes them, whatever goes wrong with the log.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use control::{Control, WriteError, Writer};
use domain::chance::{Chance as _, Seeded};
use domain::sealing::{Sealer, context};
use domain::time::Clock as _;
use eventlog_port::EventLog;
use schemas::actor::Actor;
use schemas::control::{
    Algorithm, Change as ChangeOf, CircuitSettings, Endpoint, EndpointChange, EndpointState, Fact,
    OnDeadLetter, Ordering, RetryOn, RetrySettings, Schedule, Secret, Signing,
};
use schemas::ids::EndpointId;
use schemas::scalar::{At, Number, Sealed};
use tokio::time::sleep;

use super::clock::LogClock;
use super::receivers::{Behaviour, Receivers};
use super::{SECRET_KEY, TENANT};
use crate::plan::{Change, EndpointPlan};

/// Writes `control`.
pub struct Operator {
    control: Control,
    writer: Writer,
    clock: Arc<LogClock>,
    receivers: Arc<Receivers>,
}

impl Operator {
    /// An operator who reads back through `control`.
    #[must_use]
    pub fn new(
        log: Arc<dyn EventLog>,
        control: Control,
        clock: Arc<LogClock>,
        receivers: Arc<Receivers>,
    ) -> Self {
        Self {
            writer: Writer::new(log, control.clone()),
            control,
            clock,
            receivers,
        }
    }

    /// Makes an endpoint on `partition`, and its receiver.
    pub async fn make(
        &self,
        number: usize,
        plan: &EndpointPlan,
        partition: u32,
        chance: &mut Seeded,
    ) -> EndpointId {
        let random = (u128::from(chance.next_u64()) << 64) | u128::from(chance.next_u64());
        let id = EndpointId::new(self.clock.now(), random);
        let url = format!("https://r{number}.example/0");
        self.receivers.set(&url, plan.behaviour.clone());
        let endpoint = endpoint(id, partition, url, plan, chance);
        // Nothing goes wrong with the log yet.
        let _written = self.writer.write(&Fact::Endpoint(Box::new(endpoint))).await;
        id
    }

    /// Changes an endpoint, again and again until the change holds or there is nothing to change.
    pub async fn change(&self, id: &EndpointId, change: Change) {
        for _ in 0..50 {
            if self.control.read_to_end().await.is_err() {
                return;
            }
            let current = self.control.read(|state| state.endpoint(id).cloned());
            let Some(current) = current else { return };
            let Some(next) = changed(&current.endpoint, current.version, change) else {
                return;
            };
            if next.url != current.endpoint.url {
                self.receivers.set(&next.url, Behaviour::Good(10));
            }
            match self.writer.write(&Fact::Endpoint(Box::new(next))).await {
                Ok(_version) => return,
                // It may be there all the same: the next look tells.
                Err(WriteError::Stale | WriteError::Append(_)) => {}
                Err(WriteError::Log(_) | WriteError::Behind(_)) => return,
            }
            sleep(Duration::from_millis(100)).await;
        }
    }
}

/// The endpoint after the change; `None` when it is so already, or can't be changed any more.
fn changed(endpoint: &Endpoint, version: u64, change: Change) -> Option<Endpoint> {
    let mut next = endpoint.clone();
    next.did = EndpointChange::Updated;
    match change {
        Change::Url => {
            let (front, count) = next.url.rsplit_once('/')?;
            // A change that was asked for again while it was on its way is made twice: no harm.
            let count: u32 = count.parse().ok()?;
            next.url = format!("{front}/{}", count + 1);
        }
        Change::Pause => {
            next.did = EndpointChange::Paused;
            next.paused = true;
        }
        Change::Resume => {
            next.did = EndpointChange::Resumed;
            next.paused = false;
        }
        Change::Disable => {
            next.did = EndpointChange::Disabled;
            next.state = EndpointState::Disabled;
            next.disabled_reason = Some(schemas::control::DisabledReason::Operator);
        }
        Change::Enable => {
            next.did = EndpointChange::Enabled;
            next.state = EndpointState::Active;
            next.disabled_reason = None;
        }
        Change::Delete => {
            next.did = EndpointChange::Deleted;
            next.state = EndpointState::Deleted;
        }
        Change::Types => next.event_types = Vec::new(),
    }
    let same = (
        endpoint.state,
        endpoint.paused,
        &endpoint.url,
        &endpoint.event_types,
    ) == (next.state, next.paused, &next.url, &next.event_types);
    next.change.replaces = Some(version);
    (!same && endpoint.state != EndpointState::Deleted).then_some(next)
}

fn endpoint(
    id: EndpointId,
    partition: u32,
    url: String,
    plan: &EndpointPlan,
    chance: &mut Seeded,
) -> Endpoint {
    let sealer = Sealer::new(SECRET_KEY);
    let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let sealed = sealer.seal(secret.as_bytes(), &context(&id.to_string(), "k1"), chance);
    Endpoint {
        change: ChangeOf {
            tenant: TENANT.parse().expect("a tenant's name"),
            replaces: None,
            by: Actor::Local,
            request_id: None,
        },
        did: EndpointChange::Created,
        id,
        partition,
        created_at: At(domain::time::Timestamp::default()),
        state: EndpointState::Active,
        disabled_reason: None,
        paused: false,
        circuit_resets: 0,
        name: None,
        url,
        event_types: plan.types.iter().map(|&of| of.to_owned()).collect(),
        filter: None,
        ordering: Ordering::None,
        ordering_key: None,
        on_dead_letter: OnDeadLetter::Continue,
        max_in_flight: plan.max_in_flight,
        rate_limit: None,
        timeout_seconds: plan.timeout,
        connect_timeout_seconds: plan.timeout,
        retry: RetrySettings {
            schedule: Schedule::Seconds(plan.schedule.clone()),
            jitter: Number::try_from(f64::from(plan.jitter) / 100.0).expect("a number"),
            retry_on: if plan.any_failure {
                RetryOn::AnyFailure
            } else {
                RetryOn::Transient
            },
        },
        circuit: plan
            .circuit
            .map(|(failures, open_seconds)| CircuitSettings {
                failures,
                window_seconds: 60,
                open_seconds,
            }),
        signing: Signing::Both,
        algorithm: Algorithm::HmacSha256,
        secrets: vec![Secret {
            id: "k1".to_owned(),
            sealed: Sealed(Bytes::from(sealed)),
            until: None,
        }],
        custom_headers: BTreeMap::new(),
        metadata: BTreeMap::new(),
    }
}
