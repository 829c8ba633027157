//! Views and idempotency keys as one life of a process sees them: over its links.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use domain::time::Timestamp;
use projections_port::dump::{Row, RowKey};
use projections_port::{
    Accounting, Batch, DeliveryRow, EndpointRow, EventRow, Figures, First, KeyScope, Keys,
    MinuteRow, Page, PageRequest, Progress, Selection, Sought, Undelivered, ViewError, ViewWriter,
    Views,
};
use schemas::ids::{DeliveryId, EndpointId, EventId};
use schemas::text::TenantId;
use schemas::topics::Topic;

use super::links::{Link, Links};

/// A store, over links.
pub struct NodeStore<S> {
    store: Arc<S>,
    links: Arc<Links>,
}

#[derive(Debug, thiserror::Error)]
#[error("a fault of the world")]
struct Injected;

impl<S> NodeStore<S> {
    /// `store`, as whoever has `links` sees it.
    #[must_use]
    pub fn new(store: Arc<S>, links: Arc<Links>) -> Arc<Self> {
        Arc::new(Self { store, links })
    }

    async fn step(&self) -> Result<&S, ViewError> {
        self.links.step(Link::Store).await;
        if self.links.fails(|failing| failing.store_one_in) {
            return Err(ViewError::Unavailable(Box::new(Injected)));
        }
        Ok(&self.store)
    }
}

#[async_trait]
impl<S: Keys> Keys for NodeStore<S> {
    async fn firsts(&self, wanted: &[(KeyScope, u64)]) -> Result<Vec<Option<First>>, ViewError> {
        self.step().await?.firsts(wanted).await
    }

    async fn put(&self, rows: &[(KeyScope, First)]) -> Result<(), ViewError> {
        self.step().await?.put(rows).await?;
        // Written, and whoever wrote it may never hear.
        self.step().await.map(drop)
    }

    async fn expire(&self, before: Timestamp) -> Result<(), ViewError> {
        self.step().await?.expire(before).await
    }
}

#[async_trait]
impl<S: Views> Views for NodeStore<S> {
    async fn event(&self, tenant: &TenantId, id: &EventId) -> Result<Option<EventRow>, ViewError> {
        self.step().await?.event(tenant, id).await
    }

    async fn delivery(
        &self,
        tenant: &TenantId,
        id: &DeliveryId,
    ) -> Result<Option<DeliveryRow>, ViewError> {
        self.step().await?.delivery(tenant, id).await
    }

    async fn events(
        &self,
        tenant: &TenantId,
        selection: &Selection,
        page: PageRequest,
    ) -> Result<Page<EventRow>, ViewError> {
        self.step().await?.events(tenant, selection, page).await
    }

    async fn deliveries(
        &self,
        tenant: &TenantId,
        selection: &Selection,
        page: PageRequest,
    ) -> Result<Page<DeliveryRow>, ViewError> {
        self.step().await?.deliveries(tenant, selection, page).await
    }

    async fn minutes(
        &self,
        endpoint: &EndpointId,
        from: Timestamp,
    ) -> Result<BTreeMap<Timestamp, MinuteRow>, ViewError> {
        self.step().await?.minutes(endpoint, from).await
    }

    async fn endpoint(&self, endpoint: &EndpointId) -> Result<Option<EndpointRow>, ViewError> {
        self.step().await?.endpoint(endpoint).await
    }

    async fn figures(
        &self,
        tenant: &TenantId,
        endpoints: &[EndpointId],
    ) -> Result<Figures, ViewError> {
        self.step().await?.figures(tenant, endpoints).await
    }

    async fn progress(&self) -> Result<BTreeMap<(Topic, u32), Progress>, ViewError> {
        self.step().await?.progress().await
    }

    async fn passed(&self, ends: &BTreeMap<(Topic, u32), u64>) -> Result<(), ViewError> {
        self.step().await?.passed(ends).await
    }
}

#[async_trait]
impl<S: ViewWriter> ViewWriter for NodeStore<S> {
    async fn stored(&self, sought: &[Sought]) -> Result<Vec<DeliveryRow>, ViewError> {
        self.step().await?.stored(sought).await
    }

    async fn stored_minutes(
        &self,
        wanted: &[(EndpointId, Timestamp)],
    ) -> Result<Vec<MinuteRow>, ViewError> {
        self.step().await?.stored_minutes(wanted).await
    }

    async fn stored_endpoints(
        &self,
        wanted: &[EndpointId],
    ) -> Result<Vec<Option<EndpointRow>>, ViewError> {
        self.step().await?.stored_endpoints(wanted).await
    }

    async fn write(&self, batch: Batch) -> Result<(), ViewError> {
        self.step().await?.write(batch).await?;
        self.links.step(Link::Store).await;
        Ok(())
    }

    async fn expire(&self, before: Timestamp, limit: usize) -> Result<bool, ViewError> {
        self.step().await?.expire(before, limit).await
    }

    async fn expired(&self) -> Result<Timestamp, ViewError> {
        self.step().await?.expired().await
    }

    async fn totals(&self) -> Result<(Accounting, Undelivered), ViewError> {
        self.step().await?.totals().await
    }

    async fn dump(&self, after: Option<&RowKey>, limit: usize) -> Result<Vec<Row>, ViewError> {
        self.step().await?.dump(after, limit).await
    }

    async fn clear(&self) -> Result<(), ViewError> {
        self.step().await?.clear().await
    }
}
