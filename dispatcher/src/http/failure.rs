//! What went wrong on the way, and what class of failure it is.

use std::error::Error;
use std::fmt::Write as _;
use std::io;
use std::time::Duration;

use schemas::attempt::{AttemptError, ErrorClass};

/// The longest message, in bytes: it is stored with every failed attempt.
const MAX_MESSAGE: usize = 500;

/// What went wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    class: ErrorClass,
    message: String,
    /// Whether this process, or this machine, has no descriptor left: no fault of the receiver's.
    lacks_descriptors: bool,
}

/// `ENFILE` and `EMFILE`, the same on every Unix.
const OUT_OF_DESCRIPTORS: [i32; 2] = [23, 24];

impl Failure {
    pub(super) fn new(class: ErrorClass, message: impl Into<String>) -> Self {
        Self {
            class,
            message: message.into(),
            lacks_descriptors: false,
        }
    }

    /// Whether it might not have happened with fewer connections open.
    pub(super) const fn lacks_descriptors(&self) -> bool {
        self.lacks_descriptors
    }

    /// The limit of all of it.
    pub(super) fn timeout(limit: Duration) -> Self {
        let message = format!("no complete answer within {} s", limit.as_secs_f64());
        Self::new(ErrorClass::Timeout, message)
    }

    /// The limit of connecting.
    pub(super) fn connect_timeout(limit: Duration) -> Self {
        let message = format!("no connection within {} s", limit.as_secs_f64());
        Self::new(ErrorClass::Timeout, message)
    }

    /// No TCP connection.
    pub(super) fn connect(error: &io::Error) -> Self {
        let is_timeout = error.kind() == io::ErrorKind::TimedOut;
        let class = if is_timeout {
            ErrorClass::Timeout
        } else {
            ErrorClass::Connect
        };
        let number = error.raw_os_error();
        Self {
            lacks_descriptors: number.is_some_and(|n| OUT_OF_DESCRIPTORS.contains(&n)),
            ..Self::new(class, told(error))
        }
    }

    /// No TLS on a connection.
    pub(super) fn handshake(error: &io::Error) -> Self {
        let is_reset = matches!(
            error.kind(),
            io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe
        );
        let class = if is_reset {
            ErrorClass::Reset
        } else {
            ErrorClass::Tls
        };
        Self::new(class, told(error))
    }

    /// The exchange broke.
    pub(super) fn exchange(error: &hyper::Error) -> Self {
        let class = if error.is_parse() {
            ErrorClass::Protocol
        } else if error.is_incomplete_message() || error.is_closed() || error.is_canceled() {
            ErrorClass::Reset
        } else {
            io_of(error).map_or(ErrorClass::Protocol, class_of)
        };
        Self::new(class, told(error))
    }

    /// As the log has it.
    pub(super) fn into_error(mut self) -> AttemptError {
        let end = self.message.floor_char_boundary(MAX_MESSAGE);
        self.message.truncate(end);
        AttemptError {
            class: self.class,
            message: self.message,
        }
    }
}

fn class_of(error: &io::Error) -> ErrorClass {
    let is_tls = |inner: &(dyn Error + Send + Sync + 'static)| inner.is::<rustls::Error>();
    if error.get_ref().is_some_and(is_tls) {
        return ErrorClass::Tls;
    }
    let kind = error.kind();
    if matches!(
        kind,
        io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput
    ) {
        ErrorClass::Protocol
    } else if kind == io::ErrorKind::TimedOut {
        ErrorClass::Timeout
    } else {
        ErrorClass::Reset
    }
}

/// The error of the socket, or of reading what came from it, at the bottom of `error`.
fn io_of(error: &hyper::Error) -> Option<&io::Error> {
    let mut cause = error.source();
    while let Some(error) = cause {
        if let Some(io) = error.downcast_ref() {
            return Some(io);
        }
        cause = error.source();
    }
    None
}

/// An error and what caused it, in one line, nothing twice.
fn told(error: &(dyn Error + 'static)) -> String {
    let mut message = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        if !message.ends_with(&text) {
            // A string takes what it is given.
            let _infallible = write!(message, ": {text}");
        }
        cause = error.source();
    }
    message
}
