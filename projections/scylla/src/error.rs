//! What can go wrong with the server behind the driver.

use std::path::PathBuf;

use projections_port::ViewError;
use projections_port::views::BoxError;
use scylla::errors::{DbError, ExecutionError, PrepareError, RequestAttemptError};

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

/// The driver's error as ours.
pub(crate) fn of_driver(error: impl Passing + Send + Sync + 'static) -> ViewError {
    if error.may_pass() {
        unavailable(error)
    } else {
        unusable(error)
    }
}

/// An error of the driver. What is not known to last may pass: one that is tried in vain for ever shows by what lags, and
/// one that is given up too early has to be started again.
pub(crate) trait Passing: std::error::Error {
    /// Whether the same may succeed later, though nobody mends anything here.
    fn may_pass(&self) -> bool;
}

impl Passing for ExecutionError {
    fn may_pass(&self) -> bool {
        match self {
            Self::BadQuery(_) => false,
            Self::PrepareError(error) => error.may_pass(),
            Self::LastAttemptError(error) => error.may_pass(),
            _ => true,
        }
    }
}

impl Passing for PrepareError {
    fn may_pass(&self) -> bool {
        match self {
            Self::AllAttemptsFailed { first_attempt } => first_attempt.may_pass(),
            _ => true,
        }
    }
}

impl Passing for RequestAttemptError {
    fn may_pass(&self) -> bool {
        match self {
            // Larger than the protocol can say.
            Self::SerializationError(_) | Self::CqlRequestSerialization(_) => false,
            Self::DbError(error, reason) => may_pass(error, reason),
            _ => true,
        }
    }
}

/// Whether what a server answered may pass.
fn may_pass(error: &DbError, reason: &str) -> bool {
    match error {
        DbError::SyntaxError | DbError::ProtocolError | DbError::FunctionFailure { .. } => false,
        // Cassandra says so too when it can't read its own table of permissions, or roles.
        DbError::Unauthorized | DbError::AuthenticationError => {
            reason.starts_with("Unable to perform")
        }
        // Tables are dropped under whoever has yet to go over to the generation that counts, and are not there on every
        // node at once. All else, like a value that is too large, lasts.
        DbError::Invalid => {
            let reason = reason.to_lowercase();
            reason.contains("unconfigured table") || reason.contains("does not exist")
        }
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use scylla::statement::Consistency;

    use super::*;

    #[test]
    fn what_may_pass_is_told_from_what_lasts() {
        let unavailable = DbError::Unavailable {
            consistency: Consistency::Quorum,
            required: 2,
            alive: 1,
        };
        let exists = DbError::AlreadyExists {
            keyspace: "k".to_owned(),
            table: "t".to_owned(),
        };
        for (error, reason, wanted) in [
            (unavailable, "Cannot achieve consistency level QUORUM", true),
            (DbError::Overloaded, "too many requests", true),
            (DbError::ServerError, "java.lang.RuntimeException", true),
            // Two that make the same table at once.
            (exists, "", true),
            (DbError::ConfigError, "Column family ID mismatch", true),
            (DbError::Invalid, "unconfigured table events_g1", true),
            (DbError::Invalid, "Keyspace postrider does not exist", true),
            (DbError::Invalid, "Batch too large", false),
            (DbError::Invalid, "Undefined column name routed", false),
            (DbError::SyntaxError, "line 1:0 no viable", false),
            (DbError::ProtocolError, "Invalid version", false),
            (
                DbError::Unauthorized,
                "User a has no MODIFY permission",
                false,
            ),
            (
                DbError::Unauthorized,
                "Unable to perform authorization of permissions: timed out",
                true,
            ),
            (
                DbError::AuthenticationError,
                "Provided username a and/or password are incorrect",
                false,
            ),
            (DbError::Other(0x7777), "", true),
        ] {
            let attempt = RequestAttemptError::DbError(error.clone(), reason.to_owned());
            let prepared = PrepareError::AllAttemptsFailed {
                first_attempt: attempt.clone(),
            };
            let said = format!("{error:?} {reason}");
            assert_eq!(prepared.may_pass(), wanted, "{said}");
            assert_eq!(ExecutionError::from(prepared).may_pass(), wanted, "{said}");
            let ours = of_driver(ExecutionError::from(attempt));
            assert_eq!(matches!(ours, ViewError::Unavailable(_)), wanted, "{said}");
            assert_eq!(matches!(ours, ViewError::Unusable(_)), !wanted, "{said}");
        }
        let late = ExecutionError::RequestTimeout(std::time::Duration::from_secs(10));
        assert!(late.may_pass());
    }
}
