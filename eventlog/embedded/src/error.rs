//! What can go wrong, and what it means for who waits.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use eventlog_port::Offset;
use eventlog_port::{AppendError, BoxError, ReadError, TopicPartition};

/// An embedded log that could not be opened. A damaged journal is another file by then: the engine
/// cuts off what it can't read, before anybody can say no.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it open.
    #[error("the log in {} is in use by {holder}", .directory.display())]
    InUse {
        /// Its folder.
        directory: PathBuf,
        /// The process, by name and number.
        holder: String,
    },
    /// A newer Postrider wrote it.
    #[error(
        "the log in {} has data version {found}, and this program knows up to {known}: \
         open it with the newer version that wrote it", .directory.display()
    )]
    NewerVersion {
        /// Its folder.
        directory: PathBuf,
        /// The version found.
        found: u64,
        /// The newest version that this program reads.
        known: u64,
    },
    /// The folder holds something else.
    #[error("{} is not empty and holds no Postrider log ({problem})", .directory.display())]
    NotALog {
        /// The folder.
        directory: PathBuf,
        /// How that was seen.
        problem: &'static str,
    },
    /// Less is there than was acknowledged: the engine found a journal damaged and cut it short.
    #[error(
        "the log in {} has lost acknowledged records: {acknowledged} batches were confirmed, \
         {found} are there; a journal file is damaged. Restore it from a copy; to go on without \
         what is lost, remove the file {}", .directory.display(), .mark.display()
    )]
    Lost {
        /// Its folder.
        directory: PathBuf,
        /// How many batches were acknowledged, ever.
        acknowledged: u64,
        /// How many of them are there.
        found: u64,
        /// The file that says so.
        mark: PathBuf,
    },
    /// A stored record, or the log's own table of contents, is damaged.
    #[error("the log in {} is damaged: {what}", .directory.display())]
    Damaged {
        /// Its folder.
        directory: PathBuf,
        /// What was found where.
        what: String,
    },
    /// The engine refused.
    #[error("the log in {} can't be opened: {source}", .directory.display())]
    Engine {
        /// Its folder.
        directory: PathBuf,
        /// The engine's own error.
        source: BoxError,
    },
    /// The file system refused.
    #[error("{}: {source}", .path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
}

/// Why a batch did not become durable, for everyone in it.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum CommitError {
    /// Not tried: too little room.
    #[error("the file system is full")]
    Full,
    /// Not tried: the engine is closed, or being opened again.
    #[error("{0}")]
    Unavailable(Arc<dyn std::error::Error + Send + Sync>),
    /// Tried, and it may have happened.
    #[error("{0}")]
    Unconfirmed(Arc<dyn std::error::Error + Send + Sync>),
}

impl CommitError {
    pub(crate) fn unavailable(why: Stopped) -> Self {
        Self::Unavailable(Arc::new(why))
    }
}

impl From<CommitError> for AppendError {
    fn from(error: CommitError) -> Self {
        match error {
            CommitError::Full => Self::Full,
            CommitError::Unavailable(source) => Self::Unavailable(source),
            CommitError::Unconfirmed(source) => Self::Unconfirmed(source),
        }
    }
}

/// Why nothing is written or read just now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Stopped {
    #[error("the log is closed")]
    Closed,
    #[error("the log is being opened again after a failed write")]
    Reopening,
    #[error(
        "the disk failed to make a write durable: nothing more is written until the process is \
         started again"
    )]
    DiskFailed,
    #[error(
        "the log's writing thread panicked: nothing more is written until the process is started \
         again"
    )]
    Panicked,
}

/// What the engine's error means for the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DiskTrouble {
    /// No room: it passes, and the engine has to be opened again.
    Full,
    /// A background write failed earlier, the journal did not: open again.
    Background,
    /// Anything else: what the system said was written may not be (Rebello et al., "Can
    /// Applications Recover from fsync Failures?", 2020): stop.
    Failed,
}

impl DiskTrouble {
    pub(crate) fn of_io(error: &io::Error) -> Self {
        if matches!(
            error.kind(),
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
        ) {
            Self::Full
        } else {
            Self::Failed
        }
    }

    pub(crate) fn of(error: &fjall::Error) -> Self {
        if let Some(io) = io_of(error) {
            Self::of_io(io)
        } else if matches!(error, fjall::Error::Poisoned) {
            Self::Background
        } else {
            Self::Failed
        }
    }
}

fn io_of(error: &fjall::Error) -> Option<&io::Error> {
    if let fjall::Error::Io(io) | fjall::Error::Storage(fjall::LsmError::Io(io)) = error {
        Some(io)
    } else {
        None
    }
}

/// A failed read of the engine: damage, or trouble that passes.
pub(crate) fn read_error(
    error: fjall::Error,
    partition: &TopicPartition,
    offset: Offset,
) -> ReadError {
    if io_of(&error).is_some() {
        return ReadError::Unavailable(Box::new(error));
    }
    ReadError::Corrupt {
        partition: partition.clone(),
        offset,
        source: Box::new(error),
    }
}
