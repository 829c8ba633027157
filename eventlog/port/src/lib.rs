//! The log as a port: what every role may rely on, whichever engine keeps the bytes.
//!
//! A log has topics, a topic has partitions, a partition is a sequence of records with ascending
//! offsets. Records are opaque: a key, headers, a value. [`EventLog`] states the guarantees;
//! `conformance` (behind the feature of that name) is the suite that every adapter passes;
//! [`memory`] is the log that simulation runs on.
//!
//! ```text
//!   start                      durable end            accepted
//!     │ readable                    │ not readable        │
//!  ───┼─────────────────────────────┼─────────────────────┼──────►  offsets
//!     ▲ retention moves it up       ▲ moves when an append is durable
//! ```

pub mod coalesced;
pub mod completion;
#[cfg(feature = "conformance")]
pub mod conformance;
pub mod error;
pub mod group;
pub mod lane_index;
pub mod local;
pub mod log;
pub mod memory;
pub mod reader;
pub mod record;
pub mod topic;
pub mod watched;
pub mod writer;

pub use coalesced::Coalesced;
pub use error::{AppendError, BoxError, GroupError, Outcome, ReadError, TopicError};
pub use group::{Claim, Commit, GroupEvent, GroupSpec, Member};
pub use lane_index::{IndexError, LaneIndex, LaneIndexes, LaneNumber, Note};
pub use log::EventLog;
pub use reader::{Bounds, ReadLimit, Reader};
pub use record::{Header, NewRecord, Offset, Record, TopicPartition};
pub use topic::{Action, Plan, TopicInfo, TopicSpec};
pub use watched::Watched;
pub use writer::{Appended, Appending, Writer, WriterKind, WriterSpec};
