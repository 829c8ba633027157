//! Views and keys in memory: what simulation runs on. Deterministic, and gone with their handles.

mod keys;
mod state;

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use domain::time::Timestamp;
use parking_lot::Mutex;
use schemas::ids::{DeliveryId, EndpointId, EventId};
use schemas::text::TenantId;
use schemas::topics::Topic;
use tokio::sync::Notify;

pub use keys::MemoryKeys;

use self::state::State;
use crate::dump::{Row, RowKey};
use crate::page::{Page, PageRequest};
use crate::row::{Accounting, DeliveryRow, EndpointRow, EventRow, MinuteRow, minute_of};
use crate::views::{
    Batch, Figures, Progress, Selection, Sought, Undelivered, ViewError, ViewWriter, Views,
};

/// Views that live as long as their handles.
#[derive(Default)]
pub struct MemoryViews {
    state: Mutex<State>,
    /// Wakes in the order of waiting, which `watch` does not.
    written: Notify,
    taken: Mutex<BTreeSet<(Topic, u32)>>,
    /// What is told of how far the rows go, where that stands still.
    told: Mutex<Option<BTreeMap<(Topic, u32), Progress>>>,
}

impl MemoryViews {
    /// Empty views.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The partitions that were [taken over](ViewWriter::take).
    #[must_use]
    pub fn taken(&self) -> BTreeSet<(Topic, u32)> {
        self.taken.lock().clone()
    }

    /// From here on rows are written, and their [progress](Views::progress) stands still, as in a store that can't write
    /// both at once: until they are [settled](ViewWriter::settle). Who waits for a place is told all the same.
    pub fn tell_no_more(&self) {
        let progress = self.state.lock().progress.clone();
        *self.told.lock() = Some(progress);
    }
}

#[async_trait]
impl Views for MemoryViews {
    async fn event(&self, tenant: &TenantId, id: &EventId) -> Result<Option<EventRow>, ViewError> {
        Ok(self.state.lock().event(tenant, id))
    }

    async fn delivery(
        &self,
        tenant: &TenantId,
        id: &DeliveryId,
    ) -> Result<Option<DeliveryRow>, ViewError> {
        let state = self.state.lock();
        let row = state.by_id(id).filter(|row| row.tenant == *tenant);
        Ok(row.map(|row| state.shown(row)))
    }

    async fn events(
        &self,
        tenant: &TenantId,
        selection: &Selection,
        page: PageRequest,
    ) -> Result<Page<EventRow>, ViewError> {
        Ok(self.state.lock().event_page(tenant, selection, &page))
    }

    async fn deliveries(
        &self,
        tenant: &TenantId,
        selection: &Selection,
        page: PageRequest,
    ) -> Result<Page<DeliveryRow>, ViewError> {
        Ok(self.state.lock().delivery_page(tenant, selection, &page))
    }

    async fn minutes(
        &self,
        endpoint: &EndpointId,
        from: Timestamp,
    ) -> Result<BTreeMap<Timestamp, MinuteRow>, ViewError> {
        let state = self.state.lock();
        let last = (*endpoint, Timestamp::from_millis(i64::MAX));
        let range = state.minutes.range((*endpoint, minute_of(from))..=last);
        Ok(range.map(|((_, at), row)| (*at, row.clone())).collect())
    }

    async fn endpoint(&self, endpoint: &EndpointId) -> Result<Option<EndpointRow>, ViewError> {
        Ok(self.state.lock().endpoint(endpoint))
    }

    async fn figures(
        &self,
        tenant: &TenantId,
        endpoints: &[EndpointId],
    ) -> Result<Figures, ViewError> {
        Ok(self.state.lock().ledger.figures(tenant, endpoints))
    }

    async fn progress(&self) -> Result<BTreeMap<(Topic, u32), Progress>, ViewError> {
        let told = self.told.lock().clone();
        Ok(told.unwrap_or_else(|| self.state.lock().progress.clone()))
    }

    async fn is_half_written(&self) -> Result<bool, ViewError> {
        Ok(self.told.lock().is_some())
    }

    async fn passed(&self, ends: &BTreeMap<(Topic, u32), u64>) -> Result<(), ViewError> {
        loop {
            let written = self.written.notified();
            if self.state.lock().has_passed(ends) {
                return Ok(());
            }
            written.await;
        }
    }
}

#[async_trait]
impl ViewWriter for MemoryViews {
    async fn stored(&self, sought: &[Sought]) -> Result<Vec<DeliveryRow>, ViewError> {
        let state = self.state.lock();
        let found = sought.iter().filter_map(|sought| state.by_id(&sought.id));
        Ok(found.cloned().collect())
    }

    async fn stored_minutes(
        &self,
        wanted: &[(EndpointId, Timestamp)],
    ) -> Result<Vec<MinuteRow>, ViewError> {
        let state = self.state.lock();
        let find = |key| state.minutes.get(key).cloned().unwrap_or_default();
        Ok(wanted.iter().map(find).collect())
    }

    async fn stored_endpoints(
        &self,
        wanted: &[EndpointId],
    ) -> Result<Vec<Option<EndpointRow>>, ViewError> {
        let state = self.state.lock();
        let find = |key| state.endpoints.get(key).copied();
        Ok(wanted.iter().map(find).collect())
    }

    async fn take(&self, topic: Topic, partition: u32) -> Result<(), ViewError> {
        self.taken.lock().insert((topic, partition));
        Ok(())
    }

    async fn settle(&self) -> Result<(), ViewError> {
        *self.told.lock() = None;
        Ok(())
    }

    async fn write(&self, batch: Batch) -> Result<(), ViewError> {
        batch.check_generation(self.generation())?;
        self.state.lock().write(batch)?;
        self.written.notify_waiters();
        Ok(())
    }

    async fn expire(&self, before: Timestamp, limit: usize) -> Result<bool, ViewError> {
        Ok(self.state.lock().expire(before, limit))
    }

    async fn expired(&self) -> Result<Timestamp, ViewError> {
        Ok(self.state.lock().expired)
    }

    async fn totals(&self) -> Result<(Accounting, Undelivered), ViewError> {
        Ok(self.state.lock().ledger.totals())
    }

    async fn dump(&self, after: Option<&RowKey>, limit: usize) -> Result<Vec<Row>, ViewError> {
        Ok(self.state.lock().dump(after, limit))
    }

    async fn clear(&self) -> Result<(), ViewError> {
        *self.state.lock() = State::default();
        self.written.notify_waiters();
        Ok(())
    }
}
