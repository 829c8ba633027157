//! The dump: every row, as a comparison reads them.

use projections_port::encoding::{event, key, state};
use projections_port::{Cursor, Row, RowKey, ViewError};
use schemas::text::TenantId;

use super::ScyllaViews;
use crate::along::Along;
use crate::expire::owners;
use crate::lists::decoded;
use crate::read::Stored;
use crate::tables::{Generation, Table, row_key};

/// Every row there is, in the order of their keys.
pub(super) struct Dump<'a> {
    views: &'a ScyllaViews,
    generation: &'a Generation,
    after: Option<&'a RowKey>,
    limit: usize,
    rows: Vec<Row>,
}

impl<'a> Dump<'a> {
    /// At most `limit` rows behind `after`.
    pub(super) fn new(
        views: &'a ScyllaViews,
        generation: &'a Generation,
        after: Option<&'a RowKey>,
        limit: usize,
    ) -> Self {
        Self {
            views,
            generation,
            after,
            limit,
            rows: Vec::new(),
        }
    }

    fn is_full(&self) -> bool {
        self.rows.len() >= self.limit
    }

    fn push(&mut self, row: Row) {
        if !self.is_full() && self.after.is_none_or(|after| row.key() > *after) {
            self.rows.push(row);
        }
    }

    pub(super) async fn rows(mut self) -> Result<Vec<Row>, ViewError> {
        for table in [
            Table::Events,
            Table::Deliveries,
            Table::Minutes,
            Table::Endpoints,
        ] {
            self.of(table).await?;
        }
        if self.is_full() {
            return Ok(self.rows);
        }
        let counts = self.views.counts(self.generation, None).await?;
        for ((tenant, endpoint), counts) in counts.of_deliveries() {
            self.push(Row::Accounting(tenant.clone(), *endpoint, *counts));
        }
        for (tenant, counts) in counts.of_events() {
            self.push(Row::Undelivered(tenant.clone(), *counts));
        }
        Ok(self.rows)
    }

    /// Where the table is gone on with: owner, key, bucket. `None`: it is behind us.
    fn begin(&self, table: Table) -> Option<(Vec<u8>, Vec<u8>, i64)> {
        let all = (vec![0], vec![0], i64::MIN);
        let of_tenant = |tenant: &TenantId, cursor: &Cursor| {
            let owner = tenant.as_str().as_bytes().to_vec();
            (owner, row_key(cursor), table.bucket(cursor.accepted_at))
        };
        match (self.after, table) {
            (None, _)
            | (Some(RowKey::Event(..)), Table::Deliveries | Table::Minutes | Table::Endpoints)
            | (Some(RowKey::Delivery(..)), Table::Minutes | Table::Endpoints)
            | (Some(RowKey::Minute(..)), Table::Endpoints) => Some(all),
            (Some(RowKey::Event(tenant, cursor)), Table::Events)
            | (Some(RowKey::Delivery(tenant, cursor)), Table::Deliveries) => {
                Some(of_tenant(tenant, cursor))
            }
            (Some(RowKey::Minute(endpoint, minute)), Table::Minutes) => {
                let owner = endpoint.uuid().as_bytes().to_vec();
                Some((owner, key::time(*minute).to_vec(), table.bucket(*minute)))
            }
            (Some(RowKey::Endpoint(endpoint)), Table::Endpoints) => {
                Some((endpoint.uuid().as_bytes().to_vec(), vec![0], 0))
            }
            (Some(_), _) => None,
        }
    }

    async fn of(&mut self, table: Table) -> Result<(), ViewError> {
        let Some((first, lower, bucket)) = self.begin(table) else {
            return Ok(());
        };
        if self.is_full() {
            return Ok(());
        }
        let reading = self.views.reading(self.generation);
        for owner in owners(reading, table, &first).await? {
            let (lower, bucket) = if owner == first {
                (lower.clone(), bucket)
            } else {
                (vec![0], i64::MIN)
            };
            if table == Table::Endpoints {
                let found = reading.single(table, &owner, 0, &[0]).await?;
                if let Some(value) = found {
                    let endpoint = key::endpoint_of(&owner)?;
                    self.push(Row::Endpoint(endpoint, state::decode_endpoint(&value)?));
                }
            } else {
                let mut along = Along::from(reading, table, owner.clone(), lower, bucket);
                while !self.is_full()
                    && let Some(rows) = along.next().await?
                {
                    self.rows_of(table, &owner, rows)?;
                }
            }
            if self.is_full() {
                break;
            }
        }
        Ok(())
    }

    fn rows_of(&mut self, table: Table, owner: &[u8], rows: Vec<Stored>) -> Result<(), ViewError> {
        match table {
            Table::Deliveries => {
                let tenant = key::tenant_of(owner)?;
                for (_, row) in decoded(&tenant, &rows)? {
                    row.into_iter()
                        .for_each(|row| self.push(Row::Delivery(row)));
                }
            }
            Table::Events => {
                let tenant = key::tenant_of(owner)?;
                for (place, value, _) in rows {
                    let Some(value) = value else { continue };
                    let cursor = key::cursor_behind(&place, 0)?;
                    let row = event::decode(tenant.clone(), cursor, &value)?;
                    self.push(Row::Event(row));
                }
            }
            Table::Minutes => {
                let endpoint = key::endpoint_of(owner)?;
                for (key, value, _) in rows {
                    let (Ok(at), Some(value)) = (key.as_slice().try_into(), value) else {
                        continue;
                    };
                    let row = state::decode_minute(&value)?;
                    self.push(Row::Minute(endpoint, key::time_of(at), row));
                }
            }
            Table::ByEndpoint | Table::Ids | Table::Endpoints => {}
        }
        Ok(())
    }
}
