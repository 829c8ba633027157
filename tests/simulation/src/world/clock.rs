//! Time in a world: virtual, and told by more than one clock.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use domain::time::{Clock, Timestamp};
use tokio::time::Instant;

/// When every world begins: 2026-01-02T00:00:00Z.
const BEGIN: i64 = 1_767_312_000_000;

/// The log's own clock: the runtime's timer, which is paused, as a time of day.
#[derive(Debug)]
pub struct LogClock {
    begun: Instant,
}

impl LogClock {
    /// A clock that begins now. Must be called on the world's runtime.
    #[must_use]
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            begun: Instant::now(),
        })
    }

    /// How many milliseconds the world is old.
    #[must_use]
    pub fn age(&self) -> i64 {
        i64::try_from(self.begun.elapsed().as_millis()).unwrap_or(i64::MAX)
    }
}

impl Clock for LogClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(BEGIN + self.age())
    }
}

/// A node's wall clock: the log's, as far off as it was set.
#[derive(Debug)]
pub struct NodeClock {
    log: Arc<LogClock>,
    off: AtomicI64,
}

impl NodeClock {
    /// A clock that is right.
    #[must_use]
    pub fn new(log: Arc<LogClock>) -> Arc<Self> {
        let off = AtomicI64::new(0);
        Arc::new(Self { log, off })
    }

    /// Sets the clock that many milliseconds off, at once.
    pub fn jump(&self, off: i64) {
        self.off.store(off, Ordering::SeqCst);
    }
}

impl Clock for NodeClock {
    fn now(&self) -> Timestamp {
        let now = self.log.now().as_millis();
        Timestamp::from_millis(now + self.off.load(Ordering::SeqCst))
    }
}
