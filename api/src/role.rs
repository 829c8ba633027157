//! The role: configuration, what it needs, what it gives.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use control::Control;
use domain::chance::Chance;
use domain::sealing::Sealer;
use domain::target::Rules;
use domain::time::Clock;
use eventlog_port::{EventLog, TopicError};
use parking_lot::Mutex;
use projections_port::Views;
use schemas::topics::Topic;
use tokio_util::sync::CancellationToken;

use crate::router;
use crate::shared::Shared;

/// What an operator decides.
#[derive(Clone, Debug)]
pub struct Config {
    /// Which URLs an endpoint may have. The same as the dispatchers', or an endpoint is taken that
    /// nobody dials.
    pub rules: Rules,
    /// How long `events` are kept at least. A retry schedule that may be longer is refused: its last
    /// attempts would have nothing to send.
    pub events_retention: Duration,
}

impl Default for Config {
    /// Public addresses, events kept for 30 days.
    fn default() -> Self {
        Self {
            rules: Rules::default(),
            events_retention: Duration::from_secs(30 * 86_400),
        }
    }
}

/// What the role needs.
pub struct Deps {
    /// Payloads are read from it, changes written to it.
    pub log: Arc<dyn EventLog>,
    /// Endpoints as they are; somebody runs its follower.
    pub control: Control,
    /// What everything else is read from.
    pub views: Arc<dyn Views>,
    /// Stamps what is made.
    pub clock: Arc<dyn Clock>,
    /// For ids, secrets and nonces: fit for keys.
    pub chance: Box<dyn Chance>,
    /// Seals secrets and custom headers; with the key that dispatchers open them with.
    pub sealer: Arc<Sealer>,
}

/// The log could not say what topics it has.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// It could not be asked.
    #[error(transparent)]
    Topics(#[from] TopicError),
    /// The topic of events isn't there: endpoints would have nowhere to live.
    #[error("the log has no topic {0}")]
    Missing(Topic),
}

/// Why the role ended. It has no work of its own that could fail.
#[derive(Debug, thiserror::Error)]
pub enum Error {}

/// The api.
pub struct Role {
    shared: Arc<Shared>,
}

/// Makes the role. The topics have to be there; how many partitions each has is read here, once.
///
/// # Errors
/// When the log can't be asked, or lacks `events`.
pub async fn build(config: Config, deps: Deps) -> Result<Role, BuildError> {
    let mut partitions = BTreeMap::new();
    for topic in deps.log.topics().await? {
        if let Ok(name) = topic.spec.name.parse() {
            partitions.insert(name, topic.spec.partitions);
        }
    }
    if !partitions.contains_key(&Topic::Events) {
        return Err(BuildError::Missing(Topic::Events));
    }
    let writer = control::Writer::new(Arc::clone(&deps.log), deps.control.clone());
    let shared = Shared {
        config,
        writer,
        log: deps.log,
        control: deps.control,
        views: deps.views,
        clock: deps.clock,
        chance: Mutex::new(deps.chance),
        sealer: deps.sealer,
        partitions,
    };
    Ok(Role {
        shared: Arc::new(shared),
    })
}

impl Role {
    /// The routes under `/api/v1`, and those at the root that the interface names and that aren't
    /// built. `POST /api/v1/events` and `POST /api/v1/events/batch` are not
    /// among them, and neither is a fallback: see [`with_fallbacks`](crate::with_fallbacks).
    pub fn router(&self) -> Router {
        router::routes().with_state(Arc::clone(&self.shared))
    }

    /// Runs until `shutdown`. All work is done in requests, which end with the server that takes
    /// them; dropping one is safe.
    ///
    /// # Errors
    /// None today.
    pub async fn run(self, shutdown: CancellationToken) -> Result<(), Error> {
        shutdown.cancelled().await;
        Ok(())
    }
}
