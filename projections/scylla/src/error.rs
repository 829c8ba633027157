//! What can go wrong with the server behind the driver.

use std::path::PathBuf;

use projections_port::ViewError;
use projections_port::views::BoxError;

/// Views that could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Nobody answers there, or refuses.
    #[error("the view store at {nodes} can't be reached: {source}")]
    Unreachable {
        /// The nodes that were tried.
        nodes: String,
        /// The driver's error.
        source: BoxError,
    },
    /// The tables can't be made or read.
    #[error("the tables in keyspace {keyspace} can't be made or read: {source}")]
    Schema {
        /// The keyspace.
        keyspace: String,
        /// The driver's error.
        source: BoxError,
    },
    /// A newer Postrider made them.
    #[error(
        "the tables in keyspace {keyspace} have version {found}, and this program knows up to {known}: \
         open them with the newer version that made them"
    )]
    NewerVersion {
        /// The keyspace.
        keyspace: String,
        /// The version found.
        found: u64,
        /// The newest version that this program reads.
        known: u64,
    },
    /// The file of certificate authorities can't be used.
    #[error("the certificate authorities in {}: {source}", file.display())]
    Authorities {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        source: BoxError,
    },
    /// TLS can't be set up as it was told.
    #[error("TLS to the view store can't be set up: {0}")]
    Tls(#[source] BoxError),
    /// The keyspace's name can't be one.
    #[error("{0:?} can't be a keyspace: letters, digits and _, at most 48, a letter first")]
    Name(String),
}

/// An error as ours: what it says may pass.
pub(crate) fn unavailable(error: impl std::error::Error + Send + Sync + 'static) -> ViewError {
    ViewError::Unavailable(Box::new(error))
}

/// An error as ours: what it says does not pass.
pub(crate) fn unusable(error: impl std::error::Error + Send + Sync + 'static) -> ViewError {
    ViewError::Unusable(Box::new(error))
}
