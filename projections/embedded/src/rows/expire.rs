//! Forgetting what is past retention, a bounded number of rows at a time.

use std::collections::BTreeSet;
use std::ops::Bound;

use bytes::Bytes;
use domain::time::Timestamp;
use projections_port::{Cursor, DeliveryRow, EventRow, ViewError};
use schemas::ids::EndpointId;
use schemas::text::TenantId;

use super::write::{put_moved, remove_delivery};
use super::{DELIVERIES, EVENT_IDS, EVENTS, Rows, STATE};
use crate::engine::{Engine, EngineBatch, Snapshot, Space, list_bounds};
use projections_port::encoding::{delivery, event, key, state};

/// What is old, up to a number of rows.
struct Old {
    before: Timestamp,
    left: usize,
    deliveries: Vec<DeliveryRow>,
    events: Vec<EventRow>,
    minutes: Vec<Bytes>,
}

impl Rows {
    /// Forgets at most `limit` rows, and says whether there are more.
    pub(crate) fn expire(&self, before: Timestamp, limit: usize) -> Result<bool, ViewError> {
        let _writing = self.writing.lock();
        let engine = self.engine_to_write()?;
        let result = self.expire_in(&engine, before, limit);
        result.inspect_err(|_| self.slot.fail())
    }

    fn expire_in(
        &self,
        engine: &Engine,
        before: Timestamp,
        limit: usize,
    ) -> Result<bool, ViewError> {
        let (before, tenants, endpoints) = self.whose(before);
        let mut old = Old {
            before,
            left: limit,
            deliveries: Vec::new(),
            events: Vec::new(),
            minutes: Vec::new(),
        };
        let snapshot = engine.snapshot();
        for tenant in &tenants {
            old.find_deliveries(&snapshot, tenant)?;
        }
        for tenant in &tenants {
            old.find_events(&snapshot, tenant)?;
        }
        for endpoint in &endpoints {
            old.find_minutes(&snapshot, endpoint)?;
        }
        let mut batch = engine.batch(4 * limit);
        old.remove(&mut batch);
        let expired = state::encode_moment(before);
        batch.put(STATE, state::EXPIRED_KEY, &expired);
        self.uncount(&old, &mut batch);
        batch.commit(false)?;
        Ok(old.left == 0)
    }

    /// From when on rows stay, and whose rows there are.
    fn whose(&self, before: Timestamp) -> (Timestamp, BTreeSet<TenantId>, BTreeSet<EndpointId>) {
        let mut written = self.written.lock();
        written.expired = written.expired.max(before);
        let of = written.ledger.of_deliveries();
        let endpoints = of.map(|((_, endpoint), _)| *endpoint).collect();
        (written.expired, written.ledger.tenants(), endpoints)
    }

    fn uncount(&self, old: &Old, batch: &mut EngineBatch<'_>) {
        let mut written = self.written.lock();
        let ledger = &mut written.ledger;
        for row in &old.deliveries {
            ledger.delivery(&row.tenant, row.endpoint, Some(row.state), None);
        }
        for row in &old.events {
            ledger.event(&row.tenant, Some(&row.ending), None);
        }
        put_moved(ledger, batch);
    }
}

impl Old {
    /// What of a tenant's list is old, as far as there is room.
    fn of_tenant(
        &self,
        snapshot: &Snapshot<'_>,
        space: Space,
        tenant: &TenantId,
    ) -> impl Iterator<Item = Result<(Cursor, Bytes), ViewError>> + use<> {
        let list = key::tenant(tenant);
        let owner = list.len();
        let end = key::with(list.clone(), &Cursor::first_at(self.before));
        let rows = snapshot.range(space, Bound::Included(list), Bound::Excluded(end), false);
        rows.take(self.left).map(move |row| {
            let (key, value) = row?;
            Ok((key::cursor_behind(&key, owner)?, value))
        })
    }

    fn find_deliveries(
        &mut self,
        snapshot: &Snapshot<'_>,
        tenant: &TenantId,
    ) -> Result<(), ViewError> {
        for row in self.of_tenant(snapshot, DELIVERIES, tenant) {
            let (cursor, value) = row?;
            let row = delivery::decode(tenant.clone(), cursor, &value)?;
            self.deliveries.push(row);
            self.left -= 1;
        }
        Ok(())
    }

    fn find_events(&mut self, snapshot: &Snapshot<'_>, tenant: &TenantId) -> Result<(), ViewError> {
        for row in self.of_tenant(snapshot, EVENTS, tenant) {
            let (cursor, value) = row?;
            let row = event::decode(tenant.clone(), cursor, &value)?;
            self.events.push(row);
            self.left -= 1;
        }
        Ok(())
    }

    fn find_minutes(
        &mut self,
        snapshot: &Snapshot<'_>,
        endpoint: &EndpointId,
    ) -> Result<(), ViewError> {
        let (first, _) = list_bounds(state::minute_key(endpoint, None));
        let end = Bound::Excluded(state::minute_key(endpoint, Some(self.before)));
        for row in snapshot.range(STATE, first, end, false).take(self.left) {
            self.minutes.push(row?.0);
            self.left -= 1;
        }
        Ok(())
    }

    fn remove(&self, batch: &mut EngineBatch<'_>) {
        for row in &self.deliveries {
            remove_delivery(batch, row);
        }
        for row in &self.events {
            let cursor = row.cursor();
            batch.remove(EVENTS, &key::in_tenant(&row.tenant, &cursor));
            let id = key::with(key::event_id(&row.tenant, &row.id), &cursor);
            batch.remove(EVENT_IDS, &id);
        }
        for key in &self.minutes {
            batch.remove(STATE, key);
        }
    }
}
