//! What every HTTP door of the system has in common.
//!
//! - [`Problem`]: an error as RFC 9457 has it, with a `code` that programs may rely on.
//! - [`Caller`], [`RequestId`]: who asks, put on every request by the server.
//! - [`body`]: bodies read up to a limit, JSON read to a depth.

pub mod body;
mod caller;
mod document;

pub use caller::{Caller, RequestId};
pub use document::{FieldError, Problem};
