//! The topics, by the names that the protocol calls them. A deployment may put a prefix before
//! each; no record holds it.

use std::fmt;
use std::str::FromStr;

use crate::error::Invalid;
use crate::text::text_in_json;

/// A topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Topic {
    /// Events that are not routed yet.
    Inbox,
    /// What the router decided.
    Routed,
    /// Events as addressed to one endpoint.
    Events,
    /// Failed attempts with another to come, waiting out one delay.
    Retry(Tier),
    /// Outcomes that are neither a retry nor a dead letter, and notes.
    Attempts,
    /// Deliveries that failed for good.
    DeadLetters,
    /// What operators ask.
    Requests,
    /// Checkpoints and lanes.
    Progress,
    /// Endpoints, event types, keys, replay jobs.
    Control,
    /// What others wrote and could not be decoded.
    Quarantine,
}

/// What the name of every retry topic begins with.
const RETRY: &str = "retry.";

impl Topic {
    /// Those in which an endpoint has the same partition number; every retry topic is one more.
    pub const CO_PARTITIONED: [Self; 5] = [
        Self::Events,
        Self::Attempts,
        Self::DeadLetters,
        Self::Requests,
        Self::Progress,
    ];

    /// Every topic of a deployment on today's ladder.
    #[must_use]
    pub fn all() -> Vec<Self> {
        let others = [Self::Inbox, Self::Routed, Self::Control, Self::Quarantine];
        let tiers = LADDER.map(Self::Retry);
        Self::CO_PARTITIONED
            .into_iter()
            .chain(others)
            .chain(tiers)
            .collect()
    }

    /// Whether an endpoint has the same partition number here as in `events`.
    #[must_use]
    pub const fn is_co_partitioned(self) -> bool {
        match self {
            Self::Events
            | Self::Retry(_)
            | Self::Attempts
            | Self::DeadLetters
            | Self::Requests
            | Self::Progress => true,
            Self::Inbox | Self::Routed | Self::Control | Self::Quarantine => false,
        }
    }

    /// Whether the owner of a partition, and nobody else, writes it. Each of these gets a fence.
    #[must_use]
    pub const fn is_written_by_its_owner(self) -> bool {
        match self {
            Self::Retry(_) | Self::Attempts | Self::DeadLetters | Self::Progress => true,
            Self::Inbox
            | Self::Routed
            | Self::Events
            | Self::Requests
            | Self::Control
            | Self::Quarantine => false,
        }
    }

    const fn fixed_name(self) -> Option<&'static str> {
        match self {
            Self::Inbox => Some("inbox"),
            Self::Routed => Some("routed"),
            Self::Events => Some("events"),
            Self::Retry(_) => None,
            Self::Attempts => Some("attempts"),
            Self::DeadLetters => Some("dead-letters"),
            Self::Requests => Some("requests"),
            Self::Progress => Some("progress"),
            Self::Control => Some("control"),
            Self::Quarantine => Some("quarantine"),
        }
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Retry(tier) => write!(f, "{RETRY}{tier}"),
            Self::Inbox
            | Self::Routed
            | Self::Events
            | Self::Attempts
            | Self::DeadLetters
            | Self::Requests
            | Self::Progress
            | Self::Control
            | Self::Quarantine => f.write_str(self.fixed_name().unwrap_or_default()),
        }
    }
}

impl FromStr for Topic {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        Ok(match text {
            "inbox" => Self::Inbox,
            "routed" => Self::Routed,
            "events" => Self::Events,
            "attempts" => Self::Attempts,
            "dead-letters" => Self::DeadLetters,
            "requests" => Self::Requests,
            "progress" => Self::Progress,
            "control" => Self::Control,
            "quarantine" => Self::Quarantine,
            other => {
                let tier = other.strip_prefix(RETRY).ok_or(Invalid(TOPIC_RULE))?;
                Self::Retry(tier.parse()?)
            }
        })
    }
}

const TOPIC_RULE: &str = "a topic of the protocol, by its name there";

text_in_json!(
    Topic,
    "^(inbox|routed|events|attempts|dead-letters|requests|progress|control|quarantine|retry\\.[1-9][0-9]{0,9}m?s)$",
    TOPIC_RULE
);

/// A retry topic, by its delay: a whole number of milliseconds, at least 1. Its text is that number
/// with `s` where it is whole seconds, else `ms`: `16s`, `250ms`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tier(u32);

/// The ladder: 1 s × 4ᵏ, nine tiers, to 18 h 12 min. A step of the default schedule is the sum of
/// few of them.
pub const LADDER: [Tier; 9] = {
    let mut ladder = [Tier(1_000); 9];
    let mut k = 1;
    while k < ladder.len() {
        ladder[k] = Tier(ladder[k - 1].0 * 4);
        k += 1;
    }
    ladder
};

impl Tier {
    /// The tier that delays by `millis`; `None` for zero.
    #[must_use]
    pub const fn from_millis(millis: u32) -> Option<Self> {
        if millis == 0 {
            None
        } else {
            Some(Self(millis))
        }
    }

    /// Its delay in milliseconds.
    #[must_use]
    pub const fn as_millis(self) -> u32 {
        self.0
    }
}

impl fmt::Display for Tier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_multiple_of(1_000) {
            write!(f, "{}s", self.0 / 1_000)
        } else {
            write!(f, "{}ms", self.0)
        }
    }
}

const TIER_RULE: &str = "a tier is 1s to 4294967s, or milliseconds that are no whole seconds";

impl FromStr for Tier {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let (digits, unit) = match text.strip_suffix("ms") {
            Some(digits) => (digits, 1),
            None => (text.strip_suffix('s').unwrap_or_default(), 1_000),
        };
        let millis =
            canonical_number(digits).and_then(|n| u32::try_from(n).ok()?.checked_mul(unit));
        let tier = millis
            .and_then(Self::from_millis)
            .ok_or(Invalid(TIER_RULE))?;
        // One name for a topic: 1000ms is not 1s.
        if unit == 1 && tier.0.is_multiple_of(1_000) {
            Err(Invalid(TIER_RULE))
        } else {
            Ok(tier)
        }
    }
}

text_in_json!(Tier, "^[1-9][0-9]{0,9}m?s$", TIER_RULE);

/// A number in its one decimal spelling: no sign, no leading zeros.
pub(crate) fn canonical_number(digits: &str) -> Option<u64> {
    let plain = digits.bytes().all(|b| b.is_ascii_digit());
    let canonical = plain && (digits == "0" || !digits.starts_with('0'));
    canonical.then(|| digits.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ladder_is_geometric() {
        let names = LADDER.map(|tier| Topic::Retry(tier).to_string());
        assert_eq!(names[0], "retry.1s");
        assert_eq!(names[8], "retry.65536s");
        assert!(
            LADDER
                .windows(2)
                .all(|pair| pair[1].as_millis() == 4 * pair[0].as_millis())
        );
    }

    #[test]
    fn every_topic_is_read_by_its_name() {
        let all = Topic::all();
        assert_eq!(all.len(), 18);
        for topic in all {
            assert_eq!(topic.to_string().parse(), Ok(topic));
        }
        let odd = Topic::Retry(Tier::from_millis(250).unwrap());
        assert_eq!(odd.to_string(), "retry.250ms");
        assert_eq!("retry.250ms".parse(), Ok(odd));
    }

    #[test]
    fn a_topic_has_one_name() {
        for bad in [
            "",
            "Inbox",
            "retry",
            "retry.",
            "retry.s",
            "retry.0s",
            "retry.01s",
            "retry.1000ms",
        ] {
            assert!(bad.parse::<Topic>().is_err(), "{bad}");
        }
        for bad in [
            "retry.+1s",
            "retry.1",
            "retry.4294968s",
            "retry.99999999999999999999s",
        ] {
            assert!(bad.parse::<Topic>().is_err(), "{bad}");
        }
    }

    #[test]
    fn what_its_owner_writes_is_co_partitioned() {
        for topic in Topic::all()
            .into_iter()
            .filter(|topic| topic.is_written_by_its_owner())
        {
            assert!(topic.is_co_partitioned(), "{topic}");
        }
    }
}
