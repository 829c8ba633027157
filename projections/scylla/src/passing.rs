//! Which of the driver's errors may pass.
#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "the driver's errors may get further kinds, and what isn't known to last may pass"
)]

use projections_port::ViewError;
use scylla::errors::{DbError, ExecutionError, PrepareError, RequestAttemptError};

use crate::error::{unavailable, unusable};

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
