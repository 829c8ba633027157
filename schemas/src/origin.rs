//! Where a record lies, and what it has to do with others.

use std::fmt;
use std::str::FromStr;

use crate::error::Invalid;
use crate::ids::ReplayId;
use crate::text::text_in_json;
use crate::topics::{Topic, canonical_number};

/// A record's place in the log. Its text is `topic/partition/offset`: `events/3/120`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// The topic.
    pub topic: Topic,
    /// The partition's number, from 0.
    pub partition: u32,
    /// The offset in the partition.
    pub offset: u64,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            topic,
            partition,
            offset,
        } = self;
        write!(f, "{topic}/{partition}/{offset}")
    }
}

const POSITION_RULE: &str = "a position reads topic/partition/offset";

impl FromStr for Position {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let bad = Invalid(POSITION_RULE);
        let mut parts = text.split('/');
        let mut next = || parts.next().ok_or(bad);
        let topic = next()?.parse()?;
        let partition = canonical_number(next()?).and_then(|n| u32::try_from(n).ok());
        let offset = canonical_number(next()?);
        match (partition, offset, parts.next()) {
            (Some(partition), Some(offset), None) => Ok(Self {
                topic,
                partition,
                offset,
            }),
            (None, _, _) | (_, None, _) | (_, _, Some(_)) => Err(bad),
        }
    }
}

text_in_json!(
    Position,
    "^[a-z0-9.-]+/(0|[1-9][0-9]{0,9})/(0|[1-9][0-9]{0,19})$",
    POSITION_RULE
);

/// Where an event was accepted: a position in `inbox` or in `events`. It is known before the event
/// is routed, so a `202` can already name the deliveries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Acceptance(Position);

const ACCEPTANCE_RULE: &str = "an acceptance is a position in inbox or events";

impl Acceptance {
    /// Accepted in `inbox`.
    #[must_use]
    pub const fn inbox(partition: u32, offset: u64) -> Self {
        Self(Position {
            topic: Topic::Inbox,
            partition,
            offset,
        })
    }

    /// Accepted in `events`.
    #[must_use]
    pub const fn events(partition: u32, offset: u64) -> Self {
        Self(Position {
            topic: Topic::Events,
            partition,
            offset,
        })
    }

    /// The position.
    #[must_use]
    pub const fn position(&self) -> Position {
        self.0
    }

    pub(crate) fn door_code(self) -> u8 {
        u8::from(self.0.topic == Topic::Inbox)
    }
}

impl TryFrom<Position> for Acceptance {
    type Error = Invalid;

    fn try_from(position: Position) -> Result<Self, Invalid> {
        let is_door = matches!(position.topic, Topic::Inbox | Topic::Events);
        if is_door {
            Ok(Self(position))
        } else {
            Err(Invalid(ACCEPTANCE_RULE))
        }
    }
}

impl FromStr for Acceptance {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        Self::try_from(text.parse::<Position>()?)
    }
}

impl fmt::Display for Acceptance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

text_in_json!(
    Acceptance,
    "^(inbox|events)/(0|[1-9][0-9]{0,9})/(0|[1-9][0-9]{0,19})$",
    ACCEPTANCE_RULE
);

/// Which pass over the log a delivery belongs to. Its text is `0`, or the replay's id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Run {
    /// The first: live delivery.
    First,
    /// A replay.
    Replay(ReplayId),
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::First => f.write_str("0"),
            Self::Replay(id) => id.fmt(f),
        }
    }
}

impl FromStr for Run {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        if text == "0" {
            Ok(Self::First)
        } else {
            text.parse().map(Self::Replay)
        }
    }
}

text_in_json!(
    Run,
    "^(0|rpl_[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12})$",
    "a run is 0, or a replay's id"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_has_one_spelling() {
        let position = Position {
            topic: Topic::Events,
            partition: 3,
            offset: u64::MAX,
        };
        assert_eq!(position.to_string(), "events/3/18446744073709551615");
        assert_eq!(position.to_string().parse(), Ok(position));
        for bad in [
            "",
            "events",
            "events/3",
            "events/3/",
            "events//1",
            "events/3/1/",
            "events/03/1",
        ] {
            assert!(bad.parse::<Position>().is_err(), "{bad}");
        }
        for bad in [
            "nowhere/3/1",
            "events/-3/1",
            "events/3/18446744073709551616",
            "events/3/+1",
        ] {
            assert!(bad.parse::<Position>().is_err(), "{bad}");
        }
        assert!("events/4294967296/1".parse::<Position>().is_err());
    }

    #[test]
    fn events_are_accepted_at_two_doors_only() {
        assert!("inbox/0/0".parse::<Acceptance>().is_ok());
        assert!("events/0/0".parse::<Acceptance>().is_ok());
        assert!("retry.1s/0/0".parse::<Acceptance>().is_err());
    }
}
