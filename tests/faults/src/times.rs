//! The machine's wall clock, which brokers on it have too.

use domain::time::{Clock, Timestamp};

/// It.
#[derive(Clone, Copy, Debug, Default)]
pub struct WallClock;

impl Clock for WallClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "what is journalled is compared with the append times of real brokers"
    )]
    fn now(&self) -> Timestamp {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let millis = since.map_or(0, |since| since.as_millis());
        Timestamp::from_millis(i64::try_from(millis).unwrap_or(i64::MAX))
    }
}

/// Now, in milliseconds since 1970.
#[must_use]
pub fn now() -> i64 {
    WallClock.now().as_millis()
}
