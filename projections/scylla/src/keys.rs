//! The keyed store: one row a first, under its scope and offset. Rows go by themselves, by their TTL;
//! what was forgotten before that is left out where it is read.

use std::sync::Arc;

use async_trait::async_trait;
use domain::time::{Clock, Timestamp};
use parking_lot::Mutex;
use projections_port::encoding::{first, key};
use projections_port::{First, KeyScope, Keys, ViewError};
use scylla::statement::prepared::PreparedStatement;

use crate::claim::micros;
use crate::counting::Meta;
use crate::cql::{Cql, together};

/// The name of what was last told to be forgotten, in milliseconds.
const EXPIRED: &str = "keys-expired";

/// The name of how long rows live, in seconds, as whoever routes said last.
const TTL: &str = "keys-ttl";

/// There once the store has every key that the log says.
const WHOLE: &str = "keys-whole";

/// Idempotency keys.
pub struct ScyllaKeys {
    cql: Arc<Cql>,
    meta: Arc<Meta>,
    clock: Arc<dyn Clock>,
    put: PreparedStatement,
    at_or_below: PreparedStatement,
    expired: Mutex<Timestamp>,
}

impl ScyllaKeys {
    /// `ttl`: seconds until a row goes by itself, 0: never; `None`: as was said last.
    pub(crate) async fn open(
        cql: Arc<Cql>,
        meta: Arc<Meta>,
        clock: Arc<dyn Clock>,
        keyspace: &str,
        ttl: Option<u32>,
    ) -> Result<Self, ViewError> {
        let noted = meta.get(&cql, TTL).await?;
        let said = ttl.map(i64::from);
        if let Some(said) = said.filter(|said| noted != Some(*said)) {
            meta.put(&cql, TTL, said, micros(&*clock)).await?;
        }
        let ttl = said.or(noted).unwrap_or(0);
        let expired = meta.get(&cql, EXPIRED).await?;
        let put = format!(
            "UPDATE {keyspace}.keys USING TTL {ttl} AND TIMESTAMP ? SET value = ? \
             WHERE scope = ? AND position = ?"
        );
        let at_or_below = format!(
            "SELECT position, value FROM {keyspace}.keys WHERE scope = ? AND position <= ? LIMIT 1"
        );
        Ok(Self {
            put: cql.prepare(put).await?,
            at_or_below: cql.prepare(at_or_below).await?,
            expired: Mutex::new(Timestamp::from_millis(expired.unwrap_or(i64::MIN))),
            cql,
            meta,
            clock,
        })
    }

    /// Whether the store has every key that the log says.
    pub(crate) async fn are_whole(&self) -> Result<bool, ViewError> {
        Ok(self.meta.get(&self.cql, WHOLE).await?.is_some())
    }

    /// Notes that it has.
    pub(crate) async fn mark_whole(&self) -> Result<(), ViewError> {
        let now = micros(&*self.clock);
        self.meta.put(&self.cql, WHOLE, 1, now).await
    }

    async fn first(&self, scope: &KeyScope, offset: u64) -> Result<Option<First>, ViewError> {
        let values = (key::scope(scope), position(offset));
        let rows: Vec<(i64, Vec<u8>)> = self.cql.rows(&self.at_or_below, values).await?;
        let Some((position, value)) = rows.into_iter().next() else {
            return Ok(None);
        };
        let first = first::decode(position.unsigned_abs(), &value)?;
        // Lower offsets of the key are older still.
        let expired = *self.expired.lock();
        Ok(Some(first).filter(|first| first.appended_at >= expired))
    }
}

/// An offset as CQL has it: no log is as long as the numbers that this cuts off.
fn position(offset: u64) -> i64 {
    i64::try_from(offset).unwrap_or(i64::MAX)
}

#[async_trait]
impl Keys for ScyllaKeys {
    async fn firsts(&self, wanted: &[(KeyScope, u64)]) -> Result<Vec<Option<First>>, ViewError> {
        let asked = wanted.iter();
        let asked = asked.map(|(scope, offset)| self.first(scope, *offset));
        together(asked.collect()).await
    }

    async fn put(&self, rows: &[(KeyScope, First)]) -> Result<(), ViewError> {
        // The same row each time it is written, so that its own time is as good as any.
        let put = rows.iter().map(|(scope, row)| {
            let at = row.appended_at.as_millis().saturating_mul(1_000);
            let values = (
                at,
                first::encode(row),
                key::scope(scope),
                position(row.offset),
            );
            self.cql.run(&self.put, values)
        });
        together(put.collect()).await.map(drop)
    }

    async fn expire(&self, before: Timestamp) -> Result<(), ViewError> {
        let now = micros(&*self.clock);
        let known = *self.expired.lock();
        if before > known {
            let millis = before.as_millis();
            self.meta.put(&self.cql, EXPIRED, millis, now).await?;
            *self.expired.lock() = before;
        }
        Ok(())
    }
}
