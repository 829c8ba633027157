//! What went wrong below, as clients are told. The cause goes into the log, not into the answer.

use control::{Behind, WriteError};
use eventlog_port::{Outcome, ReadError};
use http::StatusCode;
use problem::Problem;
use projections_port::ViewError;

use crate::limits::RETRY_AFTER;

/// The log can't be read or written now.
pub(crate) fn log_unavailable(detail: &str) -> Problem {
    Problem::unavailable("log_unavailable", detail, RETRY_AFTER)
}

/// Of views that can't be read.
pub(crate) fn of_views(error: &ViewError) -> Problem {
    tracing::warn!(%error, "views can't be read");
    match error {
        // Nobody who reads is overtaken. What an operator has to mend is nothing that clients could do about: later it
        // may be mended.
        ViewError::Unavailable(_)
        | ViewError::Unusable(_)
        | ViewError::Overtaken { .. }
        | ViewError::Replaced { .. } => Problem::unavailable(
            "views_unavailable",
            "the views can't be read now; deliveries go on meanwhile",
            RETRY_AFTER,
        ),
        ViewError::Damaged(_) => Problem::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "views_damaged",
            "the views are damaged; rebuilding mends them",
        ),
    }
}

/// Of a log that can't be read.
pub(crate) fn of_reading(error: &ReadError) -> Problem {
    tracing::warn!(%error, "the log can't be read");
    match error {
        ReadError::Unavailable(_)
        | ReadError::OffsetGone { .. }
        | ReadError::BeyondEnd { .. }
        | ReadError::NoSuchPartition(_) => log_unavailable("the log can't be read now"),
        ReadError::Corrupt { .. } => Problem::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "record_damaged",
            "the record in the log is damaged",
        ),
    }
}

/// Of `control` that can't be read to its end.
pub(crate) fn of_control(error: &Behind) -> Problem {
    tracing::warn!(%error, "control can't be read to its end");
    log_unavailable("what endpoints there are can't be told now")
}

/// Of `control` that was not read to its end in time.
pub(crate) fn control_is_slow() -> Problem {
    tracing::warn!("control was not read to its end in time");
    log_unavailable("what endpoints there are can't be told now")
}

/// Of a change that did not come through. [`Stale`](WriteError::Stale) is for the caller to handle.
pub(crate) fn of_change(error: &WriteError) -> Problem {
    tracing::warn!(%error, "a change of control did not come through");
    let is_known = match error {
        WriteError::Stale => true,
        WriteError::Log(_) => true,
        WriteError::Append(error) => error.outcome() == Outcome::NotAppended,
        WriteError::Behind(_) => false,
    };
    log_unavailable(if is_known {
        "the log did not take the change; nothing has changed"
    } else {
        "the log did not confirm the change, which may have happened: look before you try again"
    })
}
