//! The views: the port's traits over the tables.

mod dump;
mod forget;
mod settle;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use domain::time::{Clock, Timestamp};
use parking_lot::Mutex;
use projections_port::encoding::{key, state};
use projections_port::ledger::Ledger;
use projections_port::row::minute_of;
use projections_port::walk::Walk;
use projections_port::{
    Accounting, Batch, DeliveryRow, EndpointRow, EventRow, Figures, MinuteRow, Page, PageRequest,
    Progress, Row, RowKey, Selection, Sought, Undelivered, ViewError, ViewWriter, Views,
};
use schemas::ids::{DeliveryId, EndpointId, EventId};
use schemas::text::TenantId;
use schemas::topics::Topic;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::along::Along;
use crate::claim::{
    self, Claim, ClaimRow, Counts, EXPIRED, ONLY_ROUTED, Owned, micros, state_rows,
};
use crate::counting::{GENERATION, Meta, Tables};
use crate::cql::{Cql, together};
use crate::expire::Forgotten;
use crate::making;
use crate::read::{Epochs, Reading};
use crate::store::Config;
use crate::tables::{Generation, Table};
use crate::write::{self, Known};

/// How often it is looked which generation of rows counts.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How often it is looked whether other processes have folded on.
const POLL_EVERY: Duration = Duration::from_millis(10);

/// A claim that this process may have.
type Slot = Arc<tokio::sync::Mutex<Option<Owned>>>;

/// Views in tables that any number of processes share.
pub struct ScyllaViews {
    cql: Arc<Cql>,
    meta: Arc<Meta>,
    clock: Arc<dyn Clock>,
    keyspace: String,
    /// Whether it stays with its generation.
    is_pinned: bool,
    current: Mutex<(Arc<Generation>, Instant)>,
    claims: Mutex<BTreeMap<Claim, Slot>>,
    forgotten: Forgotten,
    written: watch::Sender<()>,
}

/// Claims as readers see them.
struct Shown {
    /// Claims and the epoch whose state counts.
    live: Vec<(String, i64)>,
    progress: BTreeMap<(Topic, u32), Progress>,
    expired: Timestamp,
}

impl ScyllaViews {
    pub(crate) fn new(
        cql: Arc<Cql>,
        meta: Arc<Meta>,
        clock: Arc<dyn Clock>,
        config: &Config,
        generation: Generation,
    ) -> Self {
        Self {
            cql,
            meta,
            clock,
            keyspace: config.keyspace.clone(),
            is_pinned: false,
            current: Mutex::new((Arc::new(generation), Instant::now())),
            claims: Mutex::default(),
            forgotten: Forgotten::default(),
            written: watch::Sender::new(()),
        }
    }

    pub(crate) fn pinned(
        cql: Arc<Cql>,
        meta: Arc<Meta>,
        clock: Arc<dyn Clock>,
        config: &Config,
        generation: Generation,
    ) -> Self {
        Self {
            is_pinned: true,
            ..Self::new(cql, meta, clock, config, generation)
        }
    }

    /// The generation that counts.
    async fn counting(&self) -> Result<Arc<Generation>, ViewError> {
        let (known, looked_at) = self.current.lock().clone();
        if self.is_pinned || looked_at.elapsed() < LOOK_EVERY {
            return Ok(known);
        }
        let number = self.meta.get(&self.cql, GENERATION).await?;
        let number = number.unwrap_or(known.number);
        if number == known.number {
            self.current.lock().1 = Instant::now();
            return Ok(known);
        }
        // A newer program may have made it, whose rows are not to be read or written by this one.
        self.tables().check_version().await?;
        tracing::info!(generation = number, "another generation of rows counts");
        self.go_to(number).await
    }

    async fn go_to(&self, number: i64) -> Result<Arc<Generation>, ViewError> {
        let opened = Generation::open(&self.cql, &self.keyspace, number).await?;
        let opened = Arc::new(opened);
        self.claims.lock().clear();
        self.forgotten.lock().clear();
        *self.current.lock() = (Arc::clone(&opened), Instant::now());
        self.written.send_replace(());
        Ok(opened)
    }

    fn tables(&self) -> Tables<'_> {
        Tables {
            cql: &self.cql,
            meta: &self.meta,
            keyspace: &self.keyspace,
        }
    }

    fn reading<'a>(&'a self, generation: &'a Generation) -> Reading<'a> {
        Reading {
            cql: &self.cql,
            generation,
        }
    }

    async fn shown(&self, generation: &Generation) -> Result<Shown, ViewError> {
        let rows: Vec<ClaimRow> = self.cql.rows(&generation.claims, ()).await?;
        let mut shown = Shown {
            live: Vec::new(),
            progress: BTreeMap::new(),
            expired: Timestamp::from_millis(i64::MIN),
        };
        for (claim, live, value) in rows {
            if claim == EXPIRED {
                if let Some(value) = value {
                    shown.expired = claim::moment(&value)?;
                }
                continue;
            }
            if let Some(value) = value {
                shown.progress.extend(claim::shown(&value)?);
            }
            shown.live.extend(live.map(|live| (claim, live)));
        }
        Ok(shown)
    }

    /// Counts of every claim together: of one tenant, or of all.
    async fn counts(
        &self,
        generation: &Generation,
        tenant: Option<&TenantId>,
    ) -> Result<Ledger, ViewError> {
        let mut live = self.shown(generation).await?.live;
        let found = loop {
            let asked = live.iter().map(|(claim, epoch)| async move {
                let mut rows = Vec::new();
                for (from, end) in ranges(tenant) {
                    let read = state_rows(&self.cql, generation, claim, *epoch, &from, &end);
                    rows.extend(read.await?);
                }
                Ok::<_, ViewError>(rows)
            });
            let found = together(asked.collect()).await?;
            // Who takes a claim over copies its state, and drops what was read.
            let now = self.shown(generation).await?.live;
            if now == live {
                break found;
            }
            live = now;
        };
        let mut counts = Counts::default();
        for rows in found {
            counts.add(&rows)?;
        }
        Ok(counts.merged())
    }

    /// Takes a claim over, though it should be this process's already: another may have had it since.
    async fn retake(&self, generation: &Generation, claim: Claim) -> Result<(), ViewError> {
        let slot = self.slot(&claim);
        let mut slot = slot.lock().await;
        *slot = None;
        *slot = Some(Owned::take(&self.cql, generation, &self.clock, claim).await?);
        Ok(())
    }

    fn slot(&self, claim: &Claim) -> Slot {
        let mut claims = self.claims.lock();
        Arc::clone(claims.entry(claim.clone()).or_default())
    }

    /// What is known of the deliveries that routes speak of.
    async fn known(
        &self,
        generation: &Generation,
        batch: &Batch,
    ) -> Result<BTreeMap<DeliveryId, Known>, ViewError> {
        let routed = batch.routed.iter().map(|row| Sought {
            id: row.id,
            at: Some((row.tenant.clone(), row.cursor())),
        });
        let sought: Vec<Sought> = routed.chain(batch.withdrawn.iter().cloned()).collect();
        let reading = self.reading(generation);
        let places = reading.places(&sought).await?;
        let there: Vec<_> = places.iter().flatten().cloned().collect();
        let mut found = reading.deliveries_at(&there).await?.into_iter();
        let known = sought.into_iter().zip(places).map(|(sought, place)| {
            let found = place.and_then(|_| found.next());
            let known = found.map(|(row, routed)| Known {
                routed,
                is_taken: row.is_some(),
            });
            (sought.id, known.unwrap_or_default())
        });
        Ok(known.collect())
    }
}

/// The ranges of state that hold counts.
fn ranges(tenant: Option<&TenantId>) -> Vec<(Vec<u8>, Vec<u8>)> {
    let kinds = [state::ACCOUNTING, state::UNDELIVERED, ONLY_ROUTED];
    kinds
        .into_iter()
        .map(|kind| {
            let of = tenant.map_or(Vec::new(), |tenant| match kind == state::UNDELIVERED {
                // It ends with the tenant's name, and no longer one is wanted.
                true => tenant.as_str().as_bytes().to_vec(),
                false => key::tenant(tenant),
            });
            let from = [&[kind], of.as_slice()].concat();
            let end = match (tenant, kind == state::UNDELIVERED) {
                (Some(_), true) => [from.as_slice(), &[0]].concat(),
                (Some(_), false) | (None, _) => key::behind(from.clone()).unwrap_or_default(),
            };
            (from, end)
        })
        .collect()
}

/// Whether a batch begins where the rows end.
fn check_begin(owned: &Owned, batch: &Batch) -> Result<(), ViewError> {
    for advance in &batch.progress {
        let (topic, partition) = (advance.topic, advance.partition);
        let there = owned.progress.get(&(topic, partition));
        if let Some(there) = there.map(|there| there.offset)
            && there != advance.from
        {
            return Err(ViewError::Overtaken {
                topic,
                partition,
                there,
                from: advance.from,
            });
        }
    }
    Ok(())
}

fn has_passed(
    progress: &BTreeMap<(Topic, u32), Progress>,
    ends: &BTreeMap<(Topic, u32), u64>,
) -> bool {
    let offset = |partition| progress.get(partition).map_or(0, |p: &Progress| p.offset);
    ends.iter()
        .all(|(partition, end)| offset(partition) >= *end)
}

#[async_trait]
impl Views for ScyllaViews {
    async fn event(&self, tenant: &TenantId, id: &EventId) -> Result<Option<EventRow>, ViewError> {
        let generation = self.counting().await?;
        self.reading(&generation).event(tenant, id).await
    }

    async fn delivery(
        &self,
        tenant: &TenantId,
        id: &DeliveryId,
    ) -> Result<Option<DeliveryRow>, ViewError> {
        let generation = self.counting().await?;
        let sought = Sought { id: *id, at: None };
        let found = self.reading(&generation).find(&[sought]).await?.pop();
        let Some(row) = found.filter(|row| row.tenant == *tenant) else {
            return Ok(None);
        };
        let epochs = Epochs::of(&self.shown(&generation).await?.progress);
        Ok(Some(epochs.shown(row)))
    }

    async fn events(
        &self,
        tenant: &TenantId,
        selection: &Selection,
        page: PageRequest,
    ) -> Result<Page<EventRow>, ViewError> {
        let generation = self.counting().await?;
        let walk = Walk::new(&page, selection);
        let reading = self.reading(&generation);
        reading.event_page(tenant, selection, &walk).await
    }

    async fn deliveries(
        &self,
        tenant: &TenantId,
        selection: &Selection,
        page: PageRequest,
    ) -> Result<Page<DeliveryRow>, ViewError> {
        let generation = self.counting().await?;
        let walk = Walk::new(&page, selection);
        let epochs = Epochs::of(&self.shown(&generation).await?.progress);
        let reading = self.reading(&generation);
        reading
            .delivery_page(tenant, selection, &walk, &epochs)
            .await
    }

    async fn minutes(
        &self,
        endpoint: &EndpointId,
        from: Timestamp,
    ) -> Result<BTreeMap<Timestamp, MinuteRow>, ViewError> {
        let generation = self.counting().await?;
        let from = minute_of(from);
        let owner = endpoint.uuid().as_bytes().to_vec();
        let lower = key::time(from).to_vec();
        let first = Table::Minutes.bucket(from);
        let reading = self.reading(&generation);
        let mut along = Along::from(reading, Table::Minutes, owner, lower, first);
        let mut minutes = BTreeMap::new();
        while let Some(rows) = along.next().await? {
            for (key, value, _) in rows {
                let (Ok(at), Some(value)) = (key.as_slice().try_into(), value) else {
                    continue;
                };
                minutes.insert(key::time_of(at), state::decode_minute(&value)?);
            }
        }
        Ok(minutes)
    }

    async fn endpoint(&self, endpoint: &EndpointId) -> Result<Option<EndpointRow>, ViewError> {
        let stored = self
            .stored_endpoints(std::slice::from_ref(endpoint))
            .await?;
        let Some(mut row) = stored.into_iter().next().flatten() else {
            return Ok(None);
        };
        if let Some(first) = row.last_success {
            let wanted = [(*endpoint, minute_of(first))];
            let minute = self.stored_minutes(&wanted).await?;
            let last = minute.first().and_then(|minute| minute.last_success);
            row.last_success = row.last_success.max(last);
        }
        Ok(Some(row))
    }

    async fn figures(
        &self,
        tenant: &TenantId,
        endpoints: &[EndpointId],
    ) -> Result<Figures, ViewError> {
        let generation = self.counting().await?;
        let counts = self.counts(&generation, Some(tenant)).await?;
        Ok(counts.figures(tenant, endpoints))
    }

    async fn progress(&self) -> Result<BTreeMap<(Topic, u32), Progress>, ViewError> {
        let generation = self.counting().await?;
        Ok(self.shown(&generation).await?.progress)
    }

    async fn is_half_written(&self) -> Result<bool, ViewError> {
        let generation = self.counting().await?;
        Ok(!self.unfinished(&generation).await?.is_empty())
    }

    async fn passed(&self, ends: &BTreeMap<(Topic, u32), u64>) -> Result<(), ViewError> {
        let mut written = self.written.subscribe();
        loop {
            written.mark_unchanged();
            let generation = self.counting().await?;
            if has_passed(&self.shown(&generation).await?.progress, ends) {
                return Ok(());
            }
            // Other processes write without a word.
            drop(tokio::time::timeout(POLL_EVERY, written.changed()).await);
        }
    }
}

#[async_trait]
impl ViewWriter for ScyllaViews {
    async fn stored(&self, sought: &[Sought]) -> Result<Vec<DeliveryRow>, ViewError> {
        let generation = self.counting().await?;
        let reading = self.reading(&generation);
        reading.find(sought).await
    }

    async fn stored_minutes(
        &self,
        wanted: &[(EndpointId, Timestamp)],
    ) -> Result<Vec<MinuteRow>, ViewError> {
        let generation = self.counting().await?;
        let reading = self.reading(&generation);
        let asked = wanted.iter().map(|(endpoint, minute)| async move {
            let (owner, key) = (*endpoint.uuid().as_bytes(), key::time(*minute));
            let bucket = Table::Minutes.bucket(*minute);
            let found = reading.single(Table::Minutes, &owner, bucket, &key).await?;
            let row = found.map(|value| state::decode_minute(&value));
            Ok(row.transpose()?.unwrap_or_default())
        });
        together(asked.collect()).await
    }

    async fn stored_endpoints(
        &self,
        wanted: &[EndpointId],
    ) -> Result<Vec<Option<EndpointRow>>, ViewError> {
        let generation = self.counting().await?;
        let reading = self.reading(&generation);
        let asked = wanted.iter().map(|endpoint| async move {
            let owner = *endpoint.uuid().as_bytes();
            let found = reading.single(Table::Endpoints, &owner, 0, &[0]).await?;
            let row = found.map(|value| state::decode_endpoint(&value));
            Ok(row.transpose()?)
        });
        together(asked.collect()).await
    }

    async fn take(&self, topic: Topic, partition: u32) -> Result<(), ViewError> {
        let generation = self.counting().await?;
        let claim = Claim::folding(topic, partition);
        // One that nobody has had is taken with its first turn: there is nothing of it.
        let live = self.shown(&generation).await?.live;
        if live.iter().any(|(had, _)| had == claim.name()) {
            self.retake(&generation, claim).await?;
        }
        Ok(())
    }

    async fn settle(&self) -> Result<(), ViewError> {
        let generation = self.counting().await?;
        self.settle_in(&generation).await
    }

    async fn write(&self, batch: Batch) -> Result<(), ViewError> {
        let generation = self.counting().await?;
        batch.check_generation(generation.number.unsigned_abs())?;
        let claim = Claim::of(&batch);
        let slot = self.slot(&claim);
        let mut slot = slot.lock().await;
        let mut owned = match slot.take() {
            Some(owned) => owned,
            None => Owned::take(&self.cql, &generation, &self.clock, claim).await?,
        };
        // Dropped with any error: what this process believes may be what is wrong. Taken over again, what
        // was committed is spread; and only then is looked what is there.
        check_begin(&owned, &batch)?;
        let expired = match batch.events.is_empty() && batch.deliveries.is_empty() {
            true => Timestamp::from_millis(i64::MIN),
            false => self.expired().await?,
        };
        let known = self.known(&generation, &batch).await?;
        let turn = write::turn(&mut owned, batch, known, expired);
        owned
            .turn(&self.cql, &generation, &self.clock, turn)
            .await?;
        *slot = Some(owned);
        drop(slot);
        self.written.send_replace(());
        Ok(())
    }

    async fn expire(&self, before: Timestamp, limit: usize) -> Result<bool, ViewError> {
        self.forget_before(before, limit).await
    }

    async fn expired(&self) -> Result<Timestamp, ViewError> {
        let generation = self.counting().await?;
        Ok(self.shown(&generation).await?.expired)
    }

    async fn totals(&self) -> Result<(Accounting, Undelivered), ViewError> {
        let generation = self.counting().await?;
        Ok(self.counts(&generation, None).await?.totals())
    }

    async fn dump(&self, after: Option<&RowKey>, limit: usize) -> Result<Vec<Row>, ViewError> {
        let generation = self.counting().await?;
        dump::Dump::new(self, &generation, after, limit)
            .rows()
            .await
    }

    fn generation(&self) -> u64 {
        self.current.lock().0.number.unsigned_abs()
    }

    async fn replaced(&self, generation: u64) {
        loop {
            // Out of reach, it isn't known; it is asked again.
            let found = self.counting().await;
            if found.is_ok_and(|found| found.number.unsigned_abs() != generation) {
                return;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    async fn clear(&self) -> Result<(), ViewError> {
        let generation = self.counting().await?;
        let number = generation.number;
        if self.is_pinned {
            making::drop_rows(&self.cql, &self.keyspace, number).await?;
            making::make_rows(&self.cql, &self.keyspace, number).await?;
            self.go_to(number).await?;
            return Ok(());
        }
        let now = micros(&*self.clock);
        making::make_rows(&self.cql, &self.keyspace, number + 1).await?;
        self.go_to(number + 1).await?;
        self.tables().switch(number + 1, now).await
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed case panics")]
mod tests;
