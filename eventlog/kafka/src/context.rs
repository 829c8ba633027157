//! What librdkafka tells its user beside answers: log lines and errors of connections.

use eventlog_port::BoxError;
use parking_lot::Mutex;
use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel as Level;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use crate::error::ConnectionFailed;

/// Whether a line only repeats what every prefix writer's settings say: that the gapless guarantee is
/// experimental. What makes it so is dealt with where such a writer breaks.
fn is_known(facility: &str, message: &str) -> bool {
    facility == "CONFWARN" && message.contains("enable.gapless.guarantee")
}

/// Writes a line of librdkafka's.
pub(crate) fn line(level: Level, facility: &str, message: &str) {
    if is_known(facility, message) {
        return;
    }
    match level {
        Level::Emerg | Level::Alert | Level::Critical | Level::Error => {
            tracing::error!(target: "librdkafka", facility, "{message}");
        }
        Level::Warning => tracing::warn!(target: "librdkafka", facility, "{message}"),
        Level::Notice | Level::Info => tracing::info!(target: "librdkafka", facility, "{message}"),
        Level::Debug => tracing::debug!(target: "librdkafka", facility, "{message}"),
    }
}

/// Writes an error that belongs to no call. librdkafka goes on by itself after all but fatal ones,
/// which every call says from then on.
pub(crate) fn global(error: &KafkaError, reason: &str) {
    tracing::warn!(target: "librdkafka", %error, "{reason}");
}

/// The context of a client that only asks and reads.
#[derive(Debug, Default)]
pub(crate) struct Quiet {
    /// What went wrong last on a connection.
    last: Mutex<Option<ConnectionFailed>>,
}

impl Quiet {
    /// What `error`, that of a question nobody answered, came from: the question itself only learns
    /// that there was no connection, or that time ran out.
    pub(crate) fn cause(&self, error: KafkaError) -> BoxError {
        match self.last.lock().take() {
            Some(failed) => Box::new(failed),
            None => Box::new(error),
        }
    }
}

impl ClientContext for Quiet {
    fn log(&self, level: Level, facility: &str, message: &str) {
        line(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        // What happens to one partition is told where it is read.
        if matches!(error, KafkaError::PartitionEOF(_)) {
            return;
        }
        tracing::debug!(target: "librdkafka", %error, "{reason}");
        // That none is left says less than why the last one went.
        if error.rdkafka_error_code() != Some(RDKafkaErrorCode::AllBrokersDown) {
            let reason = reason.to_owned();
            *self.last.lock() = Some(ConnectionFailed { reason, error });
        }
    }
}

impl ConsumerContext for Quiet {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_warning_is_known_and_the_others_are_not() {
        let gapless =
            "[thrd:app]: Configuration property enable.gapless.guarantee is experimental: When set";
        assert!(is_known("CONFWARN", gapless));
        assert!(!is_known("FAIL", gapless));
        let other = "[thrd:app]: Configuration property sasl.mechanism set to `PLAIN` but";
        assert!(!is_known("CONFWARN", other));
    }
}
