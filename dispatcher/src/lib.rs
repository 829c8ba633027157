//! Events out: the owner of a partition, its lanes, HTTP, outcomes.
//!
//! - `core`: what an owner decides. Pure: inputs and time in, effects out.
//! - `owner`: the shell around it, one for each partition that the group gives: it takes over, reads,
//!   appends, sends, and tells the core what came of it.
//! - `role`: membership in the group, leases, and which partitions have an owner.
//! - [`http`]: the way to receivers; [`outgoing`]: what a request says.
//!
//! The rules that comments name by letter and number are those of `docs/protocol.md`.

mod budget;
mod config;
mod core;
mod endpoint;
mod generations;
pub mod http;
mod input;
mod lane;
mod metrics;
mod origins;
mod outcome;
pub mod outgoing;
mod output;
mod owner;
mod role;
mod rotation;
pub mod transport;

pub use config::{Config, Limits};
pub use core::Stop;
pub use owner::Failure;
pub use role::{BuildError, Deps, Error, Role, build};
