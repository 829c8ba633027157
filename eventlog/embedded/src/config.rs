//! What an embedded log is told, and its bounds.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use domain::time::Clock;

/// Appends and bytes that one batch may hold. Past this an fsync is a small part of its cost, and
/// those who wait wait for the copying of others.
pub(crate) const BATCH_RECORDS: usize = 4_096;
pub(crate) const BATCH_BYTES: usize = 8 << 20;

/// A batch does not wait on when nothing has come for this long.
pub(crate) const LULL: Duration = Duration::from_micros(60);

/// Largest record in bytes that any topic may allow: the engine's own bound on a value is 4 GiB, and
/// a batch has to fit in memory.
pub(crate) const MAX_RECORD_BYTES: u32 = 64 << 20;

/// An embedded log, as it is asked for.
#[derive(Clone)]
pub struct Config {
    /// The folder that holds it; made when it isn't there.
    pub directory: PathBuf,
    /// Who opens it, shown to the next who tries: a command, say.
    pub holder: String,
    /// Stamps the records.
    pub clock: Arc<dyn Clock>,
    /// Appends are refused as [`Full`](eventlog_port::AppendError::Full) while the file system has
    /// less than this many bytes free, so that the engine keeps the room that it needs to write back
    /// what it holds and to shrink.
    pub reserve_bytes: u64,
    /// Bytes of appends that may wait to be durable, over all writers.
    pub pending_bytes: u32,
    /// Bytes of blocks kept in memory for reads.
    pub cache_bytes: u64,
    /// How often retention is looked after.
    pub retention_check: Duration,
    /// Called around each commit. Tests make it wait or fail.
    pub hook: Option<Arc<dyn CommitHook>>,
}

impl Config {
    /// A log in `directory` with the bounds that suit a machine of two cores.
    pub fn new(directory: impl Into<PathBuf>, clock: Arc<dyn Clock>) -> Self {
        Self {
            directory: directory.into(),
            holder: "postrider".to_owned(),
            clock,
            reserve_bytes: 256 << 20,
            pending_bytes: 64 << 20,
            cache_bytes: 8 << 20,
            retention_check: Duration::from_secs(30),
            hook: None,
        }
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("directory", &self.directory)
            .field("holder", &self.holder)
            .field("reserve_bytes", &self.reserve_bytes)
            .field("pending_bytes", &self.pending_bytes)
            .field("cache_bytes", &self.cache_bytes)
            .field("retention_check", &self.retention_check)
            .finish_non_exhaustive()
    }
}

/// A place where tests stand between the log and the disk.
pub trait CommitHook: Send + Sync {
    /// Before a batch is written. An error counts as the disk's own.
    ///
    /// # Errors
    /// The failure to inject.
    fn before_commit(&self) -> io::Result<()> {
        Ok(())
    }

    /// After a batch became durable, before anybody is told. An error counts as the disk's own: the
    /// record is there, and the log can't know.
    ///
    /// # Errors
    /// The failure to inject.
    fn after_commit(&self) -> io::Result<()> {
        Ok(())
    }
}
