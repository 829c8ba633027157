//! What may go wrong with one partition, and whether beginning again may help.

use eventlog_port::{AppendError, ReadError, TopicError};
use schemas::error::{Malformed, VERSION};

/// What ended a session.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// A record of a newer program's: whoever went on would throw away what it says.
    #[error(
        "the record at offset {offset} of {topic} has version {found}, and this program reads version {VERSION}"
    )]
    NewerVersion {
        topic: &'static str,
        offset: u64,
        found: u64,
    },
    /// A newer program could read what this one can't.
    #[error(
        "offset {offset} of inbox is routed by a newer program, and can't be read here: {source}"
    )]
    NewerReader { offset: u64, source: Malformed },
    /// What was decided can't be found: `routed` is not what the protocol has it to be.
    #[error("routed says nothing about offset {0} of inbox, below a decision about it")]
    Undecided(u64),
    /// The place in the group's commit is none of ours.
    #[error("the group's commit names no place in routed: {0:?}")]
    BadCommit(String),
    #[error(transparent)]
    Append(#[from] AppendError),
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Writer(#[from] TopicError),
    #[error(transparent)]
    Control(#[from] control::Behind),
}

impl Failure {
    /// Whether beginning again at the commit may help. Else the partition stops.
    pub(crate) fn may_pass(&self) -> bool {
        match self {
            Self::Append(AppendError::NoSuchPartition(_)) => false,
            // Too large, too: somebody may raise the topic's limit again.
            Self::Append(_) => true,
            Self::Read(error) => error.is_retryable(),
            Self::Writer(error) => error.is_retryable(),
            Self::Control(error) => match error {
                control::Behind::Unknown(error) => error.is_retryable(),
                control::Behind::Stopped => false,
            },
            Self::NewerVersion { .. }
            | Self::NewerReader { .. }
            | Self::Undecided(_)
            | Self::BadCommit(_) => false,
        }
    }
}
