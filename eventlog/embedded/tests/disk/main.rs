//! What a disk and another process do to a log, and what the log says of it.
#![allow(clippy::unwrap_used, reason = "a test that can't go on panics")]

mod failing;
mod full;
mod journals;
mod memory;
mod opening;
mod support;
mod tables;
