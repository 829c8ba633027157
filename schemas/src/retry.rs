//! `retry.<tier>`: a failed attempt with another to come, waiting out the tier's delay.

use bytes::Bytes;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::attempt::Attempt;
use crate::delivery::{Delivery, Link};
use crate::document::{self, Document as _, documents};
use crate::error::DecodeError;
use crate::event::Addressed;
use crate::fence::Fence;
use crate::headers::{self, Found, Writer};
use crate::parts::Parts;
use crate::scalar::At;
use crate::topics::Tier;

documents! {
    /// The JSON of a record of `retry.<tier>`.
    pub(crate) enum RetryJson {
        /// The end of the previous owner's epoch.
        "fence" => Fence(Fence),
        /// A delivery that waits.
        "retry" => Retry(Wait),
    }
}

/// A record of `retry.<tier>`.
#[expect(
    clippy::large_enum_variant,
    reason = "fences are rare, and a box would cost each other record"
)]
#[derive(Clone, Debug, PartialEq)]
pub enum RetryRecord {
    /// The end of the previous owner's epoch.
    Fence(Fence),
    /// A delivery that waits.
    Retry(Retry),
}

/// A delivery that waits, with all that is needed to send it.
#[derive(Clone, Debug, PartialEq)]
pub struct Retry {
    /// The event and where it goes.
    pub addressed: Addressed,
    /// What for, and until when.
    pub wait: Wait,
}

/// Why a delivery waits, and until when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Wait {
    /// What it ends, and in whose epoch.
    pub link: Link,
    /// Which delivery.
    pub delivery: Delivery,
    /// The delay that it waits out here.
    pub tier: Tier,
    /// When the next attempt is due, in log time. Later than this tier lets it go: then it goes on
    /// to a further one.
    pub due_at: At,
    /// Why it is here.
    pub reason: WaitReason,
    /// How many attempts have been made.
    pub attempts: u32,
    /// How often its lane could not take it when it was due, since its last attempt. Each time it
    /// is put off twice as long, to 17 minutes.
    pub put_off: u32,
    /// The attempt that failed; absent unless this record is that attempt's outcome.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<Attempt>,
}

/// Why a delivery waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WaitReason {
    /// An attempt failed.
    Failed,
    /// A tier let it go before it was due: one more hop.
    Hop,
    /// It was due, and its lane could not take it.
    PutOff,
    /// Its producer asked for a later first attempt.
    Deferred,
}

impl RetryRecord {
    /// The record as it is appended. The payload is shared, not copied.
    #[must_use]
    pub fn encode(&self) -> Parts {
        match self {
            Self::Fence(fence) => fence_parts(RetryJson::Fence(fence.clone()).to_json()),
            Self::Retry(Retry { addressed, wait }) => {
                addressed_parts(addressed, document::write(RetryJson::RETRY, wait))
            }
        }
    }

    /// Reads a record of `retry.<tier>`.
    ///
    /// # Errors
    /// A version that this program does not know, or a record that nobody of ours wrote.
    pub fn decode(parts: &Parts) -> Result<Self, DecodeError> {
        let found = Found::of(parts)?;
        Ok(match document::read_header(&found)? {
            RetryJson::Fence(fence) => Self::Fence(fence),
            RetryJson::Retry(wait) => {
                let addressed = Addressed::read(parts.key.as_ref(), &found, parts.value.as_ref())?;
                Self::Retry(Retry { addressed, wait })
            }
        })
    }
}

impl RetryRecord {
    /// The epoch of the owner that wrote it.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        match self {
            Self::Fence(fence) => fence.epoch.unwrap_or(0),
            Self::Retry(retry) => retry.wait.link.epoch,
        }
    }
}

impl RetryJson {
    const RETRY: &'static str = "retry";
}

/// A fence in a topic whose values are payloads: its value is empty, since a tombstone is never ours.
pub(crate) fn fence_parts(json: Vec<u8>) -> Parts {
    let mut to = Writer::new();
    to.shared(headers::JSON, json.into());
    to.finish(None, Bytes::new())
}

/// An event with the JSON of its outcome beside it.
pub(crate) fn addressed_parts(addressed: &Addressed, json: Vec<u8>) -> Parts {
    let mut to = Writer::new();
    let key = to.bytes_of(addressed.endpoint);
    addressed.write(&mut to);
    to.shared(headers::JSON, json.into());
    to.finish(Some(key), addressed.payload.clone())
}
