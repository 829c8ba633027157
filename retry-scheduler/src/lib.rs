//! Tiered delay topics: which tier, when due, the queue that hands over what came due.
//!
//! A log is first in, first out, so each delay topic has one fixed delay and its head is always the
//! first to be let go. This is a library of the dispatcher's owner, which alone writes the tiers of its
//! partition and alone reads them: nothing here knows a clock or a log, the owner brings records and
//! log time.

pub mod place;
pub mod queue;

pub use place::{Ladder, Place};
pub use queue::{ReadFailed, Released, TierQueue, Unreadable};
