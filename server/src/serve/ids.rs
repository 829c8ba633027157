//! Ids that are made here.

use domain::chance::Chance;
use domain::time::Timestamp;

/// A request's id: `req_` and a UUIDv7.
pub(crate) fn request(now: Timestamp, chance: &mut dyn Chance) -> String {
    let mut random = [0_u8; 10];
    random[..8].copy_from_slice(&chance.next_u64().to_le_bytes());
    random[8..].copy_from_slice(&chance.next_u64().to_le_bytes()[..2]);
    let millis = u64::try_from(now.as_millis()).unwrap_or(0);
    let id = uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid();
    format!("req_{}", id.simple())
}
