//! Taking events: one request, one append (`docs/protocol.md`, W1).

mod repeats;

use std::sync::Arc;
use std::time::Duration;

use control::Control;
use domain::chance::{Chance, Seeded};
use domain::time::Clock;
use eventlog_port::{Appended, EventLog, TopicError, TopicPartition};
use parking_lot::Mutex;
use projections_port::{First, KeyScope, Keys};
use prometheus_client::registry::Registry;
use schemas::ids::EventId;
use schemas::inbox::{Route, Routes};
use schemas::origin::Acceptance;
use schemas::text::TenantId;
use schemas::topics::Topic;
use sha2::{Digest as _, Sha256};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use crate::appender::{Appender, Bounds};
use crate::event::{NewEvent, Receipt, Refused};
use crate::limits::{MAX_IDEMPOTENCY_WINDOW, RECENT_KEYS};
use crate::metrics::Metrics;
use crate::placement::{Partitions, partition_of};
use crate::plan::{self, Found, Taken};
use crate::recent::{Earlier, Recent};

/// How ingest behaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// For how long after the first an event with the same idempotency key is the same event; 72 h at
    /// most.
    pub idempotency_window: Duration,
    /// How many events may be on their way into the log at once.
    pub max_in_flight: u32,
    /// How long a request waits for its turn when so many are; then 503.
    pub append_wait: Duration,
    /// How long a request waits for the log to confirm; then 503.
    pub confirm_within: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            idempotency_window: Duration::from_secs(24 * 3_600),
            max_in_flight: 8_192,
            append_wait: Duration::from_millis(500),
            confirm_within: Duration::from_secs(10),
        }
    }
}

/// What ingest needs.
pub struct Deps<'a> {
    /// The log.
    pub log: Arc<dyn EventLog>,
    /// The wall clock.
    pub clock: Arc<dyn Clock>,
    /// Where ids come from: one draw seeds their source.
    pub chance: Box<dyn Chance>,
    /// Endpoints. Its follower has to run for anything to be accepted.
    pub control: Control,
    /// Which records were the first of their idempotency key.
    pub keys: Arc<dyn Keys>,
    /// Where metrics are registered.
    pub registry: &'a mut Registry,
}

/// Ingest can't be built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The log could not say what topics it has.
    #[error(transparent)]
    Log(#[from] TopicError),
    /// A topic is not there.
    #[error("there is no topic {0}")]
    NoTopic(Topic),
    /// The window is over its bound.
    #[error("an idempotency window is 72 h at most")]
    WindowTooLong,
}

/// Takes events. Clones share everything.
#[derive(Clone)]
pub struct Ingest(Arc<Inner>);

struct Inner {
    config: Config,
    log: Arc<dyn EventLog>,
    clock: Arc<dyn Clock>,
    control: Control,
    keys: Arc<dyn Keys>,
    ids: Mutex<Seeded>,
    recent: Mutex<Recent>,
    appender: Appender,
    inbox: Partitions,
    events: Partitions,
    metrics: Metrics,
}

/// Builds ingest. Asks the log for the partitions of `inbox` and `events`.
///
/// # Errors
/// When the log can't say, lacks a topic, or the configuration is out of bounds.
pub async fn build(config: Config, mut deps: Deps<'_>) -> Result<Ingest, BuildError> {
    if config.idempotency_window > MAX_IDEMPOTENCY_WINDOW {
        return Err(BuildError::WindowTooLong);
    }
    let inbox = Partitions::read(&*deps.log, Topic::Inbox).await?;
    let events = Partitions::read(&*deps.log, Topic::Events).await?;
    let bounds = Bounds {
        max_in_flight: config.max_in_flight,
        append_wait: config.append_wait,
        confirm_within: config.confirm_within,
    };
    Ok(Ingest(Arc::new(Inner {
        appender: Appender::new(Arc::clone(&deps.log), bounds),
        metrics: Metrics::register(deps.registry),
        ids: Mutex::new(Seeded::new(deps.chance.next_u64())),
        recent: Mutex::new(Recent::new(RECENT_KEYS)),
        log: deps.log,
        clock: deps.clock,
        control: deps.control,
        keys: deps.keys,
        config,
        inbox,
        events,
    })))
}

impl Ingest {
    /// Waits for `shutdown`, then until what was accepted has its answer. Whoever serves requests
    /// stops taking them before that. Cancelling leaves requests under way unanswered.
    pub async fn run(self, shutdown: CancellationToken) {
        shutdown.cancelled().await;
        self.0.appender.close().await;
    }

    /// The wall clock, which `deliver_after` in seconds counts from.
    pub(crate) fn clock(&self) -> &dyn Clock {
        &*self.0.clock
    }

    pub(crate) fn metrics(&self) -> &Metrics {
        &self.0.metrics
    }

    /// Takes an event of `tenant`. When this returns a receipt, the event is durable. Dropping the
    /// call leaves it accepted or not, as a lost answer does.
    ///
    /// # Errors
    /// Why it was not accepted. After [`Refused::Unconfirmed`] it may be in the log all the same.
    pub async fn accept(&self, tenant: &TenantId, event: NewEvent) -> Result<Receipt, Refused> {
        let begun = Instant::now();
        let taken = self.0.take(tenant, event).await;
        let metrics = &self.0.metrics;
        metrics
            .ingest_seconds
            .observe(begun.elapsed().as_secs_f64());
        match &taken {
            Ok(receipt) => {
                metrics.accepted.inc();
                tracing::debug!(
                    event_id = receipt.event.as_str(),
                    acceptance = %receipt.acceptance,
                    endpoints = receipt.endpoints.len(),
                    duplicate = receipt.duplicate,
                    "event.accepted"
                );
            }
            Err(refused) => metrics.reject(refused.problem().code()),
        }
        taken
    }
}

impl Inner {
    async fn take(&self, tenant: &TenantId, event: NewEvent) -> Result<Receipt, Refused> {
        let found = self.routes(tenant, &event).await?;
        match (event.endpoint, &event.idempotency_key) {
            (Some(_), None) => self.take_addressed(tenant, event, found).await,
            (_, None) => self.take_routed(tenant, event, found, None).await,
            (_, Some(key)) => {
                let key = key.clone();
                self.take_keyed(tenant, event, found, key).await
            }
        }
    }

    /// Where the event goes. What is not known here may be known to the log: it is read to its end.
    async fn routes(&self, tenant: &TenantId, event: &NewEvent) -> Result<Found, Refused> {
        if !self.control.is_fresh() {
            self.read_control().await?;
        }
        let find = || {
            self.control
                .read(|state| plan::routes(state, tenant, event))
        };
        match find() {
            Err(Refused::UnknownEndpoint(_)) => {
                self.read_control().await?;
                find()
            }
            found => found,
        }
    }

    async fn read_control(&self) -> Result<(), Refused> {
        let read = timeout(self.config.append_wait, self.control.read_to_end()).await;
        match read {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => {
                tracing::warn!(%error, "ingest doesn't know which endpoints there are");
                Err(Refused::Unavailable)
            }
            Err(_late) => Err(Refused::Unavailable),
        }
    }

    fn new_id(&self) -> EventId {
        let random = {
            let mut chance = self.ids.lock();
            (u128::from(chance.next_u64()) << 64) | u128::from(chance.next_u64())
        };
        EventId::new(self.clock.now(), random)
    }

    /// One record in `events`, where the endpoint lives.
    async fn take_addressed(
        &self,
        tenant: &TenantId,
        mut event: NewEvent,
        found: Found,
    ) -> Result<Receipt, Refused> {
        let id = event.id.take().unwrap_or_else(|| self.new_id());
        let [route] = <[Route; 1]>::try_from(Vec::from(found.routes))
            .expect("an addressed event has one route");
        let (endpoint, partition) = (route.endpoint, route.partition);
        let taken = self.taken(tenant, &id, event, found.control);
        let record = taken.accepted(route);
        let to = self.events.get(partition).ok_or(Refused::Unavailable)?;
        let appended = self.append(to, record).await?;
        Ok(Receipt {
            event: id,
            duplicate: false,
            acceptance: Acceptance::events(partition, appended.offset),
            accepted_at: appended.appended_at,
            endpoints: vec![endpoint],
        })
    }

    /// One record in `inbox`, which says all of the event's routes.
    async fn take_routed(
        &self,
        tenant: &TenantId,
        mut event: NewEvent,
        found: Found,
        keyed: Option<(KeyScope, [u8; 32])>,
    ) -> Result<Receipt, Refused> {
        let id = event.id.take().unwrap_or_else(|| self.new_id());
        let endpoints: Vec<_> = endpoints(&found.routes);
        let taken = self.taken(tenant, &id, event, found.control);
        let record = taken.inbox(found.routes, self.config.idempotency_window);
        // The record's key says where it goes: ordering key, idempotency key, event id.
        let key = record.key.as_deref().unwrap_or_default();
        let partition = partition_of(key, self.inbox.count());
        let to = self.inbox.get(partition).ok_or(Refused::Unavailable)?;
        let appended = self.append(to, record).await?;
        if let Some((scope, payload_sha256)) = keyed {
            let first = First {
                offset: appended.offset,
                appended_at: appended.appended_at,
                payload_sha256,
                event: id.clone(),
            };
            let endpoints = endpoints.clone();
            self.recent.lock().put(scope, Earlier { first, endpoints });
        }
        Ok(Receipt {
            event: id,
            duplicate: false,
            acceptance: Acceptance::inbox(partition, appended.offset),
            accepted_at: appended.appended_at,
            endpoints,
        })
    }

    fn taken<'a>(
        &self,
        tenant: &'a TenantId,
        id: &'a EventId,
        event: NewEvent,
        control: u64,
    ) -> Taken<'a> {
        Taken {
            tenant,
            id,
            event,
            control,
            now: self.clock.now(),
        }
    }

    async fn append(
        &self,
        to: &TopicPartition,
        record: schemas::Parts,
    ) -> Result<Appended, Refused> {
        let begun = Instant::now();
        let appended = self.appender.append(to, record.into()).await;
        let took = begun.elapsed().as_secs_f64();
        self.metrics.append_seconds.observe(took);
        appended
    }
}

fn endpoints(routes: &Routes) -> Vec<schemas::ids::EndpointId> {
    routes
        .as_slice()
        .iter()
        .map(|route| route.endpoint)
        .collect()
}

fn sha256(payload: &[u8]) -> [u8; 32] {
    Sha256::digest(payload).into()
}
