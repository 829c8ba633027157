//! Folds of the log into views.
//!
//! One task for each partition: of `events` with what its owner writes, and of `inbox` with `routed`.
//! Each reads what is there (`reading`), folds it in memory, and writes what
//! changed together with how far it has read. Nothing here can't be had again from the log.

mod difference;
mod firsts;
mod fold;
mod metrics;
mod partition;
mod reading;
mod role;
mod sums;
mod verify;

pub use difference::Difference;
pub use firsts::{KeysError, rebuild_keys};
pub use fold::TooNew;
pub use partition::FoldError;
pub use role::{Config, Deps, Error, GROUP, INBOX_GROUP, Role, Status, build};
pub use verify::{Rebuilt, Report, VerifyError, fill, rebuild, verify};
