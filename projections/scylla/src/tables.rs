//! The tables: one set for each generation of rows, and what is in no generation.

use std::collections::BTreeSet;

use domain::time::Timestamp;
use parking_lot::Mutex;
use projections_port::encoding::key;
use projections_port::{Cursor, ViewError};
use scylla::statement::prepared::PreparedStatement;

use crate::cql::{Cql, together};
use crate::op::{Kind, Op};

/// A table of rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Table {
    /// Events, by tenant and time.
    Events,
    /// Deliveries with their attempts, by tenant and time.
    Deliveries,
    /// Deliveries by endpoint and time; the value is the tenant.
    ByEndpoint,
    /// Where the delivery, or the events, of an id are.
    Ids,
    /// Minutes, by endpoint.
    Minutes,
    /// Endpoints.
    Endpoints,
}

impl Table {
    pub(crate) const ALL: [Self; 6] = [
        Self::Events,
        Self::Deliveries,
        Self::ByEndpoint,
        Self::Ids,
        Self::Minutes,
        Self::Endpoints,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Events => "events",
            Self::Deliveries => "deliveries",
            Self::ByEndpoint => "by_endpoint",
            Self::Ids => "ids",
            Self::Minutes => "minutes",
            Self::Endpoints => "endpoints",
        }
    }

    /// Its number, in stored rows and in tables of buckets.
    pub(crate) const fn code(self) -> i8 {
        match self {
            Self::Events => 1,
            Self::Deliveries => 2,
            Self::ByEndpoint => 3,
            Self::Ids => 4,
            Self::Minutes => 5,
            Self::Endpoints => 6,
        }
    }

    pub(crate) fn of_code(code: u8) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|table| u8::try_from(table.code()) == Ok(code))
    }

    /// Whether its buckets are listed, so that it can be walked.
    pub(crate) const fn is_walked(self) -> bool {
        match self {
            Self::Events | Self::Deliveries | Self::ByEndpoint | Self::Minutes => true,
            Self::Ids | Self::Endpoints => false,
        }
    }

    /// Whether its owners are listed, so that all of it can be read.
    pub(crate) const fn is_listed(self) -> bool {
        match self {
            Self::Events | Self::Deliveries | Self::Minutes | Self::Endpoints => true,
            Self::ByEndpoint | Self::Ids => false,
        }
    }

    /// How long a bucket is, in milliseconds: at 4,000 rows a second of 300 bytes a minute has 72 MB,
    /// and a partition should stay under 100.
    const fn bucket_millis(self) -> i64 {
        match self {
            Self::Minutes => 24 * 3_600_000,
            Self::Events | Self::Deliveries | Self::ByEndpoint | Self::Ids | Self::Endpoints => {
                60_000
            }
        }
    }

    /// The bucket of what was accepted at `at`.
    pub(crate) const fn bucket(self, at: Timestamp) -> i64 {
        at.as_millis().div_euclid(self.bucket_millis())
    }

    /// The first moment behind a bucket.
    pub(crate) const fn end_of(self, bucket: i64) -> Timestamp {
        Timestamp::from_millis(
            bucket
                .saturating_add(1)
                .saturating_mul(self.bucket_millis()),
        )
    }
}

/// A row's key in its partition: its place in lists.
pub(crate) fn row_key(cursor: &Cursor) -> Vec<u8> {
    key::with(Vec::with_capacity(37), cursor)
}

/// The statements of one generation of tables.
pub(crate) struct Generation {
    pub(crate) number: i64,
    rows: Vec<OfTable>,
    pub(crate) put_bucket: PreparedStatement,
    pub(crate) drop_bucket: PreparedStatement,
    pub(crate) buckets_up: PreparedStatement,
    pub(crate) buckets_down: PreparedStatement,
    pub(crate) put_owner: PreparedStatement,
    pub(crate) owners: PreparedStatement,
    pub(crate) claims: PreparedStatement,
    pub(crate) claim: PreparedStatement,
    pub(crate) take: PreparedStatement,
    pub(crate) live: PreparedStatement,
    pub(crate) show: PreparedStatement,
    pub(crate) shown_at: PreparedStatement,
    pub(crate) put_state: PreparedStatement,
    pub(crate) state: PreparedStatement,
    pub(crate) drop_state: PreparedStatement,
    /// Buckets and owners that this process has listed.
    listed: Mutex<BTreeSet<(i8, Vec<u8>, i64)>>,
}

/// The statements of one table of rows.
pub(crate) struct OfTable {
    put: PreparedStatement,
    put_routed: PreparedStatement,
    drop: PreparedStatement,
    drop_routed: PreparedStatement,
    pub(crate) one: PreparedStatement,
    pub(crate) some: PreparedStatement,
    pub(crate) up: PreparedStatement,
    pub(crate) down: PreparedStatement,
}

impl OfTable {
    pub(crate) const fn write(&self, kind: Kind) -> &PreparedStatement {
        match kind {
            Kind::Put => &self.put,
            Kind::PutRouted => &self.put_routed,
            Kind::Drop => &self.drop,
            Kind::DropRouted => &self.drop_routed,
        }
    }
}

/// How many buckets a process remembers having listed; then it lists them again.
const LISTED: usize = 100_000;

impl Generation {
    /// Prepares what is said to the tables of generation `number`, which have to be there: who goes to one that another
    /// dropped meanwhile must not make it again.
    pub(crate) async fn open(cql: &Cql, keyspace: &str, number: i64) -> Result<Self, ViewError> {
        let name = |table: &str| format!("{keyspace}.{table}_g{number}");
        let (buckets, owners) = (name("buckets"), name("owners"));
        let (claims, state) = (name("claims"), name("state"));
        let mut rows = Vec::new();
        for table in Table::ALL {
            rows.push(of_table(cql, &name(table.name())).await?);
        }
        let select_buckets = |order: &str| {
            format!(
                "SELECT bucket FROM {buckets} WHERE kind = ? AND owner = ? AND bucket >= ? \
                 AND bucket <= ? ORDER BY bucket {order} LIMIT ?"
            )
        };
        Ok(Self {
            number,
            rows,
            put_bucket: cql
                .prepare(format!(
                    "INSERT INTO {buckets} (kind, owner, bucket) VALUES (?, ?, ?) USING TIMESTAMP ?"
                ))
                .await?,
            drop_bucket: cql
                .prepare(format!(
                    "DELETE FROM {buckets} USING TIMESTAMP ? WHERE kind = ? AND owner = ? AND bucket = ?"
                ))
                .await?,
            buckets_up: cql.prepare(select_buckets("ASC")).await?,
            buckets_down: cql.prepare(select_buckets("DESC")).await?,
            put_owner: cql
                .prepare(format!(
                    "INSERT INTO {owners} (kind, owner) VALUES (?, ?) USING TIMESTAMP ?"
                ))
                .await?,
            owners: cql
                .prepare(format!(
                    "SELECT owner FROM {owners} WHERE kind = ? AND owner >= ? LIMIT ?"
                ))
                .await?,
            claims: cql
                .prepare(format!("SELECT claim, live, shown FROM {claims} WHERE shard = 0"))
                .await?,
            claim: cql
                .prepare(format!(
                    "SELECT taken, live FROM {claims} WHERE shard = 0 AND claim = ?"
                ))
                .await?,
            take: cql
                .prepare(format!(
                    "UPDATE {claims} USING TIMESTAMP ? SET taken = ? WHERE shard = 0 AND claim = ?"
                ))
                .await?,
            live: cql
                .prepare(format!(
                    "UPDATE {claims} USING TIMESTAMP ? SET live = ? WHERE shard = 0 AND claim = ?"
                ))
                .await?,
            show: cql
                .prepare(format!(
                    "UPDATE {claims} USING TIMESTAMP ? SET shown = ? WHERE shard = 0 AND claim = ?"
                ))
                .await?,
            shown_at: cql
                .prepare(format!(
                    "SELECT WRITETIME(shown) FROM {claims} WHERE shard = 0 AND claim = ?"
                ))
                .await?,
            put_state: cql
                .prepare(format!(
                    "UPDATE {state} USING TIMESTAMP ? SET value = ? WHERE claim = ? AND epoch = ? \
                     AND key = ?"
                ))
                .await?,
            state: cql
                .prepare(format!(
                    "SELECT key, value FROM {state} WHERE claim = ? AND epoch = ? AND key >= ? \
                     AND key < ? LIMIT ?"
                ))
                .await?,
            drop_state: cql
                .prepare(format!(
                    "DELETE FROM {state} USING TIMESTAMP ? WHERE claim = ? AND epoch = ?"
                ))
                .await?,
            listed: Mutex::default(),
        })
    }

    pub(crate) fn of(&self, table: Table) -> &OfTable {
        let at = Table::ALL.iter().position(|other| *other == table);
        &self.rows[at.unwrap_or(0)]
    }

    /// Lists the buckets and owners of `ops`, before the rows are there.
    pub(crate) async fn list(&self, cql: &Cql, ops: &[Op], at: i64) -> Result<(), ViewError> {
        let mut new = BTreeSet::new();
        {
            let listed = self.listed.lock();
            for op in ops.iter().filter(|op| op.kind.is_put()) {
                let entry = (op.table.code(), op.owner.clone(), op.bucket);
                if (op.table.is_walked() || op.table.is_listed()) && !listed.contains(&entry) {
                    new.insert((op.table, entry));
                }
            }
        }
        let listing = new.iter().map(|(table, (kind, owner, bucket))| async move {
            if table.is_listed() {
                cql.run(&self.put_owner, (kind, owner, at)).await?;
            }
            if table.is_walked() {
                cql.run(&self.put_bucket, (kind, owner, bucket, at)).await?;
            }
            Ok(())
        });
        together(listing.collect()).await?;
        let mut listed = self.listed.lock();
        if listed.len() > LISTED {
            listed.clear();
        }
        listed.extend(new.into_iter().map(|(_, entry)| entry));
        Ok(())
    }

    /// Takes a bucket off the list.
    pub(crate) async fn unlist(
        &self,
        cql: &Cql,
        table: Table,
        owner: &[u8],
        bucket: i64,
        at: i64,
    ) -> Result<(), ViewError> {
        let entry = (table.code(), owner.to_vec(), bucket);
        cql.run(&self.drop_bucket, (at, table.code(), owner, bucket))
            .await?;
        self.listed.lock().remove(&entry);
        Ok(())
    }
}

async fn of_table(cql: &Cql, name: &str) -> Result<OfTable, ViewError> {
    let of = "owner = ? AND bucket = ? AND key = ?";
    let put = |column: &str| format!("UPDATE {name} USING TIMESTAMP ? SET {column} = ? WHERE {of}");
    let drop = |column: &str| format!("DELETE {column} FROM {name} USING TIMESTAMP ? WHERE {of}");
    let range = |order: &str| {
        format!(
            "SELECT key, value, routed FROM {name} WHERE owner = ? AND bucket = ? AND key >= ? \
             AND key < ? ORDER BY key {order} LIMIT ?"
        )
    };
    Ok(OfTable {
        put: cql.prepare(put("value")).await?,
        put_routed: cql.prepare(put("routed")).await?,
        drop: cql.prepare(drop("value")).await?,
        drop_routed: cql.prepare(drop("routed")).await?,
        one: cql
            .prepare(format!("SELECT value FROM {name} WHERE {of}"))
            .await?,
        some: cql
            .prepare(format!(
                "SELECT key, value, routed FROM {name} WHERE owner = ? AND bucket = ? AND key IN ?"
            ))
            .await?,
        up: cql.prepare(range("ASC")).await?,
        down: cql.prepare(range("DESC")).await?,
    })
}
