//! The machine's wall clock.

use std::time::{SystemTime, UNIX_EPOCH};

use domain::time::{Clock, Timestamp};

/// The clock that everything in the process is handed.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads the wall clock; all others are handed a Clock"
    )]
    fn now(&self) -> Timestamp {
        let now = SystemTime::now();
        let millis = now.duration_since(UNIX_EPOCH).map_or_else(
            |before| -i128::try_from(before.duration().as_millis()).unwrap_or(i128::MAX),
            |after| i128::try_from(after.as_millis()).unwrap_or(i128::MAX),
        );
        Timestamp::from_millis(i64::try_from(millis).unwrap_or(i64::MAX))
    }
}
