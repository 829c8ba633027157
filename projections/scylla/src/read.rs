//! Reading rows by id, and by their places.

use std::collections::BTreeMap;

use projections_port::encoding::{delivery, event, key};
use projections_port::{Cursor, DeliveryRow, Ending, EventRow, Progress, Sought, ViewError};
use schemas::ids::EventId;
use schemas::text::TenantId;
use schemas::topics::Topic;

use crate::along::{FIRST, LAST};
use crate::cql::{Cql, together};
use crate::tables::{Generation, Table, row_key};
use crate::write::{EventPlace, delivery_place};

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
    pub(crate) async fn in_tenants(
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
    pub(crate) async fn deliveries_known(
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
                let place = value.map(|value| key::place_of(&value, sought.id));
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
}
