//! The row of a record that was the first of its idempotency key.

use crate::First;
use domain::time::Timestamp;

use super::Damage;
use super::bytes::{Reader, Writer};

/// The row's value; the offset is in its key.
pub fn encode(row: &First) -> Vec<u8> {
    let mut to = Writer::new();
    to.signed(row.appended_at.as_millis());
    to.raw(&row.payload_sha256);
    to.text(row.event.as_str());
    to.finish()
}

/// The row back.
pub fn decode(offset: u64, value: &[u8]) -> Result<First, Damage> {
    let mut from = Reader::new(value)?;
    let row = First {
        offset,
        appended_at: Timestamp::from_millis(from.signed()?),
        payload_sha256: from.raw()?,
        event: from.text()?,
    };
    from.end()?;
    Ok(row)
}
