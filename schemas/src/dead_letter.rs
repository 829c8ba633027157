//! `dead-letters`: deliveries that failed for good.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::attempt::Attempt;
use crate::delivery::{Delivery, Link};
use crate::document::{self, Document as _, documents};
use crate::error::DecodeError;
use crate::event::Addressed;
use crate::fence::Fence;
use crate::headers::Found;
use crate::parts::Parts;
use crate::retry::{addressed_parts, fence_parts};

documents! {
    /// The JSON of a record of `dead-letters`.
    pub(crate) enum DeadLetterJson {
        /// The end of the previous owner's epoch.
        "fence" => Fence(Fence),
        /// A delivery that failed for good.
        "dead_letter" => DeadLetter(End),
    }
}

/// A record of `dead-letters`.
#[expect(
    clippy::large_enum_variant,
    reason = "fences are rare, and a box would cost each other record"
)]
#[derive(Clone, Debug, PartialEq)]
pub enum DeadLetterRecord {
    /// The end of the previous owner's epoch.
    Fence(Fence),
    /// A delivery that failed for good.
    DeadLetter(DeadLetter),
}

/// A delivery that failed for good, with all that is needed to replay it.
#[derive(Clone, Debug, PartialEq)]
pub struct DeadLetter {
    /// The event and where it was to go.
    pub addressed: Addressed,
    /// Why it ended.
    pub end: End,
}

/// Why a delivery ended undelivered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct End {
    /// What it ends, and in whose epoch.
    pub link: Link,
    /// Which delivery.
    pub delivery: Delivery,
    /// Why.
    pub reason: DeadLetterReason,
    /// How many attempts were made.
    pub attempts: u32,
    /// The attempt that ended it; absent: none did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<Attempt>,
}

/// Why a delivery is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeadLetterReason {
    /// The schedule's last attempt failed.
    AttemptsExhausted,
    /// A status that no further attempt would change.
    PermanentFailure,
    /// The receiver said 410; its endpoint is disabled.
    Gone,
    /// The endpoint was deleted.
    EndpointDeleted,
    /// The endpoint is disabled.
    EndpointDisabled,
    /// It still waited when retention came near.
    Expired,
}

impl DeadLetterRecord {
    /// The record as it is appended. The payload is shared, not copied.
    #[must_use]
    pub fn encode(&self) -> Parts {
        match self {
            Self::Fence(fence) => fence_parts(DeadLetterJson::Fence(fence.clone()).to_json()),
            Self::DeadLetter(DeadLetter { addressed, end }) => {
                addressed_parts(addressed, document::write(DeadLetterJson::DEAD_LETTER, end))
            }
        }
    }

    /// Reads a record of `dead-letters`.
    ///
    /// # Errors
    /// A version that this program does not know, or a record that nobody of ours wrote.
    pub fn decode(parts: &Parts) -> Result<Self, DecodeError> {
        let found = Found::of(parts)?;
        Ok(match document::read_header(&found)? {
            DeadLetterJson::Fence(fence) => Self::Fence(fence),
            DeadLetterJson::DeadLetter(end) => {
                let addressed = Addressed::read(parts.key.as_ref(), &found, parts.value.as_ref())?;
                Self::DeadLetter(DeadLetter { addressed, end })
            }
        })
    }
}

impl DeadLetterRecord {
    /// The epoch of the owner that wrote it.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        match self {
            Self::Fence(fence) => fence.epoch.unwrap_or(0),
            Self::DeadLetter(dead) => dead.end.link.epoch,
        }
    }
}

impl DeadLetterJson {
    const DEAD_LETTER: &'static str = "dead_letter";
}
