//! How a dispatcher runs, and every bound of it.

use std::time::Duration;

use retry_scheduler::Ladder;

/// A dispatcher's settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The instance's own name, kept across restarts: its identity in the group, and what its fences
    /// say.
    pub instance: String,
    /// The group that hands out partitions of `events`.
    pub group: String,
    /// How long the group waits for a sign of life. The lease is half of it.
    pub session: Duration,
    /// The most requests at once, of the whole process, each until its outcome is durable.
    pub concurrency: usize,
    /// What the process holds in memory of events that wait to be sent, in bytes.
    pub max_bytes: u64,
    /// And in records.
    pub max_records: u64,
    /// How long requests that are on the wire may take once it is told to stop. What is not back by
    /// then is sent again by the next owner.
    pub drain: Duration,
    /// After this long of nothing but failure an endpoint is disabled.
    pub disable_after: Duration,
    /// The delay topics that new waits go into.
    pub ladder: Ladder,
    /// Whether the notes of what lanes wait for hold the records themselves: for a log whose single
    /// records are dear to read.
    pub notes_hold_records: bool,
    /// The sizes below, which only tests and measurements change.
    pub limits: Limits,
}

/// Bounds of one owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Records in one read of `events`.
    pub read_records: usize,
    /// Bytes in one read of `events`.
    pub read_bytes: usize,
    /// What one lane may hold, in bytes, before it lags.
    pub lane_bytes: u64,
    /// How many notes the index keeps of one lane.
    pub lane_notes: usize,
    /// Records that catch-up reads for a lane at once.
    pub fetch_records: usize,
    /// Retries of one endpoint that are held in memory.
    pub retries_held: usize,
    /// How far the oldest undone record of a lane may be behind the cursor before the lane has a
    /// record of its own in checkpoints (L6).
    pub far_behind: u64,
    /// Between two checkpoints. The lease rests on commits of their own.
    pub checkpoint_every: Duration,
    /// For how long the starts of attempts are gathered into one note.
    pub starts_every: Duration,
    /// Appends of one owner that are not durable yet.
    pub max_appends: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            instance: "postrider".to_owned(),
            group: "postrider-dispatchers".to_owned(),
            session: Duration::from_secs(10),
            concurrency: 1_024,
            max_bytes: 64 << 20,
            max_records: 65_536,
            drain: Duration::from_secs(30),
            disable_after: Duration::from_secs(5 * 86_400),
            ladder: Ladder::default(),
            notes_hold_records: false,
            limits: Limits::default(),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            read_records: 512,
            read_bytes: 1 << 20,
            // Two windows' worth of small events, or one event of the largest size.
            lane_bytes: 4 << 20,
            lane_notes: 16_384,
            fetch_records: 128,
            // A quarter of a window.
            retries_held: 256,
            far_behind: 10_000,
            checkpoint_every: Duration::from_secs(1),
            starts_every: Duration::from_millis(5),
            max_appends: 16_384,
        }
    }
}
