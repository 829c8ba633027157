//! A batch, as one turn of its claim.

use std::collections::{BTreeMap, BTreeSet};

use domain::time::Timestamp;
use projections_port::encoding::{delivery, event, key, state};
use projections_port::{Batch, Cursor, DeliveryChange, DeliveryRow, EventChange, EventRow};
use schemas::ids::{DeliveryId, EventId};
use schemas::text::TenantId;
use uuid::Uuid;

use crate::claim::{Owned, Turn};
use crate::op::{Kind, Op};
use crate::tables::{Table, row_key};

/// What is known of a delivery that routes speak of, before the batch.
#[derive(Clone, Debug, Default)]
pub(crate) struct Known {
    /// The row that routes made.
    pub(crate) routed: Option<DeliveryRow>,
    /// Whether anything else has become of it.
    pub(crate) is_taken: bool,
}

/// The turn that `batch` is. Counts move with it: should it not be committed, they are read again.
pub(crate) fn turn(
    owned: &mut Owned,
    batch: Batch,
    mut known: BTreeMap<DeliveryId, Known>,
    expired: Timestamp,
) -> Turn {
    let young = |at: Timestamp| at >= expired;
    let mut turn = Turn::default();
    let events = batch.events.into_iter();
    for change in events.filter(|change| young(change.row.accepted_at)) {
        put_event(owned, &mut turn, &change);
    }
    let mut taken = BTreeSet::new();
    let deliveries = batch.deliveries.into_iter();
    for change in deliveries.filter(|change| young(change.row.accepted_at)) {
        taken.insert(change.row.id);
        put_delivery(owned, &mut turn, &change);
    }
    let routed = batch.routed.into_iter();
    for row in routed.filter(|row| young(row.accepted_at)) {
        let known = known.entry(row.id).or_default();
        if known.routed.is_none() {
            put_list(&mut turn, &row);
            turn.ops.push(in_tenant(
                Table::Deliveries,
                Kind::PutRouted,
                &row.tenant,
                row.cursor(),
                delivery::encode(&row),
            ));
            routed_by(owned, &mut turn, &row, 1);
            known.routed = Some(row);
        }
    }
    for sought in &batch.withdrawn {
        let Some(known) = known.get_mut(&sought.id) else {
            continue;
        };
        if known.is_taken || taken.contains(&sought.id) {
            continue;
        }
        if let Some(row) = known.routed.take() {
            turn.ops.retain(|op| !is_routing(op, &row));
            drop_routed(owned, &mut turn, &row, true);
        }
    }
    for (endpoint, minute, row) in &batch.minutes {
        if young(*minute) {
            turn.ops.push(Op {
                table: Table::Minutes,
                kind: Kind::Put,
                owner: endpoint.uuid().as_bytes().to_vec(),
                bucket: Table::Minutes.bucket(*minute),
                key: key::time(*minute).to_vec(),
                value: state::encode_minute(row),
            });
        }
    }
    for (endpoint, row) in &batch.endpoints {
        turn.ops.push(Op {
            table: Table::Endpoints,
            kind: Kind::Put,
            owner: endpoint.uuid().as_bytes().to_vec(),
            bucket: 0,
            key: vec![0],
            value: state::encode_endpoint(row),
        });
    }
    for advance in batch.progress {
        turn.progress
            .insert((advance.topic, advance.partition), advance.to);
    }
    turn
}

fn is_routing(op: &Op, row: &DeliveryRow) -> bool {
    op.kind == Kind::PutRouted && op.key == row_key(&row.cursor())
}

fn in_tenant(table: Table, kind: Kind, of: &TenantId, at: Cursor, value: Vec<u8>) -> Op {
    Op {
        table,
        kind,
        owner: of.as_str().as_bytes().to_vec(),
        bucket: table.bucket(at.accepted_at),
        key: row_key(&at),
        value,
    }
}

/// Where the rows that lead to the events of an id lie.
pub(crate) struct EventPlace {
    pub(crate) owner: Vec<u8>,
    pub(crate) bucket: i64,
    /// What their keys begin with.
    pub(crate) front: Vec<u8>,
}

impl EventPlace {
    /// An id that Postrider gave says when: those of a tenant's minute share a partition, and go in one request. Each of a
    /// caller's own has a partition for itself.
    pub(crate) fn of(tenant: &TenantId, id: &EventId) -> Self {
        match id.uuid() {
            Some(uuid) => Self {
                owner: [b"t", tenant.as_str().as_bytes()].concat(),
                bucket: Table::Ids.bucket(time_of(uuid)),
                front: uuid.as_bytes().to_vec(),
            },
            None => Self {
                owner: [b"e", key::event_id(tenant, id).as_slice()].concat(),
                bucket: 0,
                front: Vec::new(),
            },
        }
    }
}

/// Over how many partitions the ids of a minute are spread: at 80 bytes a row 80,000 a second fill 100 MB in each, and a
/// turn's ids go in as many requests.
const DELIVERY_SHARDS: u8 = 4;

/// When a UUIDv7, or an id that begins as one does, says that it was made (RFC 9562, section 5.7).
fn time_of(uuid: Uuid) -> Timestamp {
    let millis = uuid.as_u128() >> 80;
    Timestamp::from_millis(i64::try_from(millis).unwrap_or(i64::MAX))
}

/// Where the place of a delivery's id lies, by the id alone: those of a minute share [`DELIVERY_SHARDS`] partitions.
pub(crate) fn delivery_place(id: DeliveryId) -> (Vec<u8>, i64, Vec<u8>) {
    let uuid = id.uuid();
    let bytes = uuid.as_bytes();
    let owner = vec![b'd', bytes[15] % DELIVERY_SHARDS];
    (owner, Table::Ids.bucket(time_of(uuid)), bytes.to_vec())
}

fn event_id_op(kind: Kind, row: &EventRow) -> Op {
    let EventPlace {
        owner,
        bucket,
        front,
    } = EventPlace::of(&row.tenant, &row.id);
    Op {
        table: Table::Ids,
        kind,
        owner,
        bucket,
        key: [front, row_key(&row.cursor())].concat(),
        value: row.tenant.as_str().as_bytes().to_vec(),
    }
}

fn delivery_id_op(kind: Kind, row: &DeliveryRow) -> Op {
    let (owner, bucket, key_of_id) = delivery_place(row.id);
    Op {
        table: Table::Ids,
        kind,
        owner,
        bucket,
        key: key_of_id,
        value: key::place(&row.tenant, &row.cursor()),
    }
}

fn put_event(owned: &mut Owned, turn: &mut Turn, EventChange { was, row }: &EventChange) {
    let ledger = &mut owned.counts.ledger;
    ledger.event(&row.tenant, was.as_ref(), Some(&row.ending));
    if was.is_none() {
        turn.ops.push(event_id_op(Kind::Put, row));
    }
    let value = event::encode(row);
    turn.ops.push(in_tenant(
        Table::Events,
        Kind::Put,
        &row.tenant,
        row.cursor(),
        value,
    ));
}

fn put_delivery(owned: &mut Owned, turn: &mut Turn, DeliveryChange { was, row }: &DeliveryChange) {
    let ledger = &mut owned.counts.ledger;
    ledger.delivery(&row.tenant, row.endpoint, *was, Some(row.state));
    if was.is_none() {
        put_list(turn, row);
        if row.is_routed_too() {
            routed_by(owned, turn, row, -1);
        }
    }
    let value = delivery::encode(row);
    turn.ops.push(in_tenant(
        Table::Deliveries,
        Kind::Put,
        &row.tenant,
        row.cursor(),
        value,
    ));
}

fn routed_by(owned: &mut Owned, turn: &mut Turn, row: &DeliveryRow, by: i64) {
    let counted = (row.tenant.clone(), row.endpoint);
    turn.routed.insert(counted.clone(), ());
    *owned.counts.only_routed.entry(counted).or_default() += by;
}

/// Adds a new row to the lists that lead to it.
fn put_list(turn: &mut Turn, row: &DeliveryRow) {
    turn.ops.push(endpoint_op(Kind::Put, row));
    turn.ops.push(delivery_id_op(Kind::Put, row));
}

fn endpoint_op(kind: Kind, row: &DeliveryRow) -> Op {
    Op {
        table: Table::ByEndpoint,
        kind,
        owner: row.endpoint.uuid().as_bytes().to_vec(),
        bucket: Table::ByEndpoint.bucket(row.accepted_at),
        key: row_key(&row.cursor()),
        value: row.tenant.as_str().as_bytes().to_vec(),
    }
}

fn drop_list(turn: &mut Turn, row: &DeliveryRow) {
    turn.ops.push(endpoint_op(Kind::Drop, row));
    turn.ops.push(delivery_id_op(Kind::Drop, row));
}

/// Forgets what routes say of a delivery, and with `alone` what leads to it.
pub(crate) fn drop_routed(owned: &mut Owned, turn: &mut Turn, row: &DeliveryRow, alone: bool) {
    let (table, kind) = (Table::Deliveries, Kind::DropRouted);
    turn.ops.push(in_tenant(
        table,
        kind,
        &row.tenant,
        row.cursor(),
        Vec::new(),
    ));
    if alone {
        drop_list(turn, row);
    }
    routed_by(owned, turn, row, -1);
}

/// Forgets a delivery.
pub(crate) fn drop_delivery(owned: &mut Owned, turn: &mut Turn, row: &DeliveryRow) {
    let ledger = &mut owned.counts.ledger;
    ledger.delivery(&row.tenant, row.endpoint, Some(row.state), None);
    let (table, kind) = (Table::Deliveries, Kind::Drop);
    turn.ops.push(in_tenant(
        table,
        kind,
        &row.tenant,
        row.cursor(),
        Vec::new(),
    ));
    drop_list(turn, row);
    if row.is_routed_too() {
        routed_by(owned, turn, row, 1);
    }
}

/// Forgets an event.
pub(crate) fn drop_event(owned: &mut Owned, turn: &mut Turn, row: &EventRow) {
    owned
        .counts
        .ledger
        .event(&row.tenant, Some(&row.ending), None);
    turn.ops.push(in_tenant(
        Table::Events,
        Kind::Drop,
        &row.tenant,
        row.cursor(),
        Vec::new(),
    ));
    turn.ops.push(event_id_op(Kind::Drop, row));
}
