//! Minutes, endpoints, counts, and how far the log is folded: one space, by the first byte of a key.

use std::collections::BTreeMap;

use crate::{Accounting, EndpointRow, MinuteRow, Progress, Undelivered};
use domain::time::Timestamp;
use schemas::attempts::CircuitState;
use schemas::ids::EndpointId;
use schemas::text::TenantId;
use schemas::topics::Topic;

use super::Damage;
use super::bytes::{Reader, Writer};
use super::{attempt, key};

/// What a key of this space begins with. In the order of [`RowKey`](crate::RowKey).
pub const MINUTE: u8 = 1;
/// As [`MINUTE`].
pub const ENDPOINT: u8 = 2;
/// As [`MINUTE`].
pub const ACCOUNTING: u8 = 3;
/// As [`MINUTE`].
pub const UNDELIVERED: u8 = 4;
/// As [`MINUTE`].
pub const PROGRESS: u8 = 5;

/// What was last told to be forgotten.
pub const EXPIRED_KEY: &[u8] = &[6];
/// There while rows are being cleared.
pub const CLEARING_KEY: &[u8] = &[7];

/// The key of a minute, or of its endpoint's first.
pub fn minute_key(endpoint: &EndpointId, minute: Option<Timestamp>) -> Vec<u8> {
    let mut key = endpoint_key(endpoint);
    key[0] = MINUTE;
    key.extend(minute.into_iter().flat_map(key::time));
    key
}

/// Endpoint and minute of a key.
pub fn minute_of_key(key: &[u8]) -> Result<(EndpointId, Timestamp), Damage> {
    let (endpoint, time) = key[1..].split_at_checked(16).ok_or(Damage::Short)?;
    let time = time.try_into().map_err(|_| Damage::Short)?;
    Ok((key::endpoint_of(endpoint)?, key::time_of(time)))
}

/// The key of an endpoint's row.
pub fn endpoint_key(endpoint: &EndpointId) -> Vec<u8> {
    let mut key = Vec::with_capacity(25);
    key.push(ENDPOINT);
    key.extend_from_slice(endpoint.uuid().as_bytes());
    key
}

/// The key of a count of deliveries.
pub fn accounting_key(tenant: &TenantId, endpoint: &EndpointId) -> Vec<u8> {
    let mut key = vec![ACCOUNTING];
    key.extend(key::tenant(tenant));
    key.extend_from_slice(endpoint.uuid().as_bytes());
    key
}

/// Tenant and endpoint of a key.
pub fn accounting_of_key(key: &[u8]) -> Result<(TenantId, EndpointId), Damage> {
    let bytes = &key[1..];
    let tenant = bytes.len().checked_sub(17).ok_or(Damage::Short)?;
    let endpoint = key::endpoint_of(&bytes[tenant + 1..])?;
    Ok((key::tenant_of(&bytes[..tenant])?, endpoint))
}

/// The key of a count of events.
pub fn undelivered_key(tenant: &TenantId) -> Vec<u8> {
    let mut key = vec![UNDELIVERED];
    key.extend_from_slice(tenant.as_str().as_bytes());
    key
}

/// The key of how far a partition is folded.
pub fn progress_key(topic: Topic, partition: u32) -> Vec<u8> {
    let mut key = vec![PROGRESS];
    key.extend_from_slice(&partition.to_be_bytes());
    key.extend_from_slice(topic.to_string().as_bytes());
    key
}

/// Topic and partition of a key.
pub fn progress_of_key(key: &[u8]) -> Result<(Topic, u32), Damage> {
    let (partition, topic) = key[1..].split_first_chunk().ok_or(Damage::Short)?;
    let topic = std::str::from_utf8(topic).map_err(|_| Damage::Value("a topic"))?;
    let topic = topic.parse().map_err(|_| Damage::Value("a topic"))?;
    Ok((topic, u32::from_be_bytes(*partition)))
}

/// A minute's value.
pub fn encode_minute(row: &MinuteRow) -> Vec<u8> {
    let mut to = Writer::new();
    let counts = [row.succeeded, row.failed, row.delivered, row.dead_lettered];
    counts.into_iter().for_each(|count| to.number(count));
    to.number(row.duration_us);
    write_map(&row.durations, &mut to);
    write_map(&row.failed_in, &mut to);
    write_moment(row.last_success, &mut to);
    to.finish()
}

/// The minute back.
pub fn decode_minute(value: &[u8]) -> Result<MinuteRow, Damage> {
    let mut from = Reader::new(value)?;
    let row = MinuteRow {
        succeeded: from.number()?,
        failed: from.number()?,
        delivered: from.number()?,
        dead_lettered: from.number()?,
        duration_us: from.number()?,
        durations: read_map(&mut from)?,
        failed_in: read_map(&mut from)?,
        last_success: read_moment(&mut from)?,
    };
    from.end()?;
    Ok(row)
}

fn write_map<K: Copy + Into<u64>>(map: &BTreeMap<K, u64>, to: &mut Writer) {
    to.number(map.len() as u64);
    for (key, count) in map {
        to.number((*key).into());
        to.number(*count);
    }
}

fn read_map<K: Ord + TryFrom<u64>>(from: &mut Reader<'_>) -> Result<BTreeMap<K, u64>, Damage> {
    let pairs = attempt::many(from, |from| Ok((from.small()?, from.number()?)))?;
    Ok(pairs.into_iter().collect())
}

fn write_moment(at: Option<Timestamp>, to: &mut Writer) {
    to.byte(u8::from(at.is_some()));
    if let Some(at) = at {
        to.signed(at.as_millis());
    }
}

fn read_moment(from: &mut Reader<'_>) -> Result<Option<Timestamp>, Damage> {
    match from.byte()? {
        0 => Ok(None),
        1 => Ok(Some(Timestamp::from_millis(from.signed()?))),
        _ => Err(Damage::Value("a time")),
    }
}

/// An endpoint's value.
pub fn encode_endpoint(row: &EndpointRow) -> Vec<u8> {
    let mut to = Writer::new();
    to.byte(match row.circuit {
        CircuitState::Closed => 0,
        CircuitState::Open => 1,
        CircuitState::HalfOpen => 2,
    });
    write_moment(row.probe_at, &mut to);
    write_moment(row.last_success, &mut to);
    to.finish()
}

/// The endpoint back.
pub fn decode_endpoint(value: &[u8]) -> Result<EndpointRow, Damage> {
    let mut from = Reader::new(value)?;
    let row = EndpointRow {
        circuit: match from.byte()? {
            0 => CircuitState::Closed,
            1 => CircuitState::Open,
            2 => CircuitState::HalfOpen,
            _ => return Err(Damage::Value("a circuit")),
        },
        probe_at: read_moment(&mut from)?,
        last_success: read_moment(&mut from)?,
    };
    from.end()?;
    Ok(row)
}

/// Counts as a value, in the order of their fields.
fn encode_counts(counts: &[u64]) -> Vec<u8> {
    let mut to = Writer::new();
    counts.iter().for_each(|count| to.number(*count));
    to.finish()
}

fn decode_counts<const N: usize>(value: &[u8]) -> Result<[u64; N], Damage> {
    let mut from = Reader::new(value)?;
    let mut counts = [0; N];
    for count in &mut counts {
        *count = from.number()?;
    }
    from.end()?;
    Ok(counts)
}

/// A count of deliveries.
pub fn encode_accounting(row: &Accounting) -> Vec<u8> {
    encode_counts(&[
        row.deliveries,
        row.pending,
        row.retrying,
        row.delivered,
        row.dead_lettered,
        row.discarded,
        row.cancelled,
    ])
}

/// The count back.
pub fn decode_accounting(value: &[u8]) -> Result<Accounting, Damage> {
    let [
        deliveries,
        pending,
        retrying,
        delivered,
        dead_lettered,
        discarded,
        cancelled,
    ] = decode_counts(value)?;
    Ok(Accounting {
        deliveries,
        pending,
        retrying,
        delivered,
        dead_lettered,
        discarded,
        cancelled,
    })
}

/// A count of events.
pub fn encode_undelivered(row: &Undelivered) -> Vec<u8> {
    encode_counts(&[row.no_route, row.duplicate, row.conflict])
}

/// The count back.
pub fn decode_undelivered(value: &[u8]) -> Result<Undelivered, Damage> {
    let [no_route, duplicate, conflict] = decode_counts(value)?;
    Ok(Undelivered {
        no_route,
        duplicate,
        conflict,
    })
}

/// How far a partition is folded.
pub fn encode_progress(row: &Progress) -> Vec<u8> {
    let mut to = Writer::new();
    to.number(row.offset);
    to.number(row.epoch);
    to.number(row.decided);
    to.number(row.origins.len() as u64);
    for (partition, (offset, endpoint)) in &row.origins {
        to.number(u64::from(*partition));
        to.number(*offset);
        to.raw(endpoint.uuid().as_bytes());
    }
    to.finish()
}

/// The progress back.
pub fn decode_progress(value: &[u8]) -> Result<Progress, Damage> {
    let mut from = Reader::new(value)?;
    let (offset, epoch, decided) = (from.number()?, from.number()?, from.number()?);
    let origins = attempt::many(&mut from, |from| {
        let (partition, offset) = (from.small()?, from.number()?);
        Ok((partition, (offset, key::endpoint_of(&from.raw::<16>()?)?)))
    })?;
    from.end()?;
    Ok(Progress {
        offset,
        epoch,
        decided,
        origins: origins.into_iter().collect(),
    })
}

/// A moment as a value.
pub fn encode_moment(at: Timestamp) -> Vec<u8> {
    let mut to = Writer::new();
    to.signed(at.as_millis());
    to.finish()
}

/// The moment back.
pub fn decode_moment(value: &[u8]) -> Result<Timestamp, Damage> {
    let mut from = Reader::new(value)?;
    let at = Timestamp::from_millis(from.signed()?);
    from.end()?;
    Ok(at)
}
