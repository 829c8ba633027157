//! Writing a batch: the rows, the lists they are in, the counts they move, how far it goes.

use std::collections::BTreeMap;

use domain::time::Timestamp;
use projections_port::ledger::Ledger;
use projections_port::{
    Advance, Batch, DeliveryChange, DeliveryRow, DeliveryState, EventChange, Sought, ViewError,
};
use schemas::ids::DeliveryId;
use schemas::topics::Topic;

use super::read::{Found, find};
use super::{BY_ENDPOINT, DELIVERIES, DELIVERY_IDS, EVENT_IDS, EVENTS, Rows, STATE};
use crate::engine::{Engine, EngineBatch};
use projections_port::encoding::{delivery, event, key, state};

/// A batch under way.
struct Writing<'a> {
    engine: &'a Engine,
    batch: EngineBatch<'a>,
    /// Deliveries as this batch leaves them, where a later part of it asks; `None`: withdrawn.
    seen: BTreeMap<DeliveryId, Option<DeliveryRow>>,
    /// States that change: whose, what was, what is.
    moves: Vec<Move>,
}

struct Move {
    row: DeliveryRow,
    was: Option<DeliveryState>,
    is: Option<DeliveryState>,
}

impl Rows {
    /// Writes a batch.
    pub(crate) fn write(&self, batch: Batch) -> Result<(), ViewError> {
        let _writing = self.writing.lock();
        let engine = self.engine_to_write()?;
        self.check_begin(&batch.progress)?;
        let result = self.write_to(&engine, batch);
        if result.is_err() {
            // Counts may have moved without their rows: both are read again.
            self.slot.fail();
        }
        result
    }

    fn check_begin(&self, progress: &[Advance]) -> Result<(), ViewError> {
        let written = self.written.lock();
        for advance in progress {
            let (topic, partition) = (advance.topic, advance.partition);
            let there = written.progress.get(&(topic, partition));
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

    fn write_to(&self, engine: &Engine, batch: Batch) -> Result<(), ViewError> {
        let expired = self.written.lock().expired;
        let young = |at: Timestamp| at >= expired;
        let items = 4 * (batch.events.len() + batch.deliveries.len() + batch.routed.len()) + 32;
        let mut writing = Writing {
            engine,
            batch: engine.batch(items),
            seen: BTreeMap::new(),
            moves: Vec::with_capacity(batch.deliveries.len()),
        };
        let mut events = batch.events;
        events.retain(|change| young(change.row.accepted_at));
        events.iter().for_each(|change| writing.put_event(change));
        let asks_later = !batch.routed.is_empty() || !batch.withdrawn.is_empty();
        for change in batch.deliveries {
            if young(change.row.accepted_at) {
                writing.put_delivery(change, asks_later)?;
            }
        }
        for row in batch.routed {
            if young(row.accepted_at) {
                writing.put_routed(row)?;
            }
        }
        for sought in &batch.withdrawn {
            writing.withdraw(sought)?;
        }
        for (endpoint, minute, row) in &batch.minutes {
            if young(*minute) {
                let key = state::minute_key(endpoint, Some(*minute));
                writing.batch.put(STATE, &key, &state::encode_minute(row));
            }
        }
        for (endpoint, row) in &batch.endpoints {
            let key = state::endpoint_key(endpoint);
            writing.batch.put(STATE, &key, &state::encode_endpoint(row));
        }
        for advance in &batch.progress {
            let key = state::progress_key(advance.topic, advance.partition);
            let value = state::encode_progress(&advance.to);
            writing.batch.put(STATE, &key, &value);
        }
        let Writing {
            batch: mut to_commit,
            moves,
            ..
        } = writing;
        self.count(&events, &moves, &mut to_commit);
        to_commit.commit(false)?;
        let moved = batch.progress.into_iter();
        let moved = moved.map(|advance| ((advance.topic, advance.partition), advance.to));
        self.written.lock().progress.extend(moved);
        self.changed.send_replace(());
        Ok(())
    }

    /// Moves the counts, and adds those that moved to the batch.
    fn count(&self, events: &[EventChange], moves: &[Move], batch: &mut EngineBatch<'_>) {
        let mut written = self.written.lock();
        let ledger = &mut written.ledger;
        for EventChange { was, row } in events {
            ledger.event(&row.tenant, was.as_ref(), Some(&row.ending));
        }
        for Move { row, was, is } in moves {
            ledger.delivery(&row.tenant, row.endpoint, *was, *is);
        }
        put_moved(ledger, batch);
    }
}

/// Adds the counts that moved to the batch.
pub(super) fn put_moved(ledger: &mut Ledger, batch: &mut EngineBatch<'_>) {
    for (tenant, endpoint) in ledger.take_moved() {
        match endpoint {
            Some(endpoint) => {
                let counts = ledger.accounting(&tenant, &endpoint);
                let key = state::accounting_key(&tenant, &endpoint);
                batch.put(STATE, &key, &state::encode_accounting(&counts));
            }
            None => {
                let counts = ledger.undelivered(&tenant);
                let value = state::encode_undelivered(&counts);
                batch.put(STATE, &state::undelivered_key(&tenant), &value);
            }
        }
    }
}

impl Writing<'_> {
    fn put_event(&mut self, EventChange { was, row }: &EventChange) {
        let cursor = row.cursor();
        if was.is_none() {
            let id = key::with(key::event_id(&row.tenant, &row.id), &cursor);
            self.batch.put(EVENT_IDS, &id, &[]);
        }
        let key = key::in_tenant(&row.tenant, &cursor);
        self.batch.put(EVENTS, &key, &event::encode(row));
    }

    fn put_delivery(&mut self, change: DeliveryChange, asks_later: bool) -> Result<(), ViewError> {
        let DeliveryChange { was, row } = change;
        // Only what came through `inbox` may be there as routed.
        let may_be_routed = was.is_none() && row.acceptance.position().topic == Topic::Inbox;
        let there = if may_be_routed {
            self.state_there(&row)?
        } else {
            None
        };
        let was = was.or(there);
        if was.is_none() {
            self.list(&row);
        }
        self.put(row, was, asks_later);
        Ok(())
    }

    fn put_routed(&mut self, row: DeliveryRow) -> Result<(), ViewError> {
        let is_there = match self.seen.get(&row.id) {
            Some(seen) => seen.is_some(),
            None => self.state_there(&row)?.is_some(),
        };
        if !is_there {
            self.list(&row);
            self.put(row, None, true);
        }
        Ok(())
    }

    fn state_there(&self, row: &DeliveryRow) -> Result<Option<DeliveryState>, ViewError> {
        let key = key::in_tenant(&row.tenant, &row.cursor());
        let value = self.engine.get(DELIVERIES, &key)?;
        let counted = value.map(|value| delivery::counted(row.cursor(), &value));
        Ok(counted.transpose()?.map(|(_, state)| state))
    }

    fn put(&mut self, row: DeliveryRow, was: Option<DeliveryState>, asks_later: bool) {
        let key = key::in_tenant(&row.tenant, &row.cursor());
        self.batch.put(DELIVERIES, &key, &delivery::encode(&row));
        if asks_later {
            self.seen.insert(row.id, Some(row.clone()));
        }
        let is = Some(row.state);
        self.moves.push(Move { row, was, is });
    }

    /// Adds a new row to the lists that lead to it.
    fn list(&mut self, row: &DeliveryRow) {
        let cursor = row.cursor();
        let by_endpoint = key::in_endpoint(&row.endpoint, &cursor);
        let tenant = row.tenant.as_str().as_bytes();
        self.batch.put(BY_ENDPOINT, &by_endpoint, tenant);
        let place = key::place(&row.tenant, &cursor);
        let id = row.id.uuid();
        self.batch.put(DELIVERY_IDS, id.as_bytes(), &place);
    }

    fn withdraw(&mut self, sought: &Sought) -> Result<(), ViewError> {
        let there = match self.seen.get(&sought.id) {
            Some(seen) => seen.clone(),
            None => match find(&self.engine.snapshot(), sought)? {
                Found::Row(row) => Some(*row),
                Found::Nothing => None,
            },
        };
        if let Some(row) = there.filter(DeliveryRow::is_only_routed) {
            remove_delivery(&mut self.batch, &row);
            self.seen.insert(row.id, None);
            let was = Some(row.state);
            self.moves.push(Move { row, was, is: None });
        }
        Ok(())
    }
}

/// Removes a row and what leads to it.
pub(super) fn remove_delivery(batch: &mut EngineBatch<'_>, row: &DeliveryRow) {
    let cursor = row.cursor();
    batch.remove(DELIVERIES, &key::in_tenant(&row.tenant, &cursor));
    batch.remove(BY_ENDPOINT, &key::in_endpoint(&row.endpoint, &cursor));
    batch.remove(DELIVERY_IDS, row.id.uuid().as_bytes());
}
