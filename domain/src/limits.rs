//! Bounds on what an endpoint may ask for, each with its reason. The api refuses what lies outside;
//! who reads a stored endpoint holds its values to the same bounds, so that no record, however it
//! came to be, makes a lane wait for ever or send without end.

use std::time::Duration;

/// The most attempts of one delivery, the first counted. Far above any schedule that ends within a
/// retention, and small enough that a schedule can be walked whenever it is asked about.
pub const MAX_ATTEMPTS: u32 = 100;

/// The longest wait before one attempt. The longest that a deployment keeps events is about this;
/// the api refuses sooner, by the retention as it is set.
pub const MAX_WAIT: Duration = Duration::from_secs(30 * 86_400);

/// The most that chance may lengthen a wait by, as a share of it.
pub const MAX_JITTER: f64 = 1.0;

/// The most that each wait may be times the one before. More is a schedule of two waits.
pub const MAX_FACTOR: f64 = 100.0;

/// The longest that a receiver may put off by `Retry-After`: a day, the longest wait of the standard
/// schedule. A receiver that says more is asked again all the same.
pub const MAX_RETRY_AFTER: Duration = Duration::from_secs(86_400);

/// How long a lane holds back after a 429 that doesn't say how long.
pub const SLOW_WITHOUT_WORD: Duration = Duration::from_secs(1);

/// The longest `Retry-After` that is looked at, in bytes: an HTTP date takes 29.
pub const MAX_RETRY_AFTER_LEN: usize = 64;

/// How many requests may be on their way to one endpoint.
pub const MAX_IN_FLIGHT: u32 = 1_000;

/// The shortest and the longest limit of a whole attempt, in seconds. A limit above the longest
/// would let one hanging receiver hold its slots for minutes.
pub const TIMEOUT_SECONDS: (u32, u32) = (1, 120);

/// The failures in a row that open a circuit: at most so many moments are kept for each endpoint.
pub const MAX_CIRCUIT_FAILURES: u32 = 1_000;

/// The longest window, and the longest that a circuit stays open, in seconds: a day.
pub const MAX_CIRCUIT_SECONDS: u32 = 86_400;
