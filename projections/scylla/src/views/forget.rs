//! What is past retention, forgotten.

use std::collections::BTreeMap;

use domain::time::Timestamp;
use projections_port::ViewError;
use projections_port::encoding::{key, state};

use super::{ScyllaViews, Slot};
use crate::along::Along;
use crate::claim::{Claim, EXPIRED, Owned, Turn, micros};
use crate::cql::together;
use crate::expire::{Old, Search, listed, owners, shortened, unlist_emptied, unlist_empty};
use crate::op::Kind;
use crate::tables::{Generation, Table};
use crate::write;

impl ScyllaViews {
    /// Forgets at most `limit` rows of before `before`, and says whether there may be more.
    pub(super) async fn forget_before(
        &self,
        before: Timestamp,
        limit: usize,
    ) -> Result<bool, ViewError> {
        let generation = self.counting().await?;
        let known = self.shown(&generation).await?.expired;
        let before = before.max(known);
        let now = micros(&*self.clock);
        if before > known {
            let values = (now, state::encode_moment(before), EXPIRED);
            self.cql.run(&generation.show, values).await?;
        }
        let ours = self.ours();
        let is_owned = |claim: &Claim| ours.contains(claim);
        let mut search = Search {
            reading: self.reading(&generation),
            before,
            left: limit,
            of: BTreeMap::new(),
            is_owned: &is_owned,
            empty: Vec::new(),
            forgotten: &self.forgotten,
        };
        search.run().await?;
        let Search {
            mut left,
            of,
            empty,
            ..
        } = search;
        for (claim, old) in of {
            self.forget(&generation, &claim, old, before).await?;
        }
        for (table, owner, bucket) in empty {
            let unlisted = generation.unlist(&self.cql, table, &owner, bucket, now);
            unlisted.await?;
        }
        left -= self.forget_minutes(&generation, before, left).await?;
        Ok(left == 0)
    }

    /// Forgets what is still there of `old`, where the claim is this process's: whoever has it now counts it.
    pub(super) async fn forget(
        &self,
        generation: &Generation,
        claim: &Claim,
        old: Old,
        before: Timestamp,
    ) -> Result<(), ViewError> {
        let slot = self.slot(claim);
        let mut slot = slot.lock().await;
        let Some(mut owned) = slot.take() else {
            return Ok(());
        };
        // Found before the claim was held: a turn in between may have forgotten it, or changed it.
        let reading = self.reading(generation);
        let old = old.still_there(reading).await?;
        let turn = forget(&mut owned, &old);
        let lists = shortened(&turn.ops);
        owned.turn(&self.cql, generation, &self.clock, turn).await?;
        // Before another turn: whoever takes the claim over after a kill finds this one, and does the same.
        unlist_emptied(reading, lists, before, owned.at).await?;
        *slot = Some(owned);
        Ok(())
    }

    /// The claims that this process has, as far as it knows.
    pub(super) fn ours(&self) -> Vec<Claim> {
        let claims = self.claims.lock();
        // One that is locked is being written.
        let is_ours = |slot: &Slot| slot.try_lock().map_or(true, |slot| slot.is_some());
        let ours = claims.iter().filter(|(_, slot)| is_ours(slot));
        ours.map(|(claim, _)| claim.clone()).collect()
    }

    /// Forgets at most `limit` minutes, and says how many.
    async fn forget_minutes(
        &self,
        generation: &Generation,
        before: Timestamp,
        limit: usize,
    ) -> Result<usize, ViewError> {
        if limit == 0 {
            return Ok(0);
        }
        let reading = self.reading(generation);
        let drop = generation.of(Table::Minutes).write(Kind::Drop);
        let now = micros(&*self.clock);
        let mut gone = 0;
        for owner in owners(reading, Table::Minutes, &[0]).await? {
            for bucket in listed(reading, Table::Minutes, &owner, before).await? {
                let rows = Along::first_of(reading, Table::Minutes, &owner, bucket, None).await?;
                let minutes = rows.into_iter().filter_map(|(key, ..)| {
                    let minute = key::time_of(key.as_slice().try_into().ok()?);
                    (minute < before).then_some(key)
                });
                let minutes: Vec<_> = minutes.take(limit - gone).collect();
                gone += minutes.len();
                let dropping = minutes
                    .iter()
                    .map(|key| self.cql.run(drop, (now, &owner, bucket, key)));
                together(dropping.collect()).await?;
                // Its last minutes may have gone in an earlier sweep.
                if Table::Minutes.end_of(bucket) <= before {
                    unlist_empty(reading, Table::Minutes, &owner, bucket, now).await?;
                }
                if gone == limit {
                    return Ok(gone);
                }
            }
        }
        Ok(gone)
    }
}

fn forget(owned: &mut Owned, old: &Old) -> Turn {
    let mut turn = Turn::default();
    for row in &old.deliveries {
        write::drop_delivery(owned, &mut turn, row);
    }
    for (row, is_alone) in &old.routed {
        write::drop_routed(owned, &mut turn, row, *is_alone);
    }
    for row in &old.events {
        write::drop_event(owned, &mut turn, row);
    }
    turn
}
