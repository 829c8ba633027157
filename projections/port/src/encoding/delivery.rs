//! The row of a delivery. Its key has tenant, acceptance and id.

use crate::{Cursor, DeliveryRow, DeliveryState};
use schemas::dead_letter::DeadLetterReason;
use schemas::ids::ReplayId;
use schemas::origin::Run;
use schemas::text::TenantId;
use uuid::Uuid;

use super::Damage;
use super::attempt::{self, many, read_position, read_time, write_position, write_time};
use super::bytes::{Reader, Writer};
use super::key::endpoint_of;

/// The row's value.
pub fn encode(row: &DeliveryRow) -> Vec<u8> {
    let mut to = Writer::new();
    write_state(row, &mut to);
    to.raw(row.endpoint.uuid().as_bytes());
    to.text(row.event.as_str());
    to.text(row.event_type.as_str());
    match row.run {
        Run::First => to.byte(0),
        Run::Replay(replay) => {
            to.byte(1);
            to.raw(replay.uuid().as_bytes());
        }
    }
    to.number(u64::from(row.step));
    write_position(&row.place, &mut to);
    write_time(row.since, row.accepted_at, &mut to);
    to.number(row.attempts.len() as u64);
    for row_attempt in &row.attempts {
        attempt::write(row_attempt, row.accepted_at, &mut to);
    }
    to.finish()
}

/// The row back.
pub fn decode(tenant: TenantId, cursor: Cursor, value: &[u8]) -> Result<DeliveryRow, Damage> {
    let mut from = Reader::new(value)?;
    let accepted_at = cursor.accepted_at;
    let state = read_state(cursor, &mut from)?;
    let row = DeliveryRow {
        id: cursor.delivery.ok_or(Damage::Value("a key"))?,
        tenant,
        endpoint: endpoint_of(&from.raw::<16>()?)?,
        event: from.text()?,
        event_type: from.text()?,
        acceptance: cursor.acceptance,
        accepted_at,
        run: read_run(&mut from)?,
        step: from.small()?,
        state,
        place: read_position(&mut from)?,
        since: read_time(accepted_at, &mut from)?,
        attempts: many(&mut from, |from| attempt::read(accepted_at, from))?,
    };
    from.end()?;
    Ok(row)
}

fn read_run(from: &mut Reader<'_>) -> Result<Run, Damage> {
    match from.byte()? {
        0 => Ok(Run::First),
        1 => {
            let uuid = Uuid::from_bytes(from.raw()?);
            let replay = ReplayId::try_from(uuid).map_err(|_| Damage::Value("a replay"))?;
            Ok(Run::Replay(replay))
        }
        _ => Err(Damage::Value("a run")),
    }
}

const PENDING: u8 = 0;
const DELIVERING: u8 = 1;
const RETRYING: u8 = 2;
const DELIVERED: u8 = 3;
const DISCARDED: u8 = 4;
const CANCELLED: u8 = 5;
/// And the reason's place in [`REASONS`].
const DEAD: u8 = 16;

const REASONS: [DeadLetterReason; 6] = [
    DeadLetterReason::AttemptsExhausted,
    DeadLetterReason::PermanentFailure,
    DeadLetterReason::Gone,
    DeadLetterReason::EndpointDeleted,
    DeadLetterReason::EndpointDisabled,
    DeadLetterReason::Expired,
];

fn write_state(row: &DeliveryRow, to: &mut Writer) {
    match row.state {
        DeliveryState::Pending => to.byte(PENDING),
        DeliveryState::Delivering => to.byte(DELIVERING),
        DeliveryState::Retrying { next_attempt_at } => {
            to.byte(RETRYING);
            write_time(next_attempt_at, row.accepted_at, to);
        }
        DeliveryState::Delivered => to.byte(DELIVERED),
        DeliveryState::Discarded => to.byte(DISCARDED),
        DeliveryState::Cancelled => to.byte(CANCELLED),
        DeliveryState::DeadLettered(reason) => {
            let code = (DEAD..).zip(REASONS).find(|(_, known)| *known == reason);
            to.byte(code.map_or(u8::MAX, |(code, _)| code));
        }
    }
}

fn read_state(cursor: Cursor, from: &mut Reader<'_>) -> Result<DeliveryState, Damage> {
    Ok(match from.byte()? {
        PENDING => DeliveryState::Pending,
        DELIVERING => DeliveryState::Delivering,
        RETRYING => DeliveryState::Retrying {
            next_attempt_at: read_time(cursor.accepted_at, from)?,
        },
        DELIVERED => DeliveryState::Delivered,
        DISCARDED => DeliveryState::Discarded,
        CANCELLED => DeliveryState::Cancelled,
        dead => {
            let reason = dead.checked_sub(DEAD).map(usize::from);
            let reason = reason.and_then(|code| REASONS.get(code));
            DeliveryState::DeadLettered(*reason.ok_or(Damage::Value("a state"))?)
        }
    })
}

/// Endpoint and state alone, which are all that counting needs.
pub fn counted(
    cursor: Cursor,
    value: &[u8],
) -> Result<(schemas::ids::EndpointId, DeliveryState), Damage> {
    let mut from = Reader::new(value)?;
    let state = read_state(cursor, &mut from)?;
    Ok((endpoint_of(&from.raw::<16>()?)?, state))
}
