//! Reading rows by id, and lists a page at a time. Each call reads one snapshot.

use std::collections::BTreeMap;
use std::ops::Bound;

use bytes::Bytes;
use domain::time::Timestamp;
use projections_port::row::minute_of;
use projections_port::walk::Walk;
use projections_port::{
    Accounting, Cursor, DeliveryRow, DeliveryState, Ending, EndpointRow, EventRow, Figures,
    MinuteRow, Page, PageRequest, Progress, Selection, Sought, Undelivered, ViewError,
};
use schemas::ids::{DeliveryId, EndpointId, EventId};
use schemas::text::TenantId;
use schemas::topics::Topic;

use super::{BY_ENDPOINT, DELIVERIES, DELIVERY_IDS, EVENT_IDS, EVENTS, Rows, STATE};
use crate::engine::{Snapshot, Space, list_bounds};
use projections_port::encoding::{Damage, delivery, event, key, state};

/// How many events of one id are looked through for the one that isn't a repeat.
const REPEATS: usize = 1_000;

/// A delivery that was looked for.
pub(super) enum Found {
    Row(Box<DeliveryRow>),
    Nothing,
}

impl Rows {
    pub(crate) fn event(
        &self,
        tenant: &TenantId,
        id: &EventId,
    ) -> Result<Option<EventRow>, ViewError> {
        let engine = self.slot.engine()?;
        let snapshot = engine.snapshot();
        let list = key::event_id(tenant, id);
        let owner = list.len();
        let (lower, upper) = list_bounds(list);
        let mut last = None;
        for place in snapshot.range(EVENT_IDS, lower, upper, true).take(REPEATS) {
            let cursor = key::cursor_behind(&place?.0, owner)?;
            let row = event_at(&snapshot, tenant, cursor)?.ok_or(Damage::Missing)?;
            if matches!(row.ending, Ending::Routed(_)) {
                return Ok(Some(row));
            }
            last.get_or_insert(row);
        }
        Ok(last)
    }

    /// The delivery, as readers see it.
    pub(crate) fn delivery(
        &self,
        tenant: &TenantId,
        id: &DeliveryId,
    ) -> Result<Option<DeliveryRow>, ViewError> {
        let sought = Sought { id: *id, at: None };
        let engine = self.slot.engine()?;
        match find(&engine.snapshot(), &sought)? {
            Found::Row(row) if row.tenant == *tenant => Ok(Some(self.epochs().shown(*row))),
            Found::Row(_) | Found::Nothing => Ok(None),
        }
    }

    pub(crate) fn delivery_page(
        &self,
        tenant: &TenantId,
        selection: &Selection,
        request: &PageRequest,
    ) -> Result<Page<DeliveryRow>, ViewError> {
        let engine = self.slot.engine()?;
        let snapshot = engine.snapshot();
        let epochs = self.epochs();
        let walk = Walk::new(request, selection);
        let show = |row: DeliveryRow| {
            let row = epochs.shown(row);
            selection.fits_delivery(&row).then_some(row)
        };
        if let Some(endpoint) = selection.endpoint {
            let cursors = endpoint_cursors(&snapshot, &walk, &endpoint);
            return walk.page(cursors.map(|cursor| {
                let cursor = cursor?;
                let row = delivery_at(&snapshot, tenant, cursor)?;
                Ok((cursor, row.and_then(show)))
            }));
        }
        let owner = tenant.as_str().len() + 1;
        let rows = walked(&snapshot, DELIVERIES, &walk, key::tenant(tenant));
        walk.page(rows.map(|row| {
            let (key, value) = row?;
            let cursor = key::cursor_behind(&key, owner)?;
            let row = delivery::decode(tenant.clone(), cursor, &value)?;
            Ok((cursor, show(row)))
        }))
    }

    pub(crate) fn event_page(
        &self,
        tenant: &TenantId,
        selection: &Selection,
        request: &PageRequest,
    ) -> Result<Page<EventRow>, ViewError> {
        let engine = self.slot.engine()?;
        let snapshot = engine.snapshot();
        let walk = Walk::new(request, selection);
        let show = |row: EventRow| -> Result<Option<EventRow>, ViewError> {
            let fits =
                selection.fits_event(&row) && status_fits(&snapshot, tenant, &row, selection)?;
            Ok(fits.then_some(row))
        };
        if let Some(endpoint) = selection.endpoint {
            let mut last = None;
            let cursors = endpoint_cursors(&snapshot, &walk, &endpoint);
            let events = cursors.map(|cursor| cursor.map(Cursor::of_event));
            let new = |event: &Result<Cursor, ViewError>| {
                let Ok(event) = event else { return true };
                !walk.is_begin(*event) && last.replace(*event) != Some(*event)
            };
            return walk.page(events.filter(new).map(|cursor| {
                let cursor = cursor?;
                let row = event_at(&snapshot, tenant, cursor)?;
                Ok((cursor, row.map(show).transpose()?.flatten()))
            }));
        }
        let owner = tenant.as_str().len() + 1;
        let rows = walked(&snapshot, EVENTS, &walk, key::tenant(tenant));
        walk.page(rows.map(|row| {
            let (key, value) = row?;
            let cursor = key::cursor_behind(&key, owner)?;
            let row = event::decode(tenant.clone(), cursor, &value)?;
            Ok((cursor, show(row)?))
        }))
    }

    pub(crate) fn minutes(
        &self,
        endpoint: &EndpointId,
        from: Timestamp,
    ) -> Result<BTreeMap<Timestamp, MinuteRow>, ViewError> {
        let engine = self.slot.engine()?;
        let first = state::minute_key(endpoint, Some(minute_of(from)));
        let (_, end) = list_bounds(state::minute_key(endpoint, None));
        let rows = engine
            .snapshot()
            .range(STATE, Bound::Included(first), end, false);
        let mut minutes = BTreeMap::new();
        for row in rows {
            let (key, value) = row?;
            let (_, minute) = state::minute_of_key(&key)?;
            minutes.insert(minute, state::decode_minute(&value)?);
        }
        Ok(minutes)
    }

    /// The endpoint's row as stored.
    pub(crate) fn stored_endpoint(
        &self,
        endpoint: &EndpointId,
    ) -> Result<Option<EndpointRow>, ViewError> {
        let engine = self.slot.engine()?;
        let value = engine.get(STATE, &state::endpoint_key(endpoint))?;
        Ok(value
            .map(|value| state::decode_endpoint(&value))
            .transpose()?)
    }

    /// The minute as stored; empty when it isn't there.
    pub(crate) fn stored_minute(
        &self,
        endpoint: &EndpointId,
        minute: Timestamp,
    ) -> Result<MinuteRow, ViewError> {
        let engine = self.slot.engine()?;
        let value = engine.get(STATE, &state::minute_key(endpoint, Some(minute)))?;
        let row = value.map(|value| state::decode_minute(&value));
        Ok(row.transpose()?.unwrap_or_default())
    }

    /// The endpoint's row as readers see it.
    pub(crate) fn endpoint(&self, endpoint: &EndpointId) -> Result<Option<EndpointRow>, ViewError> {
        let Some(mut row) = self.stored_endpoint(endpoint)? else {
            return Ok(None);
        };
        if let Some(first) = row.last_success {
            let minute = self.stored_minute(endpoint, minute_of(first))?;
            row.last_success = row.last_success.max(minute.last_success);
        }
        Ok(Some(row))
    }

    /// The deliveries that are there, as stored.
    pub(crate) fn stored(&self, sought: &[Sought]) -> Result<Vec<DeliveryRow>, ViewError> {
        let engine = self.slot.engine()?;
        let snapshot = engine.snapshot();
        let mut rows = Vec::new();
        for sought in sought {
            if let Found::Row(row) = find(&snapshot, sought)? {
                rows.push(*row);
            }
        }
        Ok(rows)
    }

    pub(crate) fn figures(&self, tenant: &TenantId, endpoints: &[EndpointId]) -> Figures {
        self.written.lock().ledger.figures(tenant, endpoints)
    }

    pub(crate) fn totals(&self) -> (Accounting, Undelivered) {
        self.written.lock().ledger.totals()
    }

    pub(crate) fn progress(&self) -> BTreeMap<(Topic, u32), Progress> {
        self.written.lock().progress.clone()
    }

    pub(crate) fn has_passed(&self, ends: &BTreeMap<(Topic, u32), u64>) -> bool {
        let written = self.written.lock();
        let offset = |partition| written.progress.get(partition).map_or(0, |p| p.offset);
        ends.iter()
            .all(|(partition, end)| offset(partition) >= *end)
    }

    pub(crate) fn expired(&self) -> Timestamp {
        self.written.lock().expired
    }

    /// The epochs that are current now.
    fn epochs(&self) -> Epochs {
        let written = self.written.lock();
        let of = |((topic, partition), progress): (&(Topic, u32), &Progress)| {
            (*topic == Topic::Attempts).then_some((*partition, progress.epoch))
        };
        Epochs(written.progress.iter().filter_map(of).collect())
    }
}

/// The highest epoch of each partition of `attempts`.
struct Epochs(BTreeMap<u32, u64>);

impl Epochs {
    fn shown(&self, row: DeliveryRow) -> DeliveryRow {
        let epoch = self.0.get(&row.place.partition).copied();
        row.shown(epoch.unwrap_or(0))
    }
}

/// The delivery sought, as stored.
pub(super) fn find(snapshot: &Snapshot<'_>, sought: &Sought) -> Result<Found, ViewError> {
    let (tenant, cursor) = match &sought.at {
        Some((tenant, cursor)) => (tenant.clone(), *cursor),
        None => {
            let Some(place) = snapshot.get(DELIVERY_IDS, sought.id.uuid().as_bytes())? else {
                return Ok(Found::Nothing);
            };
            key::place_of(&place, sought.id)?
        }
    };
    let row = delivery_at(snapshot, &tenant, cursor)?;
    Ok(row.map_or(Found::Nothing, |row| Found::Row(Box::new(row))))
}

fn delivery_at(
    snapshot: &Snapshot<'_>,
    tenant: &TenantId,
    cursor: Cursor,
) -> Result<Option<DeliveryRow>, ViewError> {
    let value = snapshot.get(DELIVERIES, &key::in_tenant(tenant, &cursor))?;
    let row = value.map(|value| delivery::decode(tenant.clone(), cursor, &value));
    Ok(row.transpose()?)
}

fn event_at(
    snapshot: &Snapshot<'_>,
    tenant: &TenantId,
    cursor: Cursor,
) -> Result<Option<EventRow>, ViewError> {
    let value = snapshot.get(EVENTS, &key::in_tenant(tenant, &cursor))?;
    let row = value.map(|value| event::decode(tenant.clone(), cursor, &value));
    Ok(row.transpose()?)
}

fn status_fits(
    snapshot: &Snapshot<'_>,
    tenant: &TenantId,
    row: &EventRow,
    selection: &Selection,
) -> Result<bool, ViewError> {
    let Some(wanted) = &selection.status else {
        return Ok(true);
    };
    let mut states: Vec<DeliveryState> = Vec::new();
    for delivery in row.deliveries() {
        let cursor = Cursor {
            delivery: Some(delivery),
            ..row.cursor()
        };
        let key = key::in_tenant(tenant, &cursor);
        if let Some(value) = snapshot.get(DELIVERIES, &key)? {
            states.push(delivery::counted(cursor, &value)?.1);
        }
    }
    Ok(row.status(&states) == wanted)
}

/// The places of an endpoint's deliveries within the walk, in its direction.
fn endpoint_cursors(
    snapshot: &Snapshot<'_>,
    walk: &Walk,
    endpoint: &EndpointId,
) -> impl Iterator<Item = Result<Cursor, ViewError>> + use<> {
    let list = key::endpoint(endpoint);
    let owner = list.len();
    let rows = walked(snapshot, BY_ENDPOINT, walk, list);
    rows.map(move |row| Ok(key::cursor_behind(&row?.0, owner)?))
}

/// What of a list lies within the walk, in its direction.
fn walked(
    snapshot: &Snapshot<'_>,
    space: Space,
    walk: &Walk,
    list: Vec<u8>,
) -> Box<dyn Iterator<Item = Result<(Bytes, Bytes), ViewError>>> {
    let bound = |bound: Bound<Cursor>| bound.map(|cursor| key::with(list.clone(), &cursor));
    let (lower, upper) = (bound(walk.lower), bound(walk.upper));
    let (first, end) = list_bounds(list);
    let or = |bound: Bound<Vec<u8>>, edge: Bound<Vec<u8>>| match bound {
        Bound::Unbounded => edge,
        given @ (Bound::Included(_) | Bound::Excluded(_)) => given,
    };
    snapshot.range(space, or(lower, first), or(upper, end), walk.descending)
}
