//! The checker finds what is wrong, and nothing else.
#![allow(clippy::unwrap_used, reason = "a test that can't go on panics")]

mod damages;
mod foreign;
mod good;
