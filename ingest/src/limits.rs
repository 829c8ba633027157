//! Every bound of this crate, with its reason.

use std::time::Duration;

/// How far ahead `deliver_after` may lie: what waits in the tiers has to come out of them well inside
/// retention (30 days and the longest outage).
pub const MAX_DELIVER_AFTER: Duration = Duration::from_secs(30 * 86_400);

/// The longest idempotency window. Rows of the keyed store are kept that much longer than `inbox`.
pub const MAX_IDEMPOTENCY_WINDOW: Duration = Duration::from_secs(72 * 3_600);

/// To how many endpoints one event may go: so many routes, 75 bytes each, stay well inside the room
/// that topics have above the ingest limit (512 KiB).
pub const MAX_ROUTES: usize = 4_000;

/// How many events a batch may have (`docs/api.md`).
pub const MAX_BATCH: usize = 1_000;

/// How many keys are remembered while no router has written their rows yet: seconds of the most
/// that routers keep up with.
pub const RECENT_KEYS: usize = 8_192;

/// How long the look-up of an idempotency key may take. It only makes answers better: without one
/// the router decides all the same.
pub const KEY_LOOK_UP: Duration = Duration::from_millis(250);

/// What one read of `inbox` brings to a router, and how long it waits for it.
pub const READ_RECORDS: usize = 512;
/// As [`READ_RECORDS`], in bytes.
pub const READ_BYTES: usize = 4 << 20;
/// As [`READ_RECORDS`], in time.
pub const READ_WAIT: Duration = Duration::from_secs(1);

/// How many inbox records a router may have whose routes are not all durable: past that it reads no
/// further, so that memory is bounded while the log is slow.
pub const OPEN_RECORDS: usize = 16_384;

/// What is left of a topic's limit for what the router adds to a Kafka producer's record: our own
/// headers, most of all the ids.
pub const ROUTED_HEADERS: usize = 2 << 10;

/// The most of an unreadable record's value that is kept in quarantine: the ingest limit.
pub const QUARANTINED_VALUE: usize = 1 << 20;
