//! Records as the driver takes and gives them.

use std::panic::{AssertUnwindSafe, catch_unwind};

use bytes::Bytes;
use domain::time::Timestamp;
use eventlog_port::{Header, NewRecord, Offset, Record};
use rdkafka::message::{BorrowedHeaders, BorrowedMessage, Headers, Message, OwnedHeaders};

/// The headers of a record to append; `None` where there are none.
pub(crate) fn headers(record: &NewRecord) -> Option<OwnedHeaders> {
    if record.headers.is_empty() {
        return None;
    }
    let mut owned = OwnedHeaders::new_with_capacity(record.headers.len());
    for header in &record.headers {
        let value = header.value.as_deref();
        owned = owned.insert(rdkafka::message::Header {
            key: header.name(),
            value,
        });
    }
    Some(owned)
}

/// A fetched record that cannot be handed on.
#[derive(Debug, thiserror::Error)]
#[error("a header's name is not UTF-8")]
pub(crate) struct BadHeaders;

/// A fetched record. Its bytes are copied: the driver takes its own back.
pub(crate) fn record(message: &BorrowedMessage<'_>) -> Result<Record, BadHeaders> {
    let headers = match message.headers() {
        None => Vec::new(),
        // The driver panics over a header name that is not UTF-8, which anybody may write.
        Some(found) => catch_unwind(AssertUnwindSafe(|| copied(found))).map_err(|_| BadHeaders)?,
    };
    Ok(Record {
        offset: offset(message.offset()).expect("the offset of a fetched record"),
        appended_at: appended_at(message),
        key: message.key().map(Bytes::copy_from_slice),
        headers,
        value: message.payload().map(Bytes::copy_from_slice),
    })
}

/// All headers share one allocation.
fn copied(headers: &BorrowedHeaders) -> Vec<Header> {
    let size = headers
        .iter()
        .map(|h| h.key.len() + h.value.map_or(0, <[u8]>::len))
        .sum();
    let mut all = Vec::with_capacity(size);
    for header in headers.iter() {
        all.extend_from_slice(header.key.as_bytes());
        all.extend_from_slice(header.value.unwrap_or_default());
    }
    let mut rest = Bytes::from(all);
    let header = |header: rdkafka::message::Header<'_, &[u8]>| {
        let name = rest.split_to(header.key.len());
        let value = header.value.map(|value| rest.split_to(value.len()));
        Header::from_parts(name, value).expect("the driver hands on UTF-8 only")
    };
    headers.iter().map(header).collect()
}

/// An offset of the driver's; negative ones are not places in the log.
pub(crate) fn offset(raw: i64) -> Option<Offset> {
    Offset::try_from(raw).ok()
}

/// An offset as the driver wants it. Kafka's are 63 bits wide, so one that doesn't fit is beyond any
/// end.
pub(crate) fn raw(offset: Offset) -> i64 {
    i64::try_from(offset).unwrap_or(i64::MAX)
}

/// When the log appended the message.
pub(crate) fn appended_at(message: &BorrowedMessage<'_>) -> Timestamp {
    Timestamp::from_millis(message.timestamp().to_millis().unwrap_or_default())
}
