//! Errors of connecting, and how the driver's map to the port's.

use std::sync::Arc;

use eventlog_port::{AppendError, TopicError};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};

/// A log that could not be connected.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// A setting that is not the operator's to set.
    #[error("setting {0:?} is not passed through: it belongs to the log, or could break a promise")]
    Refused(String),
    /// A value of the configuration that is out of its bounds.
    #[error("{0}")]
    Bound(&'static str),
    /// A passed-through setting whose value the client does not take. The value is not shown, it
    /// may be a secret.
    #[error("setting {0:?} has a value that the client does not take")]
    Value(String),
    /// The client could not be made, or no broker answered.
    #[error("no broker can be reached at {bootstrap}: {source}")]
    Unreachable {
        /// Where it was tried.
        bootstrap: String,
        /// Why: the last thing that went wrong on a connection, where one was tried.
        source: eventlog_port::BoxError,
    },
}

/// What went wrong on a connection, in librdkafka's words.
#[derive(Debug, thiserror::Error)]
#[error("{reason}")]
pub(crate) struct ConnectionFailed {
    pub(crate) reason: String,
    #[source]
    pub(crate) error: KafkaError,
}

/// A client that could not be made.
pub(crate) fn not_made(error: KafkaError, bootstrap: &str) -> ConnectError {
    if let KafkaError::ClientConfig(_, _, key, _) = error {
        ConnectError::Value(key)
    } else {
        ConnectError::Unreachable {
            bootstrap: bootstrap.to_owned(),
            source: Box::new(error),
        }
    }
}

/// A client that could not be made although one like it was before.
pub(crate) fn not_made_again(error: KafkaError) -> ConnectError {
    not_made(error, "the brokers as before")
}

impl From<ConnectError> for TopicError {
    fn from(error: ConnectError) -> Self {
        Self::Unavailable(Box::new(error))
    }
}

/// What the log was doing did not end in time.
#[derive(Debug, thiserror::Error)]
#[error("no answer within {0:?}")]
pub(crate) struct NoAnswer(pub(crate) std::time::Duration);

/// A topic was made, and the leaders of its partitions have not said that they know it.
#[derive(Debug, thiserror::Error)]
#[error("the leaders of {topic} did not all answer within {within:?}: {why}")]
pub(crate) struct NotLed {
    pub(crate) topic: String,
    pub(crate) within: std::time::Duration,
    /// The last answer.
    pub(crate) why: String,
}

/// The writer was dropped or broke before the record was confirmed.
#[derive(Debug, thiserror::Error)]
#[error("the broker took the record, and did not say where")]
pub(crate) struct NoOffset;

/// Whether the error says that the topic or partition isn't there. Brokers that lag behind a
/// topic's creation say so too.
pub(crate) fn is_missing(error: &KafkaError) -> bool {
    error.rdkafka_error_code().is_some_and(|code| {
        matches!(
            code,
            Code::UnknownTopicOrPartition | Code::UnknownTopic | Code::UnknownPartition
        )
    })
}

/// What a failed delivery says about its record: that it may be there.
///
/// librdkafka knows more, a message's status, but `rdkafka` doesn't hand it on; and an error may be
/// that of a second try whose first one landed. A broker that doesn't know the partition may lag behind.
pub(crate) fn delivery_error(error: KafkaError) -> AppendError {
    AppendError::Unconfirmed(Arc::new(error))
}

/// What a record that the client did not take says. It was not sent. That there is no such partition is not
/// believed: the writer has seen it, and a broker may lag behind.
pub(crate) fn refused(error: KafkaError) -> AppendError {
    if error.rdkafka_error_code() == Some(Code::Fatal) {
        AppendError::Broken
    } else {
        AppendError::Unavailable(Arc::new(error))
    }
}
