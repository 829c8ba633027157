//! Every row, one after another.

use std::ops::Bound;

use bytes::Bytes;
use projections_port::{Row, RowKey, ViewError};

use super::{DELIVERIES, EVENTS, Rows, STATE};
use crate::engine::{Space, list_bounds};
use projections_port::encoding::{Damage, delivery, event, key, state};

/// Kinds of rows, in the order in which they come.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Event,
    Delivery,
    Minute,
    Endpoint,
    Accounting,
    Undelivered,
}

impl Kind {
    const ALL: [Self; 6] = [
        Self::Event,
        Self::Delivery,
        Self::Minute,
        Self::Endpoint,
        Self::Accounting,
        Self::Undelivered,
    ];

    const fn of(key: &RowKey) -> Self {
        match key {
            RowKey::Event(..) => Self::Event,
            RowKey::Delivery(..) => Self::Delivery,
            RowKey::Minute(..) => Self::Minute,
            RowKey::Endpoint(..) => Self::Endpoint,
            RowKey::Accounting(..) => Self::Accounting,
            RowKey::Undelivered(..) => Self::Undelivered,
        }
    }

    /// The space it is in, and what its keys there begin with.
    fn place(self) -> (Space, Vec<u8>) {
        match self {
            Self::Event => (EVENTS, Vec::new()),
            Self::Delivery => (DELIVERIES, Vec::new()),
            Self::Minute => (STATE, vec![state::MINUTE]),
            Self::Endpoint => (STATE, vec![state::ENDPOINT]),
            Self::Accounting => (STATE, vec![state::ACCOUNTING]),
            Self::Undelivered => (STATE, vec![state::UNDELIVERED]),
        }
    }

    fn read(self, key: &Bytes, value: &Bytes) -> Result<Row, Damage> {
        Ok(match self {
            Self::Event => {
                let (tenant, cursor) = key::tenant_and_cursor(key)?;
                Row::Event(event::decode(tenant, cursor, value)?)
            }
            Self::Delivery => {
                let (tenant, cursor) = key::tenant_and_cursor(key)?;
                Row::Delivery(delivery::decode(tenant, cursor, value)?)
            }
            Self::Minute => {
                let (endpoint, minute) = state::minute_of_key(key)?;
                Row::Minute(endpoint, minute, state::decode_minute(value)?)
            }
            Self::Endpoint => {
                let endpoint = key::endpoint_of(&key[1..])?;
                Row::Endpoint(endpoint, state::decode_endpoint(value)?)
            }
            Self::Accounting => {
                let (tenant, endpoint) = state::accounting_of_key(key)?;
                Row::Accounting(tenant, endpoint, state::decode_accounting(value)?)
            }
            Self::Undelivered => {
                let tenant = key::tenant_of(&key[1..])?;
                Row::Undelivered(tenant, state::decode_undelivered(value)?)
            }
        })
    }
}

/// The key under which a row is stored.
fn stored_key(key: &RowKey) -> Vec<u8> {
    match key {
        RowKey::Event(tenant, cursor) | RowKey::Delivery(tenant, cursor) => {
            key::in_tenant(tenant, cursor)
        }
        RowKey::Minute(endpoint, minute) => state::minute_key(endpoint, Some(*minute)),
        RowKey::Endpoint(endpoint) => state::endpoint_key(endpoint),
        RowKey::Accounting(tenant, endpoint) => state::accounting_key(tenant, endpoint),
        RowKey::Undelivered(tenant) => state::undelivered_key(tenant),
    }
}

impl Rows {
    /// At most `limit` rows behind `after`.
    pub(crate) fn dump(&self, after: Option<&RowKey>, limit: usize) -> Result<Vec<Row>, ViewError> {
        let engine = self.slot.engine()?;
        let snapshot = engine.snapshot();
        let first = after.map_or(Kind::Event, Kind::of);
        let mut rows = Vec::new();
        for kind in Kind::ALL.into_iter().filter(|kind| *kind >= first) {
            let (space, list) = kind.place();
            let (mut lower, upper) = list_bounds(list);
            if let Some(after) = after.filter(|_| kind == first) {
                lower = Bound::Excluded(stored_key(after));
            }
            let room = limit - rows.len();
            for row in snapshot.range(space, lower, upper, false).take(room) {
                let (key, value) = row?;
                rows.push(kind.read(&key, &value)?);
            }
        }
        Ok(rows)
    }
}
