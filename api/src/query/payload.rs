//! Payloads, and what else only the log has, by position.

use bytes::Bytes;
use eventlog_port::{ReadError, TopicPartition};
use problem::Problem;
use schemas::accepted::Accepted;
use schemas::attempt::Attempt;
use schemas::attempts::AttemptsRecord;
use schemas::dead_letter::DeadLetterRecord;
use schemas::event::{Addressed, Envelope, Priority};
use schemas::inbox::InboxEvent;
use schemas::origin::Position;
use schemas::record::Record;
use schemas::retry::RetryRecord;
use schemas::text::OrderingKey;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::failures;
use crate::shared::Shared;

/// An event as its record has it.
pub(super) struct Stored {
    pub(super) envelope: Envelope,
    pub(super) priority: Priority,
    pub(super) ordering_key: Option<OrderingKey>,
    pub(super) payload: Bytes,
}

impl From<Addressed> for Stored {
    fn from(addressed: Addressed) -> Self {
        Self {
            envelope: addressed.envelope,
            priority: addressed.priority,
            ordering_key: addressed.ordering_key,
            payload: addressed.payload,
        }
    }
}

impl From<InboxEvent> for Stored {
    fn from(event: InboxEvent) -> Self {
        Self {
            envelope: event.envelope,
            priority: event.priority,
            ordering_key: event.ordering_key,
            payload: event.payload,
        }
    }
}

/// A payload as clients see it: as it was sent where it is JSON, else in base64.
#[derive(Default, Serialize)]
pub(super) struct ShownPayload {
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload_base64: Option<String>,
}

impl ShownPayload {
    pub(super) fn of(payload: &Bytes) -> Self {
        let text = std::str::from_utf8(payload).ok();
        let raw = text.and_then(|text| RawValue::from_string(text.to_owned()).ok());
        let payload_base64 = raw.is_none().then(|| encoded(payload));
        Self {
            payload: raw,
            payload_base64,
        }
    }
}

/// Bytes in base64.
pub(super) fn encoded(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

/// The event in the record at `position`; `None` when retention has passed it, or it holds none.
pub(super) async fn event_at(
    shared: &Shared,
    position: Position,
) -> Result<Option<Stored>, Problem> {
    Ok(match record_at(shared, position).await? {
        Some(Record::Inbox(event)) => Some(event.into()),
        Some(Record::Events(Accepted { addressed, .. })) => Some(addressed.into()),
        Some(Record::DeadLetters(DeadLetterRecord::DeadLetter(letter))) => {
            Some(letter.addressed.into())
        }
        Some(_) | None => None,
    })
}

/// The attempt that the record at `position` tells of, in full; `None` when it is gone or tells of none.
pub(super) async fn attempt_at(
    shared: &Shared,
    position: Position,
) -> Result<Option<Attempt>, Problem> {
    Ok(match record_at(shared, position).await? {
        Some(Record::Attempts(AttemptsRecord::Succeeded(succeeded))) => Some(succeeded.attempt),
        Some(Record::Attempts(AttemptsRecord::HeadFailed(failed))) => Some(failed.attempt),
        Some(Record::Retry(RetryRecord::Retry(retry))) => retry.wait.attempt,
        Some(Record::DeadLetters(DeadLetterRecord::DeadLetter(letter))) => letter.end.attempt,
        Some(_) | None => None,
    })
}

async fn record_at(shared: &Shared, position: Position) -> Result<Option<Record>, Problem> {
    let partition = TopicPartition::of(position.topic, position.partition);
    let record = match shared.log.read_at(&partition, position.offset).await {
        Ok(record) => record,
        Err(ReadError::OffsetGone { .. }) => None,
        Err(error) => return Err(failures::of_reading(&error)),
    };
    let Some(record) = record else {
        return Ok(None);
    };
    match Record::decode(position.topic, &record.into_parts()) {
        Ok(record) => Ok(Some(record)),
        Err(error) => {
            // A newer program's: what the row says of it is still true, and shown.
            tracing::warn!(%position, %error, "a record can't be read");
            Ok(None)
        }
    }
}
