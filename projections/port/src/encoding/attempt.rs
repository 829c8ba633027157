//! One attempt of a delivery.

use crate::AttemptRow;
use bytes::Bytes;
use domain::time::Timestamp;
use schemas::attempt::{Attempt, AttemptError, AttemptResult, ErrorClass};
use schemas::origin::Position;
use schemas::scalar::{At, Blob};
use schemas::topics::{Tier, Topic};

use super::Damage;
use super::bytes::{Reader, Writer};

const HAS_OUTCOME: u8 = 1;
const HAS_STATUS: u8 = 1 << 1;
const HAS_ERROR: u8 = 1 << 2;
const HAS_BODY: u8 = 1 << 3;
const HAS_ADDRESS: u8 = 1 << 4;

/// Writes `row`; times are told from `base`.
pub fn write(row: &AttemptRow, base: Timestamp, to: &mut Writer) {
    let attempt = &row.attempt;
    let flag = |is: bool, flag: u8| if is { flag } else { 0 };
    to.byte(
        flag(row.has_outcome, HAS_OUTCOME)
            | flag(attempt.status.is_some(), HAS_STATUS)
            | flag(attempt.error.is_some(), HAS_ERROR)
            | flag(attempt.body.is_some(), HAS_BODY)
            | flag(attempt.address.is_some(), HAS_ADDRESS),
    );
    to.number(row.epoch);
    write_position(&row.place, to);
    to.number(u64::from(attempt.number));
    write_time(attempt.started_at.0, base, to);
    to.number(attempt.duration_us);
    to.byte(match attempt.result {
        AttemptResult::Succeeded => 0,
        AttemptResult::Failed => 1,
        AttemptResult::Unknown => 2,
    });
    if let Some(status) = attempt.status {
        to.number(u64::from(status));
    }
    if let Some(error) = &attempt.error {
        to.byte(code_of(error.class));
        to.text(&error.message);
    }
    to.number(attempt.headers.len() as u64);
    for (name, value) in &attempt.headers {
        to.text(name);
        to.text(value);
    }
    if let Some(Blob(body)) = &attempt.body {
        to.bytes(body);
    }
    to.number(attempt.keys.len() as u64);
    attempt.keys.iter().for_each(|key| to.text(key));
    if let Some(address) = &attempt.address {
        to.text(address);
    }
}

/// Reads what [`write()`] wrote.
pub fn read(base: Timestamp, from: &mut Reader<'_>) -> Result<AttemptRow, Damage> {
    let flags = from.byte()?;
    let epoch = from.number()?;
    let place = read_position(from)?;
    Ok(AttemptRow {
        epoch,
        place,
        attempt: read_attempt(flags, base, from)?,
        has_outcome: flags & HAS_OUTCOME != 0,
    })
}

fn read_attempt(flags: u8, base: Timestamp, from: &mut Reader<'_>) -> Result<Attempt, Damage> {
    let is = |flag: u8| flags & flag != 0;
    let (number, started_at) = (from.small()?, At(read_time(base, from)?));
    let duration_us = from.number()?;
    let result = match from.byte()? {
        0 => AttemptResult::Succeeded,
        1 => AttemptResult::Failed,
        2 => AttemptResult::Unknown,
        _ => return Err(Damage::Value("a result")),
    };
    let status = if is(HAS_STATUS) {
        Some(from.small()?)
    } else {
        None
    };
    let error = if is(HAS_ERROR) {
        Some(read_error(from)?)
    } else {
        None
    };
    let headers = many(from, |from| {
        Ok((from.str()?.to_owned(), from.str()?.to_owned()))
    })?;
    let body = if is(HAS_BODY) {
        Some(Blob(Bytes::copy_from_slice(from.bytes()?)))
    } else {
        None
    };
    let keys = many(from, |from| Ok(from.str()?.to_owned()))?;
    let address = if is(HAS_ADDRESS) {
        Some(from.str()?.to_owned())
    } else {
        None
    };
    Ok(Attempt {
        number,
        started_at,
        duration_us,
        result,
        status,
        error,
        headers,
        body,
        keys,
        address,
    })
}

fn read_error(from: &mut Reader<'_>) -> Result<AttemptError, Damage> {
    Ok(AttemptError {
        class: class_of(from.byte()?)?,
        message: from.str()?.to_owned(),
    })
}

/// As many as it says there are.
pub fn many<T>(
    from: &mut Reader<'_>,
    read: impl Fn(&mut Reader<'_>) -> Result<T, Damage>,
) -> Result<Vec<T>, Damage> {
    let count = from.number()?;
    (0..count).map(|_| read(from)).collect()
}

/// A moment near `base`.
pub fn write_time(at: Timestamp, base: Timestamp, to: &mut Writer) {
    to.signed(at.as_millis().wrapping_sub(base.as_millis()));
}

/// The moment back.
pub fn read_time(base: Timestamp, from: &mut Reader<'_>) -> Result<Timestamp, Damage> {
    let millis = base.as_millis().wrapping_add(from.signed()?);
    Ok(Timestamp::from_millis(millis))
}

/// A place in the log.
pub fn write_position(position: &Position, to: &mut Writer) {
    write_topic(position.topic, to);
    to.number(u64::from(position.partition));
    to.number(position.offset);
}

/// The place back.
pub fn read_position(from: &mut Reader<'_>) -> Result<Position, Damage> {
    Ok(Position {
        topic: read_topic(from)?,
        partition: from.small()?,
        offset: from.number()?,
    })
}

const TOPICS: [Topic; 9] = [
    Topic::Inbox,
    Topic::Routed,
    Topic::Events,
    Topic::Attempts,
    Topic::DeadLetters,
    Topic::Requests,
    Topic::Progress,
    Topic::Control,
    Topic::Quarantine,
];
const RETRY: u8 = TOPICS.len() as u8;

/// A topic.
pub fn write_topic(topic: Topic, to: &mut Writer) {
    if let Topic::Retry(tier) = topic {
        to.byte(RETRY);
        return to.number(u64::from(tier.as_millis()));
    }
    let code = (0..).zip(TOPICS).find(|(_, known)| *known == topic);
    to.byte(code.map_or(u8::MAX, |(code, _)| code));
}

/// The topic back.
pub fn read_topic(from: &mut Reader<'_>) -> Result<Topic, Damage> {
    let code = from.byte()?;
    if code == RETRY {
        let tier = Tier::from_millis(from.small()?).ok_or(Damage::Value("a tier"))?;
        return Ok(Topic::Retry(tier));
    }
    let topic = TOPICS.get(usize::from(code));
    topic.copied().ok_or(Damage::Value("a topic"))
}

const CLASSES: [ErrorClass; 8] = [
    ErrorClass::Dns,
    ErrorClass::ForbiddenAddress,
    ErrorClass::Connect,
    ErrorClass::Tls,
    ErrorClass::Timeout,
    ErrorClass::Reset,
    ErrorClass::Protocol,
    ErrorClass::Status,
];

fn code_of(class: ErrorClass) -> u8 {
    let code = (0..).zip(CLASSES).find(|(_, known)| *known == class);
    code.map_or(u8::MAX, |(code, _)| code)
}

fn class_of(code: u8) -> Result<ErrorClass, Damage> {
    let class = CLASSES.get(usize::from(code));
    class.copied().ok_or(Damage::Value("a class of error"))
}
