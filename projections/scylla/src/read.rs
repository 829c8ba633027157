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
use crate::write::{EventPlace, delivery_place, place_of};

/// Rows that are read at a time.
const CHUNK: usize = 500;

/// Buckets that are looked up at a time.
const BUCKETS: i32 = 500;

/// Rows of one partition that one request names: ScyllaDB takes a hundred
/// (`max_clustering_key_restrictions_per_query`).
const NAMED: usize = 100;

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
    /// The value of one row.
    pub(crate) async fn single(
        &self,
        table: Table,
        owner: &[u8],
        bucket: i64,
        key: &[u8],
    ) -> Result<Option<Vec<u8>>, ViewError> {
        let statement = &self.generation.of(table).one;
        let rows: Vec<(Option<Vec<u8>>,)> = self.cql.rows(statement, (owner, bucket, key)).await?;
        Ok(rows.into_iter().next().and_then(|(value,)| value))
    }

    /// Value and routes of each row of tenants wanted, in the order asked.
    async fn in_tenants(
        &self,
        table: Table,
        wanted: &[(TenantId, Cursor)],
    ) -> Result<Vec<Values>, ViewError> {
        let places = wanted.iter().map(|(tenant, cursor)| {
            let owner = tenant.as_str().as_bytes().to_vec();
            (owner, table.bucket(cursor.accepted_at), row_key(cursor))
        });
        self.many(table, places.collect()).await
    }

    /// Value and routes of each row wanted by owner, bucket and key, in the order asked; those of one partition are
    /// asked for together.
    async fn many(
        &self,
        table: Table,
        wanted: Vec<(Vec<u8>, i64, Vec<u8>)>,
    ) -> Result<Vec<Values>, ViewError> {
        let mut found = vec![Values::default(); wanted.len()];
        // By partition and key, for which of those wanted it is.
        let mut places: BTreeMap<_, BTreeMap<Vec<u8>, Vec<usize>>> = BTreeMap::new();
        for (at, (owner, bucket, key)) in wanted.into_iter().enumerate() {
            let keys = places.entry((owner, bucket)).or_default();
            keys.entry(key).or_default().push(at);
        }
        let mut requests = Vec::new();
        for ((owner, bucket), keys) in &places {
            let named: Vec<&Vec<u8>> = keys.keys().collect();
            for named in named.chunks(NAMED) {
                let values = (owner, *bucket, named.to_vec());
                requests.push(async move {
                    let statement = &self.generation.of(table).some;
                    let rows: Vec<Stored> = self.cql.rows(statement, values).await?;
                    Ok::<_, ViewError>((keys, rows))
                });
            }
        }
        for (keys, rows) in together(requests).await? {
            for (key, value, routed) in rows {
                for at in keys.get(&key).into_iter().flatten() {
                    found[*at] = (value.clone(), routed.clone());
                }
            }
        }
        Ok(found)
    }

    /// The events there, in the order asked.
    pub(crate) async fn events_at(
        &self,
        wanted: &[(TenantId, Cursor)],
    ) -> Result<Vec<Option<EventRow>>, ViewError> {
        let found = self.in_tenants(Table::Events, wanted).await?;
        let rows = found.into_iter().zip(wanted);
        rows.map(|((value, _), (tenant, cursor))| {
            let row = value.map(|value| event::decode(tenant.clone(), *cursor, &value));
            Ok(row.transpose()?)
        })
        .collect()
    }

    /// What is known of each delivery there, and what only routes say, in the order asked.
    pub(crate) async fn deliveries_at(
        &self,
        wanted: &[(TenantId, Cursor)],
    ) -> Result<Vec<(Option<DeliveryRow>, Option<DeliveryRow>)>, ViewError> {
        let found = self.in_tenants(Table::Deliveries, wanted).await?;
        let rows = found.into_iter().zip(wanted);
        rows.map(|((value, routed), (tenant, cursor))| {
            let row = |value: Option<Vec<u8>>| {
                let row = value.map(|value| delivery::decode(tenant.clone(), *cursor, &value));
                row.transpose()
            };
            Ok((row(value)?, row(routed)?))
        })
        .collect()
    }

    /// Each delivery there, whoever speaks of it, in the order asked.
    async fn deliveries_known(
        &self,
        wanted: &[(TenantId, Cursor)],
    ) -> Result<Vec<Option<DeliveryRow>>, ViewError> {
        let found = self.deliveries_at(wanted).await?;
        Ok(found
            .into_iter()
            .map(|(row, routed)| row.or(routed))
            .collect())
    }

    /// Where each delivery is, in the order asked.
    pub(crate) async fn places(
        &self,
        sought: &[Sought],
    ) -> Result<Vec<Option<(TenantId, Cursor)>>, ViewError> {
        let unknown = sought.iter().filter(|sought| sought.at.is_none());
        let wanted = unknown.map(|sought| delivery_place(sought.id)).collect();
        let mut found = self.many(Table::Ids, wanted).await?.into_iter();
        let place = |sought: &Sought| match &sought.at {
            Some(at) => Ok(Some(at.clone())),
            None => {
                let value = found.next().and_then(|(value, _)| value);
                let place = value.map(|value| place_of(sought.id, &value));
                Ok(place.transpose()?)
            }
        };
        sought.iter().map(place).collect()
    }

    /// The deliveries sought that are there, as stored.
    pub(crate) async fn find(&self, sought: &[Sought]) -> Result<Vec<DeliveryRow>, ViewError> {
        let places: Vec<_> = self.places(sought).await?.into_iter().flatten().collect();
        let found = self.deliveries_known(&places).await?;
        Ok(found.into_iter().flatten().collect())
    }

    pub(crate) async fn event(
        &self,
        tenant: &TenantId,
        id: &EventId,
    ) -> Result<Option<EventRow>, ViewError> {
        let statement = &self.generation.of(Table::Ids).down;
        let lies = EventPlace::of(tenant, id);
        let end = key::behind(lies.front.clone()).unwrap_or(LAST.to_vec());
        let from = if lies.front.is_empty() {
            FIRST
        } else {
            &lies.front
        };
        let values = (&lies.owner, lies.bucket, from, &end, REPEATS);
        let places: Vec<Stored> = self.cql.rows(statement, values).await?;
        let mut last = None;
        for (place, value, _) in places {
            // A row that was dropped.
            if value.is_none() {
                continue;
            }
            let cursor = key::cursor_behind(&place, lies.front.len())?;
            // What leads to a row may be there before it, and after it.
            let at = [(tenant.clone(), cursor)];
            let Some(row) = self.events_at(&at).await?.pop().flatten() else {
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
