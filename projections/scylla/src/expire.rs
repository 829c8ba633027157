//! Forgetting what is past retention. Counts are a claim's, so each process forgets what its claims
//! have counted; minutes are counted by nobody.

use std::collections::{BTreeMap, BTreeSet};

use domain::time::Timestamp;
use parking_lot::Mutex;
use projections_port::encoding::{delivery, event, key};
use projections_port::{Cursor, DeliveryRow, EventRow, ViewError};
use schemas::origin::Acceptance;
use schemas::text::TenantId;
use schemas::topics::Topic;

use crate::along::Along;
use crate::claim::Claim;
use crate::op::{Kind, Op};
use crate::read::{Reading, Stored};
use crate::tables::{Table, row_key};

/// What one claim is to forget.
#[derive(Default)]
pub(crate) struct Old {
    pub(crate) deliveries: Vec<DeliveryRow>,
    /// What routes say of deliveries, and whether that is all that is known of them.
    pub(crate) routed: Vec<(DeliveryRow, bool)>,
    pub(crate) events: Vec<EventRow>,
}

impl Old {
    /// What of it is there now, as it is now.
    pub(crate) async fn still_there(self, reading: Reading<'_>) -> Result<Self, ViewError> {
        let rows = self
            .deliveries
            .iter()
            .chain(self.routed.iter().map(|(row, _)| row));
        let rows: Vec<_> = rows.map(|row| (row.tenant.clone(), row.cursor())).collect();
        let mut rows = reading.deliveries_at(&rows).await?.into_iter();
        let events = self.events.iter();
        let events: Vec<_> = events
            .map(|row| (row.tenant.clone(), row.cursor()))
            .collect();
        let events = reading.events_at(&events).await?;
        let deliveries = rows.by_ref().take(self.deliveries.len());
        let now = Self {
            deliveries: deliveries.filter_map(|(found, _)| found).collect(),
            routed: rows
                .filter_map(|(found, routed)| Some((routed?, found.is_none())))
                .collect(),
            events: events.into_iter().flatten().collect(),
        };
        Ok(now)
    }
}

/// Up to which key a bucket is forgotten: what was deleted is not read over again.
pub(crate) type Forgotten = Mutex<BTreeMap<(u8, Vec<u8>, i64), Vec<u8>>>;

/// The most buckets of which that is kept.
const MOST_FORGOTTEN: usize = 10_000;

/// A search for what is old.
pub(crate) struct Search<'a> {
    pub(crate) reading: Reading<'a>,
    pub(crate) before: Timestamp,
    /// How many more rows are taken.
    pub(crate) left: usize,
    pub(crate) of: BTreeMap<Claim, Old>,
    pub(crate) is_owned: &'a (dyn Fn(&Claim) -> bool + Sync),
    /// Buckets in which nothing is left: by table, owner and bucket.
    pub(crate) empty: Vec<(Table, Vec<u8>, i64)>,
    pub(crate) forgotten: &'a Forgotten,
}

/// Owners that are read at a time.
const OWNERS: i32 = 1_000;

/// Every owner of a table, ascending, from `from` on.
pub(crate) async fn owners(
    reading: Reading<'_>,
    table: Table,
    from: &[u8],
) -> Result<Vec<Vec<u8>>, ViewError> {
    let mut all = Vec::new();
    let mut from = from.to_vec();
    loop {
        let values = (table.code(), &from, OWNERS);
        let rows: Vec<(Vec<u8>,)> = reading.cql.rows(&reading.generation.owners, values).await?;
        let is_last = rows.len() < OWNERS.unsigned_abs() as usize;
        all.extend(rows.into_iter().map(|(owner,)| owner));
        if is_last {
            return Ok(all);
        }
        if let Some(last) = all.last() {
            from = [last.as_slice(), &[0]].concat();
        }
    }
}

/// The listed buckets that may have something of before `before`, the oldest first.
pub(crate) async fn listed(
    reading: Reading<'_>,
    table: Table,
    owner: &[u8],
    before: Timestamp,
) -> Result<Vec<i64>, ViewError> {
    let values = (
        table.code(),
        owner,
        i64::MIN,
        table.bucket(before),
        1_000_i32,
    );
    let rows: Vec<(i64,)> = reading
        .cql
        .rows(&reading.generation.buckets_up, values)
        .await?;
    Ok(rows.into_iter().map(|(bucket,)| bucket).collect())
}

/// The lists of endpoints that `ops` take rows from: owner and bucket.
pub(crate) fn shortened(ops: &[Op]) -> BTreeSet<(Vec<u8>, i64)> {
    let dropped = ops
        .iter()
        .filter(|op| op.table == Table::ByEndpoint && op.kind == Kind::Drop);
    dropped.map(|op| (op.owner.clone(), op.bucket)).collect()
}

/// Takes those lists of endpoints off in which nothing is left, and of which all is from before `before`, so that nothing
/// is written to them any more. `at` is the time of that write.
pub(crate) async fn unlist_emptied(
    reading: Reading<'_>,
    lists: BTreeSet<(Vec<u8>, i64)>,
    before: Timestamp,
    at: i64,
) -> Result<(), ViewError> {
    let table = Table::ByEndpoint;
    for (owner, bucket) in lists {
        if table.end_of(bucket) <= before {
            unlist_empty(reading, table, &owner, bucket, at).await?;
        }
    }
    Ok(())
}

/// Takes a bucket off the list if nothing is left in it.
pub(crate) async fn unlist_empty(
    reading: Reading<'_>,
    table: Table,
    owner: &[u8],
    bucket: i64,
    at: i64,
) -> Result<(), ViewError> {
    let rows = Along::first_of(reading, table, owner, bucket, None).await?;
    if rows.is_empty() {
        let unlisted = reading
            .generation
            .unlist(reading.cql, table, owner, bucket, at);
        unlisted.await?;
    }
    Ok(())
}

impl Search<'_> {
    /// Looks through deliveries, then events.
    pub(crate) async fn run(&mut self) -> Result<(), ViewError> {
        for table in [Table::Deliveries, Table::Events] {
            for owner in owners(self.reading, table, &[0]).await? {
                if self.left == 0 {
                    return Ok(());
                }
                self.look(table, owner).await?;
            }
        }
        Ok(())
    }

    async fn look(&mut self, table: Table, owner: Vec<u8>) -> Result<(), ViewError> {
        let tenant = key::tenant_of(&owner)?;
        let end = row_key(&Cursor::first_at(self.before));
        let buckets = listed(self.reading, table, &owner, self.before).await?;
        for bucket in buckets {
            let place = (table.code().unsigned_abs(), owner.clone(), bucket);
            let from = self.forgotten.lock().get(&place).cloned();
            let chunk = Along::first_of(self.reading, table, &owner, bucket, from).await?;
            // The first that is still there is where the next sweep begins. What comes below it later is
            // as old, and not written any more.
            if let Some((first, ..)) = chunk.first()
                && *first < end
            {
                let mut forgotten = self.forgotten.lock();
                if forgotten.len() > MOST_FORGOTTEN {
                    forgotten.clear();
                }
                forgotten.insert(place, first.clone());
            }
            if chunk.is_empty() && table.end_of(bucket) <= self.before {
                self.empty.push((table, owner.clone(), bucket));
            }
            for row in chunk {
                if row.0 >= end || self.left == 0 {
                    return Ok(());
                }
                self.take(table, &tenant, row)?;
            }
        }
        Ok(())
    }

    fn take(&mut self, table: Table, tenant: &TenantId, row: Stored) -> Result<(), ViewError> {
        let (place, value, routed) = row;
        let cursor = key::cursor_behind(&place, 0)?;
        if table == Table::Events {
            if let Some(value) = value {
                let row = event::decode(tenant.clone(), cursor, &value)?;
                let claim = of_acceptance(cursor.acceptance);
                self.add(claim, |old| old.events.push(row));
            }
            return Ok(());
        }
        let is_alone = value.is_none();
        if let Some(value) = value {
            let row = delivery::decode(tenant.clone(), cursor, &value)?;
            let claim = Claim::deliveries(row.place.partition);
            self.add(claim, |old| old.deliveries.push(row));
        }
        if let Some(routed) = routed {
            let row = delivery::decode(tenant.clone(), cursor, &routed)?;
            let claim = of_acceptance(cursor.acceptance);
            self.add(claim, |old| old.routed.push((row, is_alone)));
        }
        Ok(())
    }

    fn add(&mut self, claim: Claim, push: impl FnOnce(&mut Old)) {
        if self.left > 0 && (self.is_owned)(&claim) {
            push(self.of.entry(claim).or_default());
            self.left -= 1;
        }
    }
}

/// Whose fold has written what was accepted there.
fn of_acceptance(acceptance: Acceptance) -> Claim {
    let position = acceptance.position();
    match position.topic == Topic::Inbox {
        true => Claim::acceptances(position.partition),
        false => Claim::deliveries(position.partition),
    }
}
