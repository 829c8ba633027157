//! `events`: an event as addressed to one endpoint.

use std::fmt;
use std::str::FromStr;

use domain::time::Timestamp;

use crate::error::{DecodeError, Invalid, Malformed, Problem};
use crate::event::Addressed;
use crate::headers::{self, Found, Writer, moment, number, optional, parsed};
use crate::ids::ReplayId;
use crate::origin::{Acceptance, Position};
use crate::parts::Parts;
use crate::topics::Topic;

/// A record of `events`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// The event and where it goes.
    pub addressed: Addressed,
    /// Where it came in, when that was not here.
    pub routed: Option<RoutedFrom>,
    /// The offset of `control` up to which the writer knew it. A dispatcher applies `control` that
    /// far before it acts on the record.
    pub control: u64,
    /// When the first attempt may be made at the earliest, in log time; `None`: at once.
    pub deliver_after: Option<Timestamp>,
    /// The replay that copied the event here from another endpoint.
    pub copied_from: Option<CopiedFrom>,
}

/// What the router says about where an event came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RoutedFrom {
    /// The partition of `inbox`, from 0.
    pub partition: u32,
    /// The offset there. With the endpoint it is the record's origin: the owner drops a record whose
    /// (offset, endpoint) is not above the highest that it has seen from the same partition.
    pub offset: u64,
    /// When the log appended that record: the acceptance's time.
    pub accepted_at: Timestamp,
}

impl RoutedFrom {
    const fn position(self) -> Position {
        Position {
            topic: Topic::Inbox,
            partition: self.partition,
            offset: self.offset,
        }
    }
}

/// What a replay to another endpoint copied. Its text is `<replay>/<position>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CopiedFrom {
    /// The replay.
    pub replay: ReplayId,
    /// The record that it copied, in `events` or `dead-letters`.
    pub position: Position,
}

impl fmt::Display for CopiedFrom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.replay, self.position)
    }
}

impl FromStr for CopiedFrom {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let rule = Invalid("must read <replay>/<topic>/<partition>/<offset>");
        let (replay, position) = text.split_once('/').ok_or(rule)?;
        Ok(Self {
            replay: replay.parse()?,
            position: position.parse()?,
        })
    }
}

impl Accepted {
    /// The record as it is appended. The payload is shared, not copied.
    #[must_use]
    pub fn encode(&self) -> Parts {
        let mut to = Writer::new();
        let key = to.bytes_of(self.addressed.endpoint);
        to.version();
        self.addressed.write(&mut to);
        to.formatted(headers::CONTROL, self.control);
        to.formatted_if(headers::ORIGIN, self.routed.map(RoutedFrom::position));
        to.formatted_if(
            headers::ACCEPTED_AT,
            self.routed.map(|from| from.accepted_at.as_millis()),
        );
        to.formatted_if(
            headers::DELIVER_AFTER,
            self.deliver_after.map(Timestamp::as_millis),
        );
        to.formatted_if(headers::COPIED_FROM, self.copied_from);
        to.finish(Some(key), self.addressed.payload.clone())
    }

    /// Reads a record of `events`. What it holds shares the record's bytes.
    ///
    /// # Errors
    /// A version that this program does not know, or a record that nobody of ours wrote.
    pub fn decode(parts: &Parts) -> Result<Self, DecodeError> {
        let found = Found::of(parts)?;
        found.check_version()?;
        Ok(Self {
            addressed: Addressed::read(parts.key.as_ref(), &found, parts.value.as_ref())?,
            routed: routed_from(&found)?,
            control: headers::required(headers::CONTROL, found.control, number)?,
            deliver_after: optional(headers::DELIVER_AFTER, found.deliver_after, moment)?,
            copied_from: optional(headers::COPIED_FROM, found.copied_from, parsed)?,
        })
    }

    /// Where the event was accepted, for a record that lies at (`partition`, `offset`) of `events`, and when:
    /// `appended_at` is that record's own time.
    #[must_use]
    pub fn acceptance(
        &self,
        partition: u32,
        offset: u64,
        appended_at: Timestamp,
    ) -> (Acceptance, Timestamp) {
        match self.routed {
            Some(from) => (
                Acceptance::inbox(from.partition, from.offset),
                from.accepted_at,
            ),
            None => (Acceptance::events(partition, offset), appended_at),
        }
    }
}

fn routed_from(found: &Found<'_>) -> Result<Option<RoutedFrom>, Malformed> {
    let Some(origin) = optional::<Position>(headers::ORIGIN, found.origin, parsed)? else {
        return Ok(None);
    };
    if origin.topic != Topic::Inbox {
        let problem = Problem::Invalid("must be a position in inbox");
        return Err(Malformed::header(headers::ORIGIN, problem));
    }
    let accepted_at = headers::required(headers::ACCEPTED_AT, found.accepted_at, moment)?;
    Ok(Some(RoutedFrom {
        partition: origin.partition,
        offset: origin.offset,
        accepted_at,
    }))
}
