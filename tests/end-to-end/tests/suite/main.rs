//! The binary, driven over HTTP. Each test has a server, a data directory and receivers of its own, and ends with
//! the accounting closed.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on must fail")]

mod answers;
mod apart;
mod disk;
mod kills;
mod life;
mod load;
mod producers;
mod slow;
mod stops;
mod views;
mod world;
