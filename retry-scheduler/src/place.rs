//! Where a delivery waits next.

use std::time::Duration;

use domain::chance::Chance;
use domain::tiers;
use domain::time::Timestamp;
use schemas::topics::{LADDER, Tier};

/// The tiers that new waits are put into, ascending.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ladder {
    tiers: Vec<Tier>,
    delays: Vec<Duration>,
}

/// Where a delivery waits next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In this delay topic.
    Tier(Tier),
    /// In its lane: what is left is less than the smallest tier.
    Lane,
}

impl Default for Ladder {
    fn default() -> Self {
        Self::new(LADDER.to_vec())
    }
}

impl Ladder {
    /// A ladder of these tiers, in any order. An empty one is the protocol's own.
    #[must_use]
    pub fn new(mut tiers: Vec<Tier>) -> Self {
        tiers.sort_unstable();
        if tiers.is_empty() {
            tiers.extend(LADDER);
        }
        let delays = tiers.iter().map(|tier| delay(*tier)).collect();
        Self { tiers, delays }
    }

    /// Its tiers, ascending.
    #[must_use]
    pub fn tiers(&self) -> &[Tier] {
        &self.tiers
    }

    /// Where to wait at `now` for `due`: the largest tier that is over by then.
    #[must_use]
    pub fn place(&self, now: Timestamp, due: Timestamp) -> Place {
        let fitting = tiers::fitting(&self.delays, due.saturating_since(now));
        let at = fitting.and_then(|delay| self.delays.iter().position(|other| *other == delay));
        at.map_or(Place::Lane, |at| Place::Tier(self.tiers[at]))
    }

    /// As [`place`](Self::place), where the lane can't wait: then the smallest tier, a little late.
    #[must_use]
    pub fn tier(&self, now: Timestamp, due: Timestamp) -> Tier {
        match self.place(now, due) {
            Place::Tier(tier) => tier,
            Place::Lane => self.tiers[0],
        }
    }

    /// When to try again after an attempt that failed at `now`: after `shortest` to `longest`, a sum
    /// of few tiers where that can be had.
    #[must_use]
    pub fn due(
        &self,
        now: Timestamp,
        (shortest, longest): (Duration, Duration),
        chance: &mut dyn Chance,
    ) -> Timestamp {
        now.saturating_add(tiers::draw(&self.delays, shortest, longest, chance))
    }
}

/// How long a tier holds its records.
pub(crate) fn delay(tier: Tier) -> Duration {
    Duration::from_millis(tier.as_millis().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_tier_that_is_over_in_time() {
        let ladder = Ladder::default();
        let at = |millis| Timestamp::from_millis(millis);
        for (due, place) in [
            (0, None),
            (999, None),
            (1_000, Some(0)),
            (3_999, Some(0)),
            (4_000, Some(1)),
            (1 << 40, Some(8)),
        ] {
            let place = place.map_or(Place::Lane, |at: usize| Place::Tier(LADDER[at]));
            assert_eq!(ladder.place(at(50), at(50 + due)), place, "{due}");
        }
        assert_eq!(ladder.place(at(50), at(0)), Place::Lane);
        assert_eq!(ladder.tier(at(50), at(60)), LADDER[0]);
    }
}
