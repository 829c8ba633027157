//! A row that isn't as the log says, and how it is named.

use std::fmt;

use projections_port::Row;

/// A row that isn't as the log says.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "told one at a time, and dropped")]
pub enum Difference {
    /// The log has it, the views don't.
    Missing(Row),
    /// The views have it, the log doesn't.
    Surplus(Row),
    /// Both have it, and differ.
    Changed {
        /// As the views have it.
        view: Row,
        /// As the log has it.
        log: Row,
    },
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(row) => write!(f, "missing: {}", Named(row)),
            Self::Surplus(row) => write!(f, "not in the log: {}", Named(row)),
            Self::Changed { view, log } => {
                let (view, log) = (Named(view), Named(log));
                write!(f, "differs: {view}; by the log: {log}")
            }
        }
    }
}

/// A row by what it is found by, and what most likely differs.
struct Named<'a>(&'a Row);

impl fmt::Display for Named<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Row::Event(row) => {
                let (tenant, id, at) = (&row.tenant, &row.id, &row.acceptance);
                write!(f, "event {id} of {tenant}, accepted at {at}")
            }
            Row::Delivery(row) => {
                let (id, tenant, state) = (row.id, &row.tenant, row.state.name());
                let (step, place, attempts) = (row.step, &row.place, row.attempts.len());
                write!(
                    f,
                    "delivery {id} of {tenant}, {state} by step {step} at {place}"
                )?;
                write!(f, " with {attempts} attempts")
            }
            Row::Minute(endpoint, minute, row) => {
                let (good, bad) = (row.succeeded, row.failed);
                write!(
                    f,
                    "minute {minute} of {endpoint}, {good} succeeded, {bad} failed"
                )
            }
            Row::Endpoint(endpoint, row) => write!(f, "endpoint {endpoint}, {:?}", row.circuit),
            Row::Accounting(tenant, endpoint, counts) => {
                write!(f, "counts of {tenant} at {endpoint}, {counts:?}")
            }
            Row::Undelivered(tenant, counts) => write!(f, "counts of {tenant}, {counts:?}"),
        }
    }
}
