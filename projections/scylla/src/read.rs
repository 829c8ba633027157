//! Reading rows: by id, and lists a page at a time.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;

use projections_port::encoding::{Damage, delivery, event, key};
use projections_port::walk::{MAX_SCAN, Walk};
use projections_port::{
    Cursor, DeliveryRow, DeliveryState, Ending, EventRow, Page, Progress, Selection, Sought,
    ViewError,
};
use schemas::ids::EventId;
use schemas::text::TenantId;
use schemas::topics::Topic;

use crate::cql::{Cql, together};
use crate::tables::{Generation, Table, row_key};
use crate::write::{delivery_owner, event_owner};

/// Rows that are read at a time.
const CHUNK: usize = 500;

/// Buckets that are looked up at a time.
const BUCKETS: i32 = 500;

/// How many events of one id are looked through for the one that isn't a repeat.
const REPEATS: i32 = 1_000;

/// A row as it lies there: key, value, what only routes say.
pub(crate) type Stored = (Vec<u8>, Option<Vec<u8>>, Option<Vec<u8>>);

/// Value, and what only routes say, of one row.
type Values = (Option<Vec<u8>>, Option<Vec<u8>>);

/// The tables of one generation, to be read.
#[derive(Clone, Copy)]
pub(crate) struct Reading<'a> {
    pub(crate) cql: &'a Cql,
    pub(crate) generation: &'a Generation,
}

/// The rows of one owner in the order of their keys, or against it.
pub(crate) struct Along<'a> {
    reading: Reading<'a>,
    table: Table,
    owner: Vec<u8>,
    lower: Vec<u8>,
    upper: Vec<u8>,
    descending: bool,
    /// Buckets that are known to come.
    buckets: VecDeque<i64>,
    /// The range in which further ones may be.
    unknown: Option<(i64, i64)>,
    /// The bucket that is being read, and what of it is left.
    current: Option<(i64, Vec<u8>, Vec<u8>)>,
}

/// The bounds of everything.
const FIRST: &[u8] = &[0];
const LAST: &[u8] = &[u8::MAX; 40];

impl<'a> Along<'a> {
    fn new(reading: Reading<'a>, table: Table, owner: Vec<u8>, walk: &Walk) -> Self {
        let after = |key: Vec<u8>| [key.as_slice(), &[0]].concat();
        let (lower, first) = match &walk.lower {
            Bound::Unbounded => (FIRST.to_vec(), i64::MIN),
            Bound::Included(at) => (row_key(at), table.bucket(at.accepted_at)),
            Bound::Excluded(at) => (after(row_key(at)), table.bucket(at.accepted_at)),
        };
        let (upper, last) = match &walk.upper {
            Bound::Unbounded => (LAST.to_vec(), i64::MAX),
            Bound::Included(at) => (after(row_key(at)), table.bucket(at.accepted_at)),
            Bound::Excluded(at) => (row_key(at), table.bucket(at.accepted_at)),
        };
        Self {
            reading,
            table,
            owner,
            lower,
            upper,
            descending: walk.descending,
            buckets: VecDeque::new(),
            unknown: (!walk.is_empty()).then_some((first, last)),
            current: None,
        }
    }

    /// Everything of `owner` from `lower` on, ascending.
    pub(crate) fn from(
        reading: Reading<'a>,
        table: Table,
        owner: Vec<u8>,
        lower: Vec<u8>,
        first: i64,
    ) -> Self {
        Self {
            reading,
            table,
            owner,
            lower,
            upper: LAST.to_vec(),
            descending: false,
            buckets: VecDeque::new(),
            unknown: Some((first, i64::MAX)),
            current: None,
        }
    }

    /// The first rows of one bucket, from a key on.
    pub(crate) async fn first_of(
        reading: Reading<'_>,
        table: Table,
        owner: &[u8],
        bucket: i64,
        from: Option<Vec<u8>>,
    ) -> Result<Vec<Stored>, ViewError> {
        let from = from.as_deref().unwrap_or(FIRST);
        let values = (owner, bucket, from, LAST, CHUNK as i32);
        reading
            .cql
            .rows(&reading.generation.of(table).up, values)
            .await
    }

    /// The next rows; `None` behind the last.
    pub(crate) async fn next(&mut self) -> Result<Option<Vec<Stored>>, ViewError> {
        loop {
            let Some((bucket, lower, upper)) = self.current.take() else {
                let Some(bucket) = self.next_bucket().await? else {
                    return Ok(None);
                };
                self.current = Some((bucket, self.lower.clone(), self.upper.clone()));
                continue;
            };
            let of = self.reading.generation.of(self.table);
            let statement = if self.descending { &of.down } else { &of.up };
            let values = (&self.owner, bucket, &lower, &upper, CHUNK as i32);
            let rows: Vec<Stored> = self.reading.cql.rows(statement, values).await?;
            if rows.len() == CHUNK
                && let Some((last, ..)) = rows.last()
            {
                self.current = Some(if self.descending {
                    (bucket, lower, last.clone())
                } else {
                    (bucket, [last.as_slice(), &[0]].concat(), upper)
                });
            }
            if !rows.is_empty() {
                return Ok(Some(rows));
            }
        }
    }

    async fn next_bucket(&mut self) -> Result<Option<i64>, ViewError> {
        if let Some(bucket) = self.buckets.pop_front() {
            return Ok(Some(bucket));
        }
        let Some((first, last)) = self.unknown.take() else {
            return Ok(None);
        };
        let generation = self.reading.generation;
        let statement = if self.descending {
            &generation.buckets_down
        } else {
            &generation.buckets_up
        };
        let values = (self.table.code(), &self.owner, first, last, BUCKETS);
        let rows: Vec<(i64,)> = self.reading.cql.rows(statement, values).await?;
        if rows.len() == BUCKETS.unsigned_abs() as usize
            && let Some((end,)) = rows.last()
        {
            self.unknown = Some(if self.descending {
                (first, end.saturating_sub(1))
            } else {
                (end.saturating_add(1), last)
            });
        }
        self.buckets = rows.into_iter().map(|(bucket,)| bucket).collect();
        Ok(self.buckets.pop_front())
    }
}

/// The highest epoch of each partition of `attempts`.
pub(crate) struct Epochs(pub(crate) BTreeMap<u32, u64>);

impl Epochs {
    pub(crate) fn of(progress: &BTreeMap<(Topic, u32), Progress>) -> Self {
        let of = |((topic, partition), progress): (&(Topic, u32), &Progress)| {
            (*topic == Topic::Attempts).then_some((*partition, progress.epoch))
        };
        Self(progress.iter().filter_map(of).collect())
    }

    pub(crate) fn shown(&self, row: DeliveryRow) -> DeliveryRow {
        let epoch = self.0.get(&row.place.partition).copied();
        row.shown(epoch.unwrap_or(0))
    }
}

impl Reading<'_> {
    /// Value and routes of one row.
    async fn one(
        &self,
        table: Table,
        owner: &[u8],
        bucket: i64,
        key: &[u8],
    ) -> Result<Values, ViewError> {
        let statement = &self.generation.of(table).one;
        let rows: Vec<Values> = self.cql.rows(statement, (owner, bucket, key)).await?;
        Ok(rows.into_iter().next().unwrap_or_default())
    }

    /// The value of a row in the only bucket of its owner.
    pub(crate) async fn single(
        &self,
        table: Table,
        owner: &[u8],
        bucket: i64,
        key: &[u8],
    ) -> Result<Option<Vec<u8>>, ViewError> {
        Ok(self.one(table, owner, bucket, key).await?.0)
    }

    pub(crate) async fn event_at(
        &self,
        tenant: &TenantId,
        cursor: Cursor,
    ) -> Result<Option<EventRow>, ViewError> {
        let (owner, bucket) = (
            tenant.as_str().as_bytes(),
            Table::Events.bucket(cursor.accepted_at),
        );
        let key = row_key(&cursor);
        let row = self.one(Table::Events, owner, bucket, &key).await?.0;
        let row = row.map(|value| event::decode(tenant.clone(), cursor, &value));
        Ok(row.transpose()?)
    }

    /// What is known of a delivery, and what only routes say.
    pub(crate) async fn delivery_at(
        &self,
        tenant: &TenantId,
        cursor: Cursor,
    ) -> Result<(Option<DeliveryRow>, Option<DeliveryRow>), ViewError> {
        let (owner, bucket) = (
            tenant.as_str().as_bytes(),
            Table::Deliveries.bucket(cursor.accepted_at),
        );
        let key = row_key(&cursor);
        let (value, routed) = self.one(Table::Deliveries, owner, bucket, &key).await?;
        let row = |value: Option<Vec<u8>>| {
            let row = value.map(|value| delivery::decode(tenant.clone(), cursor, &value));
            row.transpose()
        };
        Ok((row(value)?, row(routed)?))
    }

    async fn delivery(
        &self,
        tenant: &TenantId,
        cursor: Cursor,
    ) -> Result<Option<DeliveryRow>, ViewError> {
        let (row, routed) = self.delivery_at(tenant, cursor).await?;
        Ok(row.or(routed))
    }

    /// Where a delivery is.
    pub(crate) async fn place(
        &self,
        sought: &Sought,
    ) -> Result<Option<(TenantId, Cursor)>, ViewError> {
        if sought.at.is_some() {
            return Ok(sought.at.clone());
        }
        let statement = &self.generation.of(Table::Ids).up;
        let owner = delivery_owner(sought.id);
        let values = (&owner, 0_i64, FIRST, LAST, 1_i32);
        let rows: Vec<Stored> = self.cql.rows(statement, values).await?;
        let Some((place, Some(tenant), _)) = rows.into_iter().next() else {
            return Ok(None);
        };
        let cursor = Cursor {
            delivery: Some(sought.id),
            ..key::cursor_behind(&place, 0)?
        };
        Ok(Some((key::tenant_of(&tenant)?, cursor)))
    }

    /// The delivery sought, as stored.
    pub(crate) async fn find(&self, sought: Sought) -> Result<Option<DeliveryRow>, ViewError> {
        match self.place(&sought).await? {
            Some((tenant, cursor)) => self.delivery(&tenant, cursor).await,
            None => Ok(None),
        }
    }

    pub(crate) async fn event(
        &self,
        tenant: &TenantId,
        id: &EventId,
    ) -> Result<Option<EventRow>, ViewError> {
        let statement = &self.generation.of(Table::Ids).down;
        let owner = event_owner(tenant, id);
        let values = (&owner, 0_i64, FIRST, LAST, REPEATS);
        let places: Vec<Stored> = self.cql.rows(statement, values).await?;
        let mut last = None;
        for (place, value, _) in places {
            // A row that was dropped.
            if value.is_none() {
                continue;
            }
            let cursor = key::cursor_behind(&place, 0)?;
            // What leads to a row may be there before it, and after it.
            let Some(row) = self.event_at(tenant, cursor).await? else {
                continue;
            };
            if matches!(row.ending, Ending::Routed(_)) {
                return Ok(Some(row));
            }
            last.get_or_insert(row);
        }
        Ok(last)
    }

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
                wanted.push(key::cursor_behind(place, 0)?);
            }
        }
        let found = wanted
            .into_iter()
            .map(|cursor| async move { Ok((cursor, self.delivery(tenant, cursor).await?)) });
        together(found.collect()).await
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
            let mut found = Vec::new();
            for (place, value, _) in chunk {
                let Some(value) = value else { continue };
                let cursor = key::cursor_behind(&place, 0)?;
                let row = match selection.endpoint {
                    None => Some(event::decode(tenant.clone(), cursor, &value)?),
                    Some(_) => None,
                };
                let cursor = cursor.of_event();
                let is_new = !walk.is_begin(cursor) && last.replace(cursor) != Some(cursor);
                if is_new || selection.endpoint.is_none() {
                    found.push((cursor, row));
                }
            }
            let found = found.into_iter().map(|(cursor, row)| async move {
                let row = match row {
                    Some(row) => Some(row),
                    None => self.event_at(tenant, cursor).await?,
                };
                let Some(row) = row.filter(|row| selection.fits_event(row)) else {
                    return Ok((cursor, None));
                };
                let fits = self.status_fits(&row, selection).await?;
                Ok::<_, ViewError>((cursor, fits.then_some(row)))
            });
            let found = together(found.collect()).await?;
            kept += found.iter().filter(|(_, row)| row.is_some()).count();
            rows.extend(found);
            if kept > walk.limit() || rows.len() >= MAX_SCAN {
                break;
            }
        }
        walk.page(rows.into_iter().map(Ok))
    }

    async fn status_fits(&self, row: &EventRow, selection: &Selection) -> Result<bool, ViewError> {
        let Some(wanted) = &selection.status else {
            return Ok(true);
        };
        let mut states: Vec<DeliveryState> = Vec::new();
        for delivery in row.deliveries() {
            let cursor = Cursor {
                delivery: Some(delivery),
                ..row.cursor()
            };
            let found = self.delivery(&row.tenant, cursor).await?;
            states.extend(found.map(|row| row.state));
        }
        Ok(row.status(&states) == wanted)
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
