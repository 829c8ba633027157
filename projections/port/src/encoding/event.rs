//! The row of an event. Its key has tenant and acceptance.

use crate::{Cursor, Ending, EventRow};
use schemas::ids::EventId;
use schemas::text::TenantId;

use super::Damage;
use super::attempt::many;
use super::bytes::{Reader, Writer};
use super::key::endpoint_of;

const ROUTED: u8 = 0;
const DUPLICATE: u8 = 1;
const CONFLICT: u8 = 2;

/// The row's value.
pub fn encode(row: &EventRow) -> Vec<u8> {
    let mut to = Writer::new();
    to.text(row.id.as_str());
    to.text(row.event_type.as_str());
    to.text(row.source.as_str());
    match &row.tags {
        None => to.byte(0),
        Some(tags) => {
            to.byte(1);
            to.text(tags.as_str());
        }
    }
    let mut repeat = |code: u8, first: &EventId| {
        to.byte(code);
        to.text(first.as_str());
    };
    match &row.ending {
        Ending::Duplicate(first) => repeat(DUPLICATE, first),
        Ending::Conflict(first) => repeat(CONFLICT, first),
        Ending::Routed(endpoints) => {
            to.byte(ROUTED);
            to.number(endpoints.len() as u64);
            for endpoint in endpoints {
                to.raw(endpoint.uuid().as_bytes());
            }
        }
    }
    to.finish()
}

/// The row back.
pub fn decode(tenant: TenantId, cursor: Cursor, value: &[u8]) -> Result<EventRow, Damage> {
    let mut from = Reader::new(value)?;
    let row = EventRow {
        tenant,
        id: from.text()?,
        acceptance: cursor.acceptance,
        accepted_at: cursor.accepted_at,
        event_type: from.text()?,
        source: from.text()?,
        tags: match from.byte()? {
            0 => None,
            1 => Some(from.text()?),
            _ => return Err(Damage::Value("tags")),
        },
        ending: read_ending(&mut from)?,
    };
    from.end()?;
    Ok(row)
}

fn read_ending(from: &mut Reader<'_>) -> Result<Ending, Damage> {
    Ok(match from.byte()? {
        ROUTED => Ending::Routed(many(from, |from| endpoint_of(&from.raw::<16>()?))?),
        DUPLICATE => Ending::Duplicate(from.text()?),
        CONFLICT => Ending::Conflict(from.text()?),
        _ => return Err(Damage::Value("an ending")),
    })
}
