//! The log on local disk, on `fjall`: for one machine, with nothing else installed.
//!
//! ```text
//!  writers ──► queue ──► committer ──► journal + fsync ──► memtable ──► tables
//!                            │                                            ▲
//!                            └─► bounds move, answers ──► readers ────────┘
//! ```
//!
//! One thread commits: what has gathered since the last fsync goes into one batch, so that many
//! appends share one. Each partition is a keyspace of its own, keyed by offset: tables never
//! overlap, so nothing is rewritten, and retention drops whole ones. Topics, starts and group
//! commits are in a keyspace beside them.
//!
//! What is durable is told apart from what was only written: every batch carries a sequence number,
//! and the highest one acknowledged is noted beside the database, so that a journal cut short by
//! damage is found at the next start instead of being taken for a torn tail.
//!
//! The index of waiting records is a database of its own, in which nothing has to last.

mod commits;
mod committer;
mod config;
mod directory;
mod encoding;
mod engine;
mod error;
mod journals;
mod lane_index;
mod log;
mod partition;
mod queue;
mod reader;
mod recovery;
mod retention;
mod shared;
mod topics;
mod waits;
mod writer;

pub use config::{CommitHook, Config};
pub use error::OpenError;
pub use lane_index::{EmbeddedLaneIndexes, IndexConfig};
pub use log::EmbeddedLog;
