//! The binary over HTTP, with receivers that answer everything a receiver can.
//!
//! - [`program`]: the server as a process of its own, started, killed, asked to end.
//! - [`cluster`]: several that share a log and views.
//! - [`api`]: what a client asks it, over [`client`].
//! - [`receiver`]: receivers that keep what they got before they answer, and answer as a script says.
//! - [`verifiers`]: other people's code that checks signatures, and writes to Kafka.

pub mod api;
pub mod attempts;
pub mod client;
pub mod cluster;
pub mod program;
pub mod receiver;
pub mod services;
pub mod until;
pub mod verifiers;
