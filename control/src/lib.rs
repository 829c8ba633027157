//! Endpoints as the log has them. `control` is one partition of facts, each the full state after a
//! change; every node folds it from its start and asks for its end several times a second.
//!
//! - [`state::ControlState`] is the fold: pure, the same for everybody who has read as far.
//! - [`follow::Follower`] reads the topic and keeps the state up to date; [`follow::Control`] is what
//!   roles hold of it: read it, wait until it has come so far, ask whether it is fresh.
//! - [`settings::Settings`] is how to send to an endpoint, within bounds whatever its record says.
//! - [`write::Writer`] appends a fact and reads back whether it holds.
//!
//! Ingest finds routes with it, dispatchers find out how to send, the api shows and changes it.

#[cfg(test)]
mod example;
pub mod follow;
pub mod settings;
pub mod state;
pub mod write;

pub use follow::{Behind, Control, Follower};
pub use settings::Settings;
pub use state::{ControlState, Current};
pub use write::{WriteError, Writer};
