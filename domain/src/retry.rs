//! When a failed delivery is tried again.

use std::time::Duration;

use crate::limits::{MAX_ATTEMPTS, MAX_FACTOR, MAX_JITTER, MAX_WAIT};

/// The waits of the standard schedule in seconds, the first after the first attempt: Standard
/// Webhooks 1.0, "Deliverability and reliability".
pub const STANDARD: [u64; 9] = [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400];

/// How much chance adds to a wait unless an endpoint says otherwise.
pub const STANDARD_JITTER: f64 = 0.1;

/// When to try again, and after what.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// The waits.
    pub schedule: Schedule,
    /// How much chance may lengthen a wait: 0 to 1 of it.
    pub jitter: f64,
    /// Which failures are tried again.
    pub retry_on: RetryOn,
}

/// The waits between attempts. The first attempt is made at once and has none.
#[derive(Clone, Debug, PartialEq)]
pub enum Schedule {
    /// One by one, in seconds; one attempt more than there are waits.
    Seconds(Vec<u64>),
    /// By a rule.
    Geometric {
        /// The first wait, in seconds.
        initial: f64,
        /// What each further one is multiplied by.
        factor: f64,
        /// The longest in seconds, what chance adds counted.
        max: f64,
        /// How many attempts, the first counted.
        max_attempts: u32,
    },
}

/// Which failures are tried again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RetryOn {
    /// Those that may pass.
    #[default]
    Transient,
    /// All of them, but a 410.
    AnyFailure,
}

impl Schedule {
    /// At once, then after 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 14 h, 20 h, 24 h.
    #[must_use]
    pub fn standard() -> Self {
        Self::Seconds(STANDARD.to_vec())
    }

    /// How many attempts, the first counted: 1 to [`MAX_ATTEMPTS`].
    #[must_use]
    pub fn max_attempts(&self) -> u32 {
        let wanted = match self {
            Self::Seconds(waits) => u32::try_from(waits.len())
                .unwrap_or(MAX_ATTEMPTS)
                .saturating_add(1),
            Self::Geometric { max_attempts, .. } => *max_attempts,
        };
        wanted.clamp(1, MAX_ATTEMPTS)
    }

    /// The wait after attempt `made`, from 1, which must be below [`Schedule::max_attempts`].
    fn wait(&self, made: u32) -> Duration {
        let wait = match self {
            Self::Seconds(waits) => {
                let index = usize::try_from(made - 1).unwrap_or(usize::MAX);
                Duration::from_secs(waits.get(index).copied().unwrap_or(0))
            }
            // Multiplied one by one: a library's power may differ in its last bit from machine to
            // machine, and a history must not.
            Self::Geometric {
                initial,
                factor,
                max,
                ..
            } => {
                let factor = held(*factor, 0.0, MAX_FACTOR);
                let longest = held(*max, 0.0, MAX_WAIT.as_secs_f64());
                let grown = (1..made).fold(held(*initial, 0.0, longest), |wait, _| {
                    (wait * factor).min(longest)
                });
                millis_up(grown)
            }
        };
        wait.min(MAX_WAIT)
    }

    /// What no wait passes, chance counted.
    fn longest(&self) -> Duration {
        match self {
            Self::Seconds(_) => Duration::MAX,
            Self::Geometric { max, .. } => millis_up(held(*max, 0.0, MAX_WAIT.as_secs_f64())),
        }
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            schedule: Schedule::standard(),
            jitter: STANDARD_JITTER,
            retry_on: RetryOn::Transient,
        }
    }
}

impl Policy {
    /// How many attempts are made at most, the first counted: 1 to [`MAX_ATTEMPTS`].
    #[must_use]
    pub fn max_attempts(&self) -> u32 {
        self.schedule.max_attempts()
    }

    /// How long the next attempt waits at least, when `attempts_made` have failed, in whole
    /// milliseconds. `None`: they were all that there are. Zero attempts made: at once.
    #[must_use]
    pub fn wait_after(&self, attempts_made: u32) -> Option<Duration> {
        self.range_after(attempts_made).map(|(least, _)| least)
    }

    /// How long the next attempt waits at least and at most, chance counted: it is drawn from
    /// between. What the system adds on its way is not in it.
    #[must_use]
    pub fn range_after(&self, attempts_made: u32) -> Option<(Duration, Duration)> {
        if attempts_made >= self.max_attempts() {
            return None;
        }
        if attempts_made == 0 {
            return Some((Duration::ZERO, Duration::ZERO));
        }
        let least = self.schedule.wait(attempts_made);
        let jitter = held(self.jitter, 0.0, MAX_JITTER);
        let most = least + millis_down(least.as_secs_f64() * jitter);
        Some((least, most.min(self.schedule.longest()).max(least)))
    }

    /// From the first attempt to the last at the longest, if each failed at once: what events have
    /// to be kept for.
    #[must_use]
    pub fn total(&self) -> Duration {
        (1..self.max_attempts())
            .filter_map(|made| self.range_after(made))
            .map(|(_, most)| most)
            .fold(Duration::ZERO, Duration::saturating_add)
    }
}

/// `number` within its bounds; what is no number is the lower one.
fn held(number: f64, low: f64, high: f64) -> f64 {
    if number.is_nan() {
        low
    } else {
        number.clamp(low, high)
    }
}

/// Up, so that rounding makes nothing early. `seconds` lies within [`MAX_WAIT`].
fn millis_up(seconds: f64) -> Duration {
    Duration::from_millis((seconds * 1_000.0).ceil() as u64)
}

fn millis_down(seconds: f64) -> Duration {
    Duration::from_millis((seconds * 1_000.0).floor() as u64)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn seconds(waits: &[u64], jitter: f64) -> Policy {
        Policy {
            schedule: Schedule::Seconds(waits.to_vec()),
            jitter,
            retry_on: RetryOn::Transient,
        }
    }

    fn geometric(initial: f64, factor: f64, max: f64, max_attempts: u32) -> Policy {
        Policy {
            schedule: Schedule::Geometric {
                initial,
                factor,
                max,
                max_attempts,
            },
            jitter: 0.5,
            retry_on: RetryOn::Transient,
        }
    }

    #[test]
    fn the_standard_schedule_is_the_standard_s() {
        let policy = Policy::default();
        let hours = |h: u64| h * 3_600;
        let wanted = [
            0,
            5,
            300,
            1_800,
            hours(2),
            hours(5),
            hours(10),
            hours(14),
            hours(20),
            hours(24),
        ];
        assert_eq!(policy.max_attempts(), 10);
        for (made, wait) in wanted.into_iter().enumerate() {
            let made = u32::try_from(made).unwrap();
            assert_eq!(policy.wait_after(made), Some(Duration::from_secs(wait)));
        }
        assert_eq!(policy.wait_after(10), None);
        assert_eq!(policy.wait_after(u32::MAX), None);
        let (least, most) = policy.range_after(9).unwrap();
        assert_eq!(least, Duration::from_secs(86_400));
        assert_eq!(most, Duration::from_secs(95_040));
        let waits: u64 = wanted.iter().sum();
        assert_eq!(policy.total(), Duration::from_millis(waits * 1_100));
    }

    #[test]
    fn schedules_in_both_forms() {
        let none = seconds(&[], 1.0);
        assert_eq!((none.max_attempts(), none.wait_after(1)), (1, None));
        assert_eq!(none.total(), Duration::ZERO);
        let doubling = geometric(0.5, 2.0, 3.0, 6);
        let waits: Vec<_> = (1..7).map(|made| doubling.range_after(made)).collect();
        let range = |least, most| Some((Duration::from_millis(least), Duration::from_millis(most)));
        assert_eq!(
            waits,
            [
                range(500, 750),
                range(1_000, 1_500),
                range(2_000, 3_000),
                range(3_000, 3_000),
                range(3_000, 3_000),
                None
            ]
        );
    }

    #[test]
    fn odd_values_are_held_within_bounds() {
        let odd = [
            geometric(f64::NAN, f64::NAN, f64::NAN, u32::MAX),
            geometric(-1.0, -1.0, -1.0, 0),
            geometric(f64::INFINITY, f64::INFINITY, f64::INFINITY, 5),
            geometric(1e300, 1e300, 1e300, 5),
            seconds(&[u64::MAX; 500], f64::INFINITY),
            seconds(&[0, 0], -3.0),
        ];
        for policy in odd {
            assert!((1..=MAX_ATTEMPTS).contains(&policy.max_attempts()));
            for made in 1..policy.max_attempts() {
                let (least, most) = policy.range_after(made).unwrap();
                assert!(least <= most && least <= MAX_WAIT, "{policy:?}");
            }
            assert_eq!(policy.wait_after(policy.max_attempts()), None);
        }
    }

    proptest! {
        #[test]
        fn waits_are_ordered_bounded_and_end(
            initial in 0.0..1e4_f64,
            factor in 1.0..10.0_f64,
            max in 0.0..1e6_f64,
            attempts in 1..60_u32,
            jitter in 0.0..=1.0_f64,
        ) {
            let policy = Policy { jitter, ..geometric(initial, factor, max, attempts) };
            let mut before = Duration::ZERO;
            let mut total = Duration::ZERO;
            for made in 1..attempts {
                let (least, most) = policy.range_after(made).unwrap();
                prop_assert!(before <= least && least <= most);
                prop_assert!(most <= Duration::from_secs_f64(max) + Duration::from_millis(1));
                before = least;
                total += most;
            }
            prop_assert_eq!(policy.wait_after(attempts), None);
            prop_assert_eq!(policy.total(), total);
        }
    }
}
