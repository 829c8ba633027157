//! Keys. A list is what begins with its owner; within it bytes sort as cursors do.

use crate::{Cursor, KeyScope};
use domain::time::Timestamp;
use schemas::ids::{DeliveryId, EndpointId, EventId};
use schemas::origin::{Acceptance, Position};
use schemas::text::TenantId;
use schemas::topics::Topic;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::Damage;

/// Bytes of the cursor of an event.
const EVENT: usize = 8 + 1 + 4 + 8;
/// Bytes of the cursor of a delivery.
const DELIVERY: usize = EVENT + 16;

/// What every key of `tenant`'s begins with: no tenant has a NUL.
pub fn tenant(tenant: &TenantId) -> Vec<u8> {
    let text = tenant.as_str().as_bytes();
    let mut key = Vec::with_capacity(text.len() + 1 + DELIVERY);
    key.extend_from_slice(text);
    key.push(0);
    key
}

/// What every key of an endpoint's begins with.
pub fn endpoint(endpoint: &EndpointId) -> Vec<u8> {
    let mut key = Vec::with_capacity(16 + DELIVERY);
    key.extend_from_slice(endpoint.uuid().as_bytes());
    key
}

/// A row's key in its tenant's list.
pub fn in_tenant(of: &TenantId, cursor: &Cursor) -> Vec<u8> {
    with(tenant(of), cursor)
}

/// A row's key in its endpoint's list.
pub fn in_endpoint(of: &EndpointId, cursor: &Cursor) -> Vec<u8> {
    with(endpoint(of), cursor)
}

/// What the keys of an event id's places begin with: no event id has a NUL.
pub fn event_id(of: &TenantId, id: &EventId) -> Vec<u8> {
    let mut key = tenant(of);
    key.extend_from_slice(id.as_str().as_bytes());
    key.push(0);
    key
}

/// Where a delivery of `of`'s is, as the value beside its id: the cursor of its event, and the tenant.
pub fn place(of: &TenantId, cursor: &Cursor) -> Vec<u8> {
    let mut place = with(Vec::with_capacity(64), &cursor.of_event());
    place.extend_from_slice(of.as_str().as_bytes());
    place
}

/// Where the delivery `id` is, of its [`place`].
pub fn place_of(place: &[u8], id: DeliveryId) -> Result<(TenantId, Cursor), Damage> {
    let (event, tenant) = place.split_at_checked(EVENT).ok_or(Damage::Short)?;
    let cursor = Cursor {
        delivery: Some(id),
        ..cursor(event)?
    };
    Ok((tenant_of(tenant)?, cursor))
}

/// `list` with a cursor behind it.
pub fn with(mut list: Vec<u8>, cursor: &Cursor) -> Vec<u8> {
    let Position {
        topic,
        partition,
        offset,
    } = cursor.acceptance.position();
    list.extend_from_slice(&time(cursor.accepted_at));
    list.push(u8::from(topic != Topic::Inbox));
    list.extend_from_slice(&partition.to_be_bytes());
    list.extend_from_slice(&offset.to_be_bytes());
    if let Some(delivery) = cursor.delivery {
        list.extend_from_slice(delivery.uuid().as_bytes());
    }
    list
}

/// A moment as bytes that sort as moments do.
pub const fn time(at: Timestamp) -> [u8; 8] {
    (at.as_millis() ^ i64::MIN).to_be_bytes()
}

/// The moment back.
pub const fn time_of(bytes: [u8; 8]) -> Timestamp {
    Timestamp::from_millis(i64::from_be_bytes(bytes) ^ i64::MIN)
}

/// The first key behind all that begin with `list`; `None` when there is none.
pub fn behind(mut list: Vec<u8>) -> Option<Vec<u8>> {
    while let Some(last) = list.pop() {
        if last < u8::MAX {
            list.push(last + 1);
            return Some(list);
        }
    }
    None
}

/// The cursor that a key ends with, behind the `list` bytes of what owns it.
pub fn cursor_behind(key: &[u8], list: usize) -> Result<Cursor, Damage> {
    cursor(key.get(list..).ok_or(Damage::Short)?)
}

/// Tenant and cursor of a key in a tenant's list.
pub fn tenant_and_cursor(key: &[u8]) -> Result<(TenantId, Cursor), Damage> {
    let end = key.iter().position(|byte| *byte == 0);
    let end = end.ok_or(Damage::Value("a tenant"))?;
    Ok((tenant_of(&key[..end])?, cursor(&key[end + 1..])?))
}

/// The tenant whose name `bytes` are.
pub fn tenant_of(bytes: &[u8]) -> Result<TenantId, Damage> {
    let text = std::str::from_utf8(bytes).map_err(|_| Damage::Value("a tenant"))?;
    text.parse().map_err(|_| Damage::Value("a tenant"))
}

fn cursor(bytes: &[u8]) -> Result<Cursor, Damage> {
    let (event, delivery) = bytes.split_at_checked(EVENT).ok_or(Damage::Short)?;
    let delivery = match delivery {
        [] => None,
        id => Some(delivery_of(id)?),
    };
    Ok(Cursor {
        accepted_at: time_of(piece(event, 0)?),
        acceptance: acceptance(event)?,
        delivery,
    })
}

fn acceptance(event: &[u8]) -> Result<Acceptance, Damage> {
    let partition = u32::from_be_bytes(piece(event, 9)?);
    let offset = u64::from_be_bytes(piece(event, 13)?);
    match event.get(8) {
        Some(0) => Ok(Acceptance::inbox(partition, offset)),
        Some(1) => Ok(Acceptance::events(partition, offset)),
        Some(_) | None => Err(Damage::Value("a door")),
    }
}

fn piece<const N: usize>(bytes: &[u8], at: usize) -> Result<[u8; N], Damage> {
    let piece = bytes.get(at..at + N).ok_or(Damage::Short)?;
    piece.try_into().map_err(|_| Damage::Short)
}

fn uuid(bytes: &[u8]) -> Result<Uuid, Damage> {
    Uuid::from_slice(bytes).map_err(|_| Damage::Value("an id"))
}

/// The delivery whose id `bytes` are.
pub fn delivery_of(bytes: &[u8]) -> Result<DeliveryId, Damage> {
    DeliveryId::try_from(uuid(bytes)?).map_err(|_| Damage::Value("an id"))
}

/// The endpoint whose id `bytes` are.
pub fn endpoint_of(bytes: &[u8]) -> Result<EndpointId, Damage> {
    EndpointId::try_from(uuid(bytes)?).map_err(|_| Damage::Value("an id"))
}

/// What the rows of an idempotency key begin with: a hash, since a key may have 2,200 bytes of any kind.
pub fn scope(of: &KeyScope) -> Vec<u8> {
    let mut hash = Sha256::new();
    hash.update(of.tenant.as_str());
    hash.update([0]);
    hash.update(of.partition.to_be_bytes());
    hash.update(of.key.as_str());
    let mut key = Vec::with_capacity(32 + 8);
    key.extend_from_slice(&hash.finalize());
    key
}

#[cfg(test)]
mod tests {
    use crate::conformance::samples::{delivery, endpoint as sample_endpoint, tenant};

    use super::*;

    #[test]
    fn bytes_sort_as_cursors_do_and_come_back() {
        let id = delivery(1, sample_endpoint(1)).id;
        let mut cursors = Vec::new();
        for millis in [i64::MIN, -1, 0, 1, i64::MAX] {
            for acceptance in [
                Acceptance::inbox(0, 0),
                Acceptance::inbox(1, u64::MAX),
                Acceptance::events(0, 256),
                Acceptance::events(u32::MAX, 1),
            ] {
                for delivery in [None, Some(id)] {
                    cursors.push(Cursor {
                        accepted_at: Timestamp::from_millis(millis),
                        acceptance,
                        delivery,
                    });
                }
            }
        }
        assert!(cursors.is_sorted());
        let tenant = tenant("a");
        let keys: Vec<_> = cursors.iter().map(|c| in_tenant(&tenant, c)).collect();
        assert!(keys.is_sorted());
        for (key, cursor) in keys.iter().zip(&cursors) {
            assert_eq!(tenant_and_cursor(key), Ok((tenant.clone(), *cursor)));
        }
    }

    #[test]
    fn a_list_ends_before_the_next_begins() {
        assert_eq!(behind(vec![1, 2]), Some(vec![1, 3]));
        assert_eq!(behind(vec![1, 255]), Some(vec![2]));
        assert_eq!(behind(vec![255]), None);
        let end = behind(super::tenant(&tenant("a"))).unwrap();
        assert!(end < super::tenant(&tenant("aa")));
    }
}
