//! The dispatcher as a whole on the log in memory, with receivers that are told what to do, under a
//! paused clock.
#![allow(clippy::unwrap_used, reason = "a test that can't go on panics")]

mod backlog;
mod faults;
mod oracle;
mod receivers;
mod waits;
mod ways;
mod world;
