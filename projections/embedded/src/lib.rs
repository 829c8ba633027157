//! Views and idempotency keys on local disk, on `fjall`: rows as folds of the log, in a folder beside
//! it.
//!
//! - A batch is written whole or not at all, with how far it goes, and without waiting for the disk:
//!   a crash takes the newest batches, and they are folded again.
//! - Keys are on disk before a router decides by them.
//! - [`Rebuilding`] fills a new generation of rows beside the old; [`Scratch`] holds rows to compare
//!   with.

mod directory;
mod engine;
mod error;
mod keys;
mod rows;
mod slot;
mod store;
mod views;

pub use error::OpenError;
pub use keys::EmbeddedKeys;
pub use store::{Config, Rebuilding, Scratch, Store};
pub use views::EmbeddedViews;
