//! Reading views, and writing them.

use std::collections::BTreeMap;

use async_trait::async_trait;
use domain::time::Timestamp;
use schemas::dead_letter::DeadLetterReason;
use schemas::ids::{DeliveryId, EndpointId, EventId};
use schemas::text::{EventType, Source, TenantId};
use schemas::topics::Topic;

use crate::page::{Page, PageRequest};
use crate::row::{Accounting, DeliveryRow, DeliveryState, EventRow, MinuteRow};

/// An engine's own error, kept as the source of ours.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A store that could not be read or written. Nothing is lost: rows are folds of the log.
#[derive(Debug, thiserror::Error)]
pub enum ViewError {
    /// It can't be used now; the same call may succeed later.
    #[error("the view store is unavailable: {0}")]
    Unavailable(#[source] BoxError),
    /// What it holds can't be read; rebuilding mends it.
    #[error("the view store is damaged: {0}")]
    Damaged(#[source] BoxError),
}

/// How far one partition of one topic was folded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Everything below this offset is in the rows.
    pub offset: u64,
    /// The highest epoch below it; 0 where nobody fences. A record below it counts for nothing.
    pub epoch: u64,
}

/// Which rows of a list are wanted. What is `None` doesn't matter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// Of this endpoint: the list goes by endpoint and time, else by tenant and time.
    pub endpoint: Option<EndpointId>,
    /// In this state, by its name in the api. For events: `no_route`, `pending`, `partial`, `delivered`
    /// or `failed`.
    pub status: Option<String>,
    /// Of this type.
    pub event_type: Option<EventType>,
    /// From this source. Events only.
    pub source: Option<Source>,
    /// With this label. Events only.
    pub tag: Option<String>,
    /// Whose last attempt was answered so. Deliveries only.
    pub status_code: Option<u16>,
    /// Dead-lettered for this reason. Deliveries only.
    pub reason: Option<DeadLetterReason>,
    /// Accepted later than this.
    pub after: Option<Timestamp>,
    /// Accepted earlier than this.
    pub before: Option<Timestamp>,
}

/// Reads views. Every call sees whole batches, never half of one.
#[async_trait]
pub trait Views: Send + Sync {
    /// The event called `id`.
    ///
    /// # Errors
    /// When the store can't be read.
    async fn event(&self, tenant: &TenantId, id: &EventId) -> Result<Option<EventRow>, ViewError>;

    /// The delivery called `id`, when it is `tenant`'s.
    ///
    /// # Errors
    /// When the store can't be read.
    async fn delivery(
        &self,
        tenant: &TenantId,
        id: &DeliveryId,
    ) -> Result<Option<DeliveryRow>, ViewError>;

    /// A page of `tenant`'s events. `Selection::endpoint` means events that go to it.
    ///
    /// # Errors
    /// When the store can't be read.
    async fn events(
        &self,
        tenant: &TenantId,
        selection: &Selection,
        page: PageRequest,
    ) -> Result<Page<EventRow>, ViewError>;

    /// A page of `tenant`'s deliveries. Dead letters are those in the state `dead_lettered`.
    ///
    /// # Errors
    /// When the store can't be read.
    async fn deliveries(
        &self,
        tenant: &TenantId,
        selection: &Selection,
        page: PageRequest,
    ) -> Result<Page<DeliveryRow>, ViewError>;

    /// What happened at `endpoint` in each minute from the one of `from` on, by its first moment.
    ///
    /// # Errors
    /// When the store can't be read.
    async fn minutes(
        &self,
        endpoint: &EndpointId,
        from: Timestamp,
    ) -> Result<BTreeMap<Timestamp, MinuteRow>, ViewError>;

    /// Where `tenant`'s deliveries stand, in all or at one endpoint.
    ///
    /// # Errors
    /// When the store can't be read.
    async fn accounting(
        &self,
        tenant: &TenantId,
        endpoint: Option<&EndpointId>,
    ) -> Result<Accounting, ViewError>;

    /// How many of `tenant`'s events ended without a delivery: no route, duplicate, conflict.
    ///
    /// # Errors
    /// When the store can't be read.
    async fn undelivered(&self, tenant: &TenantId) -> Result<Undelivered, ViewError>;

    /// How far the log is folded, of every partition that was.
    ///
    /// # Errors
    /// When the store can't be read.
    async fn progress(&self) -> Result<BTreeMap<(Topic, u32), Progress>, ViewError>;

    /// Waits until every partition is folded up to the offset named. Returns at once when it is.
    /// Whoever calls it sets a limit of time by dropping the call.
    ///
    /// # Errors
    /// When the store can't be read.
    async fn passed(&self, ends: &BTreeMap<(Topic, u32), u64>) -> Result<(), ViewError>;
}

/// Events that went nowhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Undelivered {
    /// Nobody subscribed.
    pub no_route: u64,
    /// The same as an earlier one.
    pub duplicate: u64,
    /// The key of an earlier one, with another payload.
    pub conflict: u64,
}

/// What one turn of folding changed. Rows are whole, as they are after it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Batch {
    /// Events that are new, or say something else than before.
    pub events: Vec<EventRow>,
    /// Deliveries that changed, each with the state it had in the store before; `None`: it was not
    /// there.
    pub deliveries: Vec<(Option<DeliveryState>, DeliveryRow)>,
    /// Minutes that changed: endpoint, first moment of the minute.
    pub minutes: Vec<(EndpointId, Timestamp, MinuteRow)>,
    /// How far each partition is folded after it.
    pub progress: Vec<((Topic, u32), Progress)>,
}

/// Writes views. One fold writes the rows of a partition of `events` and all that go with it.
#[async_trait]
pub trait ViewWriter: Views {
    /// The deliveries called `ids` that are there, whoever's they are.
    ///
    /// # Errors
    /// When the store can't be read.
    async fn stored(&self, ids: &[DeliveryId]) -> Result<Vec<DeliveryRow>, ViewError>;

    /// Writes a batch: readers see all of it or none, and after a crash all of it or none is there.
    /// It need not be durable when this returns: what is lost is folded again.
    ///
    /// # Errors
    /// When the store can't be written. Nothing of the batch is seen then.
    async fn write(&self, batch: Batch) -> Result<(), ViewError>;

    /// Forgets every row and all progress.
    ///
    /// # Errors
    /// When the store can't be written.
    async fn clear(&self) -> Result<(), ViewError>;
}
