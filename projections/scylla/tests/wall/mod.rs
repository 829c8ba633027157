//! The machine's clock: what is tried runs on a real server.

use std::time::{SystemTime, UNIX_EPOCH};

use domain::time::{Clock, Timestamp};

#[derive(Debug)]
pub(crate) struct Wall;

#[allow(
    clippy::disallowed_methods,
    reason = "the server that is tried has the machine's time"
)]
impl Clock for Wall {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap())
    }
}
