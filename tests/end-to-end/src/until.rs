//! Waiting for something to be so.

use std::time::Duration;

use tokio::time::{Instant, sleep};

/// How often it is looked.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Looks until `look` finds something, for as long as `within`; it says what it saw instead.
///
/// # Errors
/// The deadline passed: `what` and the last that was seen. Whatever `look` fails with, at once.
pub async fn until<T>(
    what: &str,
    within: Duration,
    mut look: impl AsyncFnMut() -> anyhow::Result<Result<T, String>>,
) -> anyhow::Result<T> {
    let deadline = Instant::now() + within;
    loop {
        let seen = match look().await? {
            Ok(found) => return Ok(found),
            Err(seen) => seen,
        };
        anyhow::ensure!(
            Instant::now() < deadline,
            "{what}: not within {within:?}; last seen: {seen}"
        );
        sleep(LOOK_EVERY).await;
    }
}
