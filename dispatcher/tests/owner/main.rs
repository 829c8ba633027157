//! The dispatcher on a log in memory, with receivers that do as they are told, on a clock that waits for
//! nobody.

#![allow(clippy::unwrap_used, reason = "a test that can't go on panics")]

mod ends;
mod lagging;
mod takeover;
mod world;
