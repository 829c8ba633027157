//! Lists, a page at a time.

use projections_port::encoding::{Damage, delivery, event, key};
use projections_port::walk::{MAX_SCAN, Walk};
use projections_port::{Cursor, DeliveryRow, DeliveryState, EventRow, Page, Selection, ViewError};
use schemas::text::TenantId;

use crate::along::Along;
use crate::read::{Epochs, Reading, Stored};
use crate::tables::Table;

impl Reading<'_> {
    pub(crate) async fn delivery_page(
        &self,
        tenant: &TenantId,
        selection: &Selection,
        walk: &Walk,
        epochs: &Epochs,
    ) -> Result<Page<DeliveryRow>, ViewError> {
        let mut rows = Vec::new();
        let mut kept = 0;
        let mut along = self.deliveries(tenant, selection, walk);
        while let Some(chunk) = along.next().await? {
            let found = if selection.endpoint.is_some() {
                self.of_places(tenant, &chunk).await?
            } else {
                decoded(tenant, &chunk)?
            };
            for (cursor, row) in found {
                let row = row.map(|row| epochs.shown(row));
                let row = row.filter(|row| selection.fits_delivery(row));
                kept += usize::from(row.is_some());
                rows.push((cursor, row));
            }
            if kept > walk.limit() || rows.len() >= MAX_SCAN {
                break;
            }
        }
        walk.page(rows.into_iter().map(Ok))
    }

    fn deliveries<'a>(
        &'a self,
        tenant: &TenantId,
        selection: &Selection,
        walk: &Walk,
    ) -> Along<'a> {
        match selection.endpoint {
            Some(endpoint) => {
                let owner = endpoint.uuid().as_bytes().to_vec();
                Along::new(*self, Table::ByEndpoint, owner, walk)
            }
            None => {
                let owner = tenant.as_str().as_bytes().to_vec();
                Along::new(*self, Table::Deliveries, owner, walk)
            }
        }
    }

    /// The deliveries that an endpoint's list names.
    async fn of_places(
        &self,
        tenant: &TenantId,
        chunk: &[Stored],
    ) -> Result<Vec<(Cursor, Option<DeliveryRow>)>, ViewError> {
        let mut wanted = Vec::new();
        for (place, value, _) in chunk {
            if value.is_some() {
                wanted.push((tenant.clone(), key::cursor_behind(place, 0)?));
            }
        }
        let found = self.deliveries_known(&wanted).await?;
        let cursors = wanted.into_iter().map(|(_, cursor)| cursor);
        Ok(cursors.zip(found).collect())
    }

    pub(crate) async fn event_page(
        &self,
        tenant: &TenantId,
        selection: &Selection,
        walk: &Walk,
    ) -> Result<Page<EventRow>, ViewError> {
        let mut rows = Vec::new();
        let mut kept = 0;
        let mut last = None;
        let mut along = match selection.endpoint {
            Some(_) => self.deliveries(tenant, selection, walk),
            None => {
                let owner = tenant.as_str().as_bytes().to_vec();
                Along::new(*self, Table::Events, owner, walk)
            }
        };
        while let Some(chunk) = along.next().await? {
            let mut cursors = Vec::new();
            let mut found = Vec::new();
            for (place, value, _) in chunk {
                let Some(value) = value else { continue };
                let cursor = key::cursor_behind(&place, 0)?.of_event();
                if selection.endpoint.is_none() {
                    found.push(Some(event::decode(tenant.clone(), cursor, &value)?));
                } else if walk.is_begin(cursor) || last.replace(cursor) == Some(cursor) {
                    continue;
                }
                cursors.push((tenant.clone(), cursor));
            }
            if selection.endpoint.is_some() {
                found = self.events_at(&cursors).await?;
            }
            let found = self.fitting(found, selection).await?;
            let cursors = cursors.into_iter().map(|(_, cursor)| cursor);
            let found: Vec<_> = cursors.zip(found).collect();
            kept += found.iter().filter(|(_, row)| row.is_some()).count();
            rows.extend(found);
            if kept > walk.limit() || rows.len() >= MAX_SCAN {
                break;
            }
        }
        walk.page(rows.into_iter().map(Ok))
    }

    /// The events that are wanted of `rows`, each in its place.
    async fn fitting(
        &self,
        rows: Vec<Option<EventRow>>,
        selection: &Selection,
    ) -> Result<Vec<Option<EventRow>>, ViewError> {
        let rows = rows.into_iter();
        let fits = |row: Option<EventRow>| row.filter(|row| selection.fits_event(row));
        let mut rows: Vec<_> = rows.map(fits).collect();
        let Some(wanted) = &selection.status else {
            return Ok(rows);
        };
        let cursors = |row: &EventRow| {
            let (tenant, cursor) = (row.tenant.clone(), row.cursor());
            let at = move |delivery| Cursor {
                delivery: Some(delivery),
                ..cursor
            };
            let deliveries: Vec<_> = row.deliveries().collect();
            deliveries
                .into_iter()
                .map(move |delivery| (tenant.clone(), at(delivery)))
        };
        let places: Vec<_> = rows.iter().flatten().flat_map(cursors).collect();
        let mut states = self.deliveries_known(&places).await?.into_iter();
        for place in &mut rows {
            let Some(row) = place else { continue };
            let states = states.by_ref().take(row.deliveries().count());
            let states: Vec<DeliveryState> = states.flatten().map(|row| row.state).collect();
            if row.status(&states) != wanted {
                *place = None;
            }
        }
        Ok(rows)
    }
}

/// Deliveries as they lie in their tenant's list.
pub(crate) fn decoded(
    tenant: &TenantId,
    chunk: &[Stored],
) -> Result<Vec<(Cursor, Option<DeliveryRow>)>, Damage> {
    let mut rows = Vec::new();
    for (key, value, routed) in chunk {
        let Some(value) = value.as_ref().or(routed.as_ref()) else {
            continue;
        };
        let cursor = key::cursor_behind(key, 0)?;
        rows.push((
            cursor,
            Some(delivery::decode(tenant.clone(), cursor, value)?),
        ));
    }
    Ok(rows)
}
