//! The rows, and what is done to them under one lock.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use domain::time::Timestamp;
use schemas::ids::{DeliveryId, EndpointId, EventId};
use schemas::text::TenantId;
use schemas::topics::Topic;

use crate::dump::{Row, RowKey};
use crate::ledger::Ledger;
use crate::page::{Cursor, Page, PageRequest};
use crate::row::{DeliveryRow, DeliveryState, Ending, EndpointRow, EventRow, MinuteRow, minute_of};
use crate::views::{Batch, DeliveryChange, EventChange, Progress, Selection, Sought, ViewError};
use crate::walk::Walk;

pub(super) struct State {
    events: BTreeMap<(TenantId, Cursor), EventRow>,
    event_ids: BTreeSet<(TenantId, EventId, Cursor)>,
    deliveries: BTreeMap<(TenantId, Cursor), DeliveryRow>,
    delivery_ids: BTreeMap<DeliveryId, (TenantId, Cursor)>,
    of_endpoint: BTreeMap<(EndpointId, Cursor), TenantId>,
    pub(super) minutes: BTreeMap<(EndpointId, Timestamp), MinuteRow>,
    pub(super) endpoints: BTreeMap<EndpointId, EndpointRow>,
    pub(super) ledger: Ledger,
    pub(super) progress: BTreeMap<(Topic, u32), Progress>,
    pub(super) expired: Timestamp,
}

impl Default for State {
    fn default() -> Self {
        Self {
            events: BTreeMap::new(),
            event_ids: BTreeSet::new(),
            deliveries: BTreeMap::new(),
            delivery_ids: BTreeMap::new(),
            of_endpoint: BTreeMap::new(),
            minutes: BTreeMap::new(),
            endpoints: BTreeMap::new(),
            ledger: Ledger::default(),
            progress: BTreeMap::new(),
            expired: Timestamp::from_millis(i64::MIN),
        }
    }
}

impl State {
    pub(super) fn event(&self, tenant: &TenantId, id: &EventId) -> Option<EventRow> {
        let first = Cursor::first_at(Timestamp::from_millis(i64::MIN));
        let from = (tenant.clone(), id.clone(), first);
        let mine = |key: &&(TenantId, EventId, Cursor)| key.0 == *tenant && key.1 == *id;
        let places: Vec<_> = self.event_ids.range(from..).take_while(mine).collect();
        let row = |key: &&(TenantId, EventId, Cursor)| self.events.get(&(key.0.clone(), key.2));
        let mut rows = places.iter().rev().filter_map(row);
        let last = rows.clone().next();
        let first_of_its_key = rows.find(|row| matches!(row.ending, Ending::Routed(_)));
        first_of_its_key.or(last).cloned()
    }

    pub(super) fn by_id(&self, id: &DeliveryId) -> Option<&DeliveryRow> {
        self.deliveries.get(self.delivery_ids.get(id)?)
    }

    pub(super) fn shown(&self, row: &DeliveryRow) -> DeliveryRow {
        let partition = (Topic::Attempts, row.place.partition);
        let epoch = self.progress.get(&partition).map_or(0, |p| p.epoch);
        row.clone().shown(epoch)
    }

    pub(super) fn endpoint(&self, endpoint: &EndpointId) -> Option<EndpointRow> {
        let mut row = *self.endpoints.get(endpoint)?;
        let minute = row.last_success.map(|at| (*endpoint, minute_of(at)));
        let minute = minute.and_then(|key| self.minutes.get(&key));
        row.last_success = row
            .last_success
            .max(minute.and_then(|row| row.last_success));
        Some(row)
    }

    pub(super) fn has_passed(&self, ends: &BTreeMap<(Topic, u32), u64>) -> bool {
        let offset = |partition| self.progress.get(partition).map_or(0, |p| p.offset);
        ends.iter()
            .all(|(partition, end)| offset(partition) >= *end)
    }

    pub(super) fn delivery_page(
        &self,
        tenant: &TenantId,
        selection: &Selection,
        request: &PageRequest,
    ) -> Page<DeliveryRow> {
        let walk = Walk::new(request, selection);
        let row = |cursor: Cursor| {
            let row = self.deliveries.get(&(tenant.clone(), cursor))?;
            Some(self.shown(row)).filter(|row| selection.fits_delivery(row))
        };
        let cursors = self.delivery_cursors(&walk, tenant, selection.endpoint);
        page(&walk, cursors.map(|cursor| (cursor, row(cursor))))
    }

    pub(super) fn event_page(
        &self,
        tenant: &TenantId,
        selection: &Selection,
        request: &PageRequest,
    ) -> Page<EventRow> {
        let walk = Walk::new(request, selection);
        let row = |cursor: Cursor| {
            let row = self.events.get(&(tenant.clone(), cursor))?;
            let fits = selection.fits_event(row) && self.status_fits(row, selection);
            fits.then(|| row.clone())
        };
        if selection.endpoint.is_some() {
            let mut last = None;
            let deliveries = self.delivery_cursors(&walk, tenant, selection.endpoint);
            let events = deliveries.map(Cursor::of_event);
            let new =
                |event: &Cursor| !walk.is_begin(*event) && last.replace(*event) != Some(*event);
            return page(&walk, events.filter(new).map(|event| (event, row(event))));
        }
        let range = walk_range(&self.events, tenant, &walk);
        page(&walk, range.map(|((_, cursor), _)| (*cursor, row(*cursor))))
    }

    fn status_fits(&self, row: &EventRow, selection: &Selection) -> bool {
        let Some(wanted) = &selection.status else {
            return true;
        };
        let states: Vec<DeliveryState> = row
            .deliveries()
            .filter_map(|id| self.by_id(&id))
            .map(|row| row.state)
            .collect();
        row.status(&states) == wanted
    }

    fn delivery_cursors<'a>(
        &'a self,
        walk: &Walk,
        tenant: &TenantId,
        endpoint: Option<EndpointId>,
    ) -> Box<dyn Iterator<Item = Cursor> + 'a> {
        match endpoint {
            Some(endpoint) => {
                let range = walk_range(&self.of_endpoint, &endpoint, walk);
                Box::new(range.map(|((_, cursor), _)| *cursor))
            }
            None => {
                let range = walk_range(&self.deliveries, tenant, walk);
                Box::new(range.map(|((_, cursor), _)| *cursor))
            }
        }
    }

    pub(super) fn write(&mut self, batch: Batch) -> Result<(), ViewError> {
        for advance in &batch.progress {
            let partition = (advance.topic, advance.partition);
            let there = self.progress.get(&partition).map(|p| p.offset);
            if there.is_some_and(|there| there != advance.from) {
                return Err(ViewError::Overtaken {
                    topic: advance.topic,
                    partition: advance.partition,
                    there: there.unwrap_or_default(),
                    from: advance.from,
                });
            }
        }
        let expired = self.expired;
        let young = |at: Timestamp| at >= expired;
        let events = batch.events.into_iter();
        events
            .filter(|change| young(change.row.accepted_at))
            .for_each(|change| self.put_event(change));
        let deliveries = batch.deliveries.into_iter();
        deliveries
            .filter(|change| young(change.row.accepted_at))
            .for_each(|change| self.put_delivery(change));
        let routed = batch.routed.into_iter();
        routed
            .filter(|row| young(row.accepted_at))
            .for_each(|row| self.put_routed(row));
        batch
            .withdrawn
            .iter()
            .for_each(|sought| self.withdraw(sought));
        let minutes = batch.minutes.into_iter();
        self.minutes.extend(
            minutes
                .filter(|(_, minute, _)| young(*minute))
                .map(|(endpoint, minute, row)| ((endpoint, minute), row)),
        );
        self.endpoints.extend(batch.endpoints);
        let progress = batch.progress.into_iter();
        self.progress
            .extend(progress.map(|advance| ((advance.topic, advance.partition), advance.to)));
        self.ledger.take_moved();
        Ok(())
    }

    fn put_event(&mut self, EventChange { was, row }: EventChange) {
        let (tenant, cursor) = (row.tenant.clone(), row.cursor());
        self.ledger.event(&tenant, was.as_ref(), Some(&row.ending));
        self.event_ids
            .insert((tenant.clone(), row.id.clone(), cursor));
        self.events.insert((tenant, cursor), row);
    }

    fn put_delivery(&mut self, DeliveryChange { was, row }: DeliveryChange) {
        let there = self.by_id(&row.id).map(|row| row.state);
        self.ledger
            .delivery(&row.tenant, row.endpoint, was.or(there), Some(row.state));
        self.insert(row);
    }

    fn put_routed(&mut self, row: DeliveryRow) {
        if self.by_id(&row.id).is_none() {
            self.ledger
                .delivery(&row.tenant, row.endpoint, None, Some(row.state));
            self.insert(row);
        }
    }

    fn insert(&mut self, row: DeliveryRow) {
        let place = (row.tenant.clone(), row.cursor());
        self.of_endpoint
            .insert((row.endpoint, row.cursor()), row.tenant.clone());
        self.delivery_ids.insert(row.id, place.clone());
        self.deliveries.insert(place, row);
    }

    fn withdraw(&mut self, sought: &Sought) {
        let row = self.by_id(&sought.id).cloned();
        if let Some(row) = row.filter(DeliveryRow::is_only_routed) {
            self.remove(&row);
        }
    }

    fn remove(&mut self, row: &DeliveryRow) {
        self.ledger
            .delivery(&row.tenant, row.endpoint, Some(row.state), None);
        self.delivery_ids.remove(&row.id);
        self.of_endpoint.remove(&(row.endpoint, row.cursor()));
        self.deliveries.remove(&(row.tenant.clone(), row.cursor()));
    }

    pub(super) fn expire(&mut self, before: Timestamp, limit: usize) -> bool {
        self.expired = self.expired.max(before);
        let expired = self.expired;
        let old = |cursor: &Cursor| cursor.accepted_at < expired;
        let deliveries = self.deliveries.values().filter(|row| old(&row.cursor()));
        let deliveries: Vec<_> = deliveries.take(limit).cloned().collect();
        deliveries.iter().for_each(|row| self.remove(row));
        let mut left = limit - deliveries.len();
        let events = self.events.values().filter(|row| old(&row.cursor()));
        let events: Vec<_> = events.take(left).cloned().collect();
        left -= events.len();
        for row in events {
            self.ledger.event(&row.tenant, Some(&row.ending), None);
            self.events.remove(&(row.tenant.clone(), row.cursor()));
            self.event_ids
                .remove(&(row.tenant.clone(), row.id.clone(), row.cursor()));
        }
        let minutes = self.minutes.keys().filter(|(_, minute)| *minute < expired);
        let minutes: Vec<_> = minutes.take(left).copied().collect();
        left -= minutes.len();
        minutes
            .iter()
            .for_each(|key| drop(self.minutes.remove(key)));
        self.ledger.take_moved();
        left == 0
    }

    pub(super) fn dump(&self, after: Option<&RowKey>, limit: usize) -> Vec<Row> {
        let events = self.events.values().cloned().map(Row::Event);
        let deliveries = self.deliveries.values().cloned().map(Row::Delivery);
        let minutes = self.minutes.iter();
        let minutes = minutes.map(|((endpoint, at), row)| Row::Minute(*endpoint, *at, row.clone()));
        let endpoints = self.endpoints.iter();
        let endpoints = endpoints.map(|(endpoint, row)| Row::Endpoint(*endpoint, *row));
        let counts = self.ledger.of_deliveries();
        let counts = counts.map(|((tenant, endpoint), counts)| {
            Row::Accounting(tenant.clone(), *endpoint, *counts)
        });
        let undelivered = self.ledger.of_events();
        let undelivered =
            undelivered.map(|(tenant, counts)| Row::Undelivered(tenant.clone(), *counts));
        events
            .chain(deliveries)
            .chain(minutes)
            .chain(endpoints)
            .chain(counts)
            .chain(undelivered)
            .filter(|row| after.is_none_or(|after| row.key() > *after))
            .take(limit)
            .collect()
    }
}

fn page<R>(walk: &Walk, rows: impl Iterator<Item = (Cursor, Option<R>)>) -> Page<R> {
    let rows = rows.map(Ok::<_, std::convert::Infallible>);
    match walk.page(rows) {
        Ok(page) => page,
        Err(never) => match never {},
    }
}

/// The entries of `owner` within the walk, in its direction.
fn walk_range<'a, K: Ord + Clone, V>(
    map: &'a BTreeMap<(K, Cursor), V>,
    owner: &K,
    walk: &Walk,
) -> Box<dyn Iterator<Item = (&'a (K, Cursor), &'a V)> + 'a> {
    if walk.is_empty() {
        return Box::new(std::iter::empty());
    }
    let first = Cursor::first_at(Timestamp::from_millis(i64::MIN));
    let bound = |bound: Bound<Cursor>| bound.map(|cursor| (owner.clone(), cursor));
    let lower = match bound(walk.lower) {
        Bound::Unbounded => Bound::Included((owner.clone(), first)),
        given @ (Bound::Included(_) | Bound::Excluded(_)) => given,
    };
    let owner = owner.clone();
    let mine = move |entry: &(&(K, Cursor), &V)| entry.0.0 == owner;
    if !walk.descending {
        let upper = bound(walk.upper);
        return Box::new(map.range((lower, upper)).take_while(mine));
    }
    match bound(walk.upper) {
        Bound::Unbounded => {
            let all: Vec<_> = map
                .range((lower, Bound::Unbounded))
                .take_while(mine)
                .collect();
            Box::new(all.into_iter().rev())
        }
        upper @ (Bound::Included(_) | Bound::Excluded(_)) => {
            Box::new(map.range((lower, upper)).rev().take_while(mine))
        }
    }
}
