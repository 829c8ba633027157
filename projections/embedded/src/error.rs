//! What can go wrong with the folder, and what an operator can do.

use std::io;
use std::path::PathBuf;

use projections_port::views::BoxError;

/// Views that could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has them open.
    #[error("the views in {} are in use by {holder}", .directory.display())]
    InUse {
        /// Their folder.
        directory: PathBuf,
        /// The process, by name and number.
        holder: String,
    },
    /// A newer Postrider wrote them.
    #[error(
        "the views in {} have data version {found}, and this program knows up to {known}: open \
         them with the newer version that wrote them", .directory.display()
    )]
    NewerVersion {
        /// Their folder.
        directory: PathBuf,
        /// The version found.
        found: u64,
        /// The newest version that this program reads.
        known: u64,
    },
    /// The folder holds something else.
    #[error("{} is not empty and holds no Postrider views ({problem})", .directory.display())]
    NotViews {
        /// The folder.
        directory: PathBuf,
        /// How that was seen.
        problem: &'static str,
    },
    /// What is stored can't be read.
    #[error(
        "the views in {} are damaged: {source}. Nothing is lost, they are made from the log: run \
         `postrider views rebuild`", .directory.display()
    )]
    Damaged {
        /// Their folder.
        directory: PathBuf,
        /// What was found.
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

pub(crate) fn io_error(path: &std::path::Path, source: io::Error) -> OpenError {
    OpenError::Io {
        path: path.to_owned(),
        source,
    }
}
