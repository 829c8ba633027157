//! What all handlers have.

use std::collections::BTreeMap;
use std::sync::Arc;

use control::{Control, Current};
use domain::chance::Chance;
use domain::sealing::Sealer;
use domain::time::{Clock, Timestamp};
use eventlog_port::{EventLog, TopicPartition};
use futures_util::future::try_join_all;
use parking_lot::Mutex;
use problem::Problem;
use projections_port::Views;
use schemas::ids::EndpointId;
use schemas::text::TenantId;
use schemas::topics::Topic;
use tokio::time::timeout;

use crate::failures;
use crate::limits::{CONTROL_WAIT, LOOK_AGAIN_FOR};
use crate::role::Config;

/// What all handlers have.
pub(crate) struct Shared {
    pub(crate) config: Config,
    pub(crate) log: Arc<dyn EventLog>,
    pub(crate) control: Control,
    pub(crate) writer: control::Writer,
    pub(crate) views: Arc<dyn Views>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) chance: Mutex<Box<dyn Chance>>,
    pub(crate) sealer: Arc<Sealer>,
    /// How many partitions each topic has.
    pub(crate) partitions: BTreeMap<Topic, u32>,
}

impl Shared {
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) fn random_128(&self) -> u128 {
        let mut chance = self.chance.lock();
        (u128::from(chance.next_u64()) << 64) | u128::from(chance.next_u64())
    }

    /// `tenant`'s endpoint. One that isn't here is looked for again once `control` is read to its
    /// end as it is now, so a 404 is never given for one that was made elsewhere before.
    pub(crate) async fn endpoint(
        &self,
        tenant: &TenantId,
        id: &EndpointId,
    ) -> Result<Arc<Current>, Problem> {
        if let Some(current) = self.known_endpoint(tenant, id) {
            return Ok(current);
        }
        self.read_control().await?;
        self.known_endpoint(tenant, id)
            .ok_or_else(|| Problem::not_found("endpoint"))
    }

    /// The endpoint that the path names: whatever is no id of one names none.
    pub(crate) async fn endpoint_named(
        &self,
        tenant: &TenantId,
        id: &str,
    ) -> Result<Arc<Current>, Problem> {
        let id = id.parse().map_err(|_| Problem::not_found("endpoint"))?;
        self.endpoint(tenant, &id).await
    }

    fn known_endpoint(&self, tenant: &TenantId, id: &EndpointId) -> Option<Arc<Current>> {
        self.control
            .read(|state| state.endpoint_of(tenant, id).cloned())
    }

    /// Waits until all is applied that `control` held at the call.
    pub(crate) async fn read_control(&self) -> Result<(), Problem> {
        match timeout(CONTROL_WAIT, self.control.read_to_end()).await {
            Ok(read) => read.map_err(|error| failures::of_control(&error)),
            Err(_) => Err(failures::control_is_slow()),
        }
    }

    /// Looks for a row; when it isn't there, once more after the views have passed the ends that
    /// `topics` have now, so that what was just accepted can be read back.
    pub(crate) async fn find<T, L: Future<Output = Result<Option<T>, Problem>>>(
        &self,
        topics: &[Topic],
        look: impl Fn() -> L,
    ) -> Result<Option<T>, Problem> {
        if let Some(row) = look().await? {
            return Ok(Some(row));
        }
        let ends = self.ends(topics).await?;
        match timeout(LOOK_AGAIN_FOR, self.views.passed(&ends)).await {
            Ok(passed) => passed.map_err(|error| failures::of_views(&error))?,
            // They lag. What is there by now is looked at all the same.
            Err(_) => tracing::debug!("views have not passed the log's end in time"),
        }
        look().await
    }

    async fn ends(&self, topics: &[Topic]) -> Result<BTreeMap<(Topic, u32), u64>, Problem> {
        let partitions = topics.iter().flat_map(|topic| {
            let count = self.partitions.get(topic).copied().unwrap_or(0);
            (0..count).map(|partition| (*topic, partition))
        });
        let ends = partitions.map(|(topic, partition)| async move {
            let bounds = self.log.bounds(&TopicPartition::of(topic, partition)).await;
            bounds.map(|bounds| ((topic, partition), bounds.end))
        });
        match try_join_all(ends).await {
            Ok(ends) => Ok(ends.into_iter().collect()),
            Err(error) => Err(failures::of_reading(&error)),
        }
    }
}
