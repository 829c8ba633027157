//! What every HTTP door of the system has in common.
//!
//! - [`Problem`]: an error as RFC 9457 has it, with a `code` that programs may rely on.
//! - [`body`]: bodies read up to a limit, JSON read to a depth.

pub mod body;
mod document;

pub use document::{FieldError, Problem};
