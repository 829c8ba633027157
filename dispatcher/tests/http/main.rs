//! The way to receivers over sockets, with receivers that do everything a receiver can.
#![allow(clippy::unwrap_used, reason = "a test that can't go on panics")]

mod addresses;
mod answers;
mod broken;
mod connections;
mod receiver;
mod secure;
