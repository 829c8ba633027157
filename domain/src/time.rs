//! Wall-clock time as the log knows it.

use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

/// A moment, in whole milliseconds since 1970-01-01T00:00:00Z, leap seconds not counted: the unit
/// in which Kafka stamps records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The moment `millis` after the epoch; negative before it.
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the epoch.
    #[must_use]
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// This moment moved forward, held at the last one that can be told.
    #[must_use]
    pub fn saturating_add(self, by: Duration) -> Self {
        Self(self.0.saturating_add(millis(by)))
    }

    /// This moment moved back, held at the first one that can be told.
    #[must_use]
    pub fn saturating_sub(self, by: Duration) -> Self {
        Self(self.0.saturating_sub(millis(by)))
    }

    /// How long `earlier` is past at this moment; zero when it is still to come.
    #[must_use]
    pub fn saturating_since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ms", self.0)
    }
}

/// Where the wall clock comes from. It stamps and signs; how long something took, or when a wait is
/// over, is told by the runtime's timer, which a simulation can pause.
pub trait Clock: Send + Sync + fmt::Debug {
    /// The moment it is. May step, in both directions.
    fn now(&self) -> Timestamp;
}

/// A clock that stands until it is moved.
#[derive(Debug, Default)]
pub struct ManualClock(AtomicI64);

impl ManualClock {
    /// A clock that shows `at`.
    #[must_use]
    pub const fn new(at: Timestamp) -> Self {
        Self(AtomicI64::new(at.0))
    }

    /// Moves the clock forward.
    pub fn advance(&self, by: Duration) {
        self.0.fetch_add(millis(by), Ordering::SeqCst);
    }

    /// Sets the clock, backwards too.
    pub fn set(&self, to: Timestamp) {
        self.0.store(to.0, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_is_held_at_its_ends() {
        let last = Timestamp::from_millis(i64::MAX);
        let first = Timestamp::from_millis(i64::MIN);
        let day = Duration::from_secs(86_400);
        assert_eq!(last.saturating_add(day), last);
        assert_eq!(first.saturating_sub(Duration::MAX), first);
        assert_eq!(first.saturating_since(last), Duration::ZERO);
        assert_eq!(
            Timestamp::from_millis(5)
                .saturating_since(Timestamp::from_millis(2))
                .as_millis(),
            3
        );
    }

    #[test]
    fn a_manual_clock_moves_only_when_told() {
        let clock = ManualClock::new(Timestamp::from_millis(10));
        assert_eq!(clock.now(), clock.now());
        clock.advance(Duration::from_millis(5));
        assert_eq!(clock.now().as_millis(), 15);
        clock.set(Timestamp::from_millis(1));
        assert_eq!(clock.now().as_millis(), 1);
    }
}
