//! The views: the port's traits over the rows.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use domain::time::Timestamp;
use projections_port::{
    Accounting, Batch, DeliveryRow, EndpointRow, EventRow, Figures, MinuteRow, Page, PageRequest,
    Progress, Row, RowKey, Selection, Sought, Undelivered, ViewError, ViewWriter, Views,
};
use schemas::ids::{DeliveryId, EndpointId, EventId};
use schemas::text::TenantId;
use schemas::topics::Topic;

use crate::rows::Rows;

/// Views on local disk. Looking up one row is done where it is asked; pages and writes, which may wait
/// for the disk, off the runtime's threads.
pub struct EmbeddedViews(Arc<Rows>);

impl EmbeddedViews {
    pub(crate) fn new(rows: Rows) -> Self {
        Self(Arc::new(rows))
    }

    pub(crate) fn rows(&self) -> &Rows {
        &self.0
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Rows) -> Result<T, ViewError> + Send + 'static,
    ) -> Result<T, ViewError> {
        let rows = Arc::clone(&self.0);
        let work = tokio::task::spawn_blocking(move || work(&rows));
        work.await
            .map_err(|ended| ViewError::Unavailable(Box::new(ended)))?
    }
}

#[async_trait]
impl Views for EmbeddedViews {
    async fn event(&self, tenant: &TenantId, id: &EventId) -> Result<Option<EventRow>, ViewError> {
        self.0.event(tenant, id)
    }

    async fn delivery(
        &self,
        tenant: &TenantId,
        id: &DeliveryId,
    ) -> Result<Option<DeliveryRow>, ViewError> {
        self.0.delivery(tenant, id)
    }

    async fn events(
        &self,
        tenant: &TenantId,
        selection: &Selection,
        page: PageRequest,
    ) -> Result<Page<EventRow>, ViewError> {
        let (tenant, selection) = (tenant.clone(), selection.clone());
        self.blocking(move |rows| rows.event_page(&tenant, &selection, &page))
            .await
    }

    async fn deliveries(
        &self,
        tenant: &TenantId,
        selection: &Selection,
        page: PageRequest,
    ) -> Result<Page<DeliveryRow>, ViewError> {
        let (tenant, selection) = (tenant.clone(), selection.clone());
        self.blocking(move |rows| rows.delivery_page(&tenant, &selection, &page))
            .await
    }

    async fn minutes(
        &self,
        endpoint: &EndpointId,
        from: Timestamp,
    ) -> Result<BTreeMap<Timestamp, MinuteRow>, ViewError> {
        let endpoint = *endpoint;
        self.blocking(move |rows| rows.minutes(&endpoint, from))
            .await
    }

    async fn endpoint(&self, endpoint: &EndpointId) -> Result<Option<EndpointRow>, ViewError> {
        self.0.endpoint(endpoint)
    }

    async fn figures(
        &self,
        tenant: &TenantId,
        endpoints: &[EndpointId],
    ) -> Result<Figures, ViewError> {
        Ok(self.0.figures(tenant, endpoints))
    }

    async fn progress(&self) -> Result<BTreeMap<(Topic, u32), Progress>, ViewError> {
        Ok(self.0.progress())
    }

    async fn passed(&self, ends: &BTreeMap<(Topic, u32), u64>) -> Result<(), ViewError> {
        let mut changed = self.0.changed();
        loop {
            changed.mark_unchanged();
            if self.0.has_passed(ends) {
                return Ok(());
            }
            // The sender lives as long as `self`.
            drop(changed.changed().await);
        }
    }
}

#[async_trait]
impl ViewWriter for EmbeddedViews {
    async fn stored(&self, sought: &[Sought]) -> Result<Vec<DeliveryRow>, ViewError> {
        let sought = sought.to_vec();
        self.blocking(move |rows| rows.stored(&sought)).await
    }

    async fn stored_minutes(
        &self,
        wanted: &[(EndpointId, Timestamp)],
    ) -> Result<Vec<MinuteRow>, ViewError> {
        wanted
            .iter()
            .map(|(endpoint, minute)| self.0.stored_minute(endpoint, *minute))
            .collect()
    }

    async fn stored_endpoints(
        &self,
        wanted: &[EndpointId],
    ) -> Result<Vec<Option<EndpointRow>>, ViewError> {
        let stored = |endpoint| self.0.stored_endpoint(endpoint);
        wanted.iter().map(stored).collect()
    }

    async fn write(&self, batch: Batch) -> Result<(), ViewError> {
        batch.check_generation(self.generation())?;
        self.blocking(move |rows| rows.write(batch)).await
    }

    async fn expire(&self, before: Timestamp, limit: usize) -> Result<bool, ViewError> {
        self.blocking(move |rows| rows.expire(before, limit)).await
    }

    async fn expired(&self) -> Result<Timestamp, ViewError> {
        Ok(self.0.expired())
    }

    async fn totals(&self) -> Result<(Accounting, Undelivered), ViewError> {
        Ok(self.0.totals())
    }

    async fn dump(&self, after: Option<&RowKey>, limit: usize) -> Result<Vec<Row>, ViewError> {
        let after = after.cloned();
        self.blocking(move |rows| rows.dump(after.as_ref(), limit))
            .await
    }

    async fn clear(&self) -> Result<(), ViewError> {
        self.blocking(Rows::clear).await
    }
}
