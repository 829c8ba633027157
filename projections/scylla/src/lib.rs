//! Views and idempotency keys in ScyllaDB or Apache Cassandra. Nobody else names the driver.
//!
//! Several processes write one set of tables, each the partitions of the log that its groups gave it,
//! in the subset of CQL that both servers share: no counters, no secondary indexes, no lightweight
//! transactions, no batch over more than one partition.
//!
//! - [`tables`](self): every table of rows has one shape, `((owner, bucket), key) → value`; a bucket is
//!   a minute, so that no partition grows for ever.
//! - A *turn* (one [`Batch`](projections_port::Batch)) is first committed in one partition: its writes
//!   in pieces, then its counts and offsets in one batch. Then it is spread over the tables. Whoever takes a
//!   partition over finds an unfinished turn and spreads it again: rows are never ahead of the offsets,
//!   so that counts stay exact.
//! - A *claim* (a partition of `events`, or of `inbox`) is one process's at a time. Each owner writes a
//!   partition of its own, named by its epoch; one that was overtaken writes where nobody reads, and
//!   looks who owns the claim after each commit and before it spreads anything.
//! - Every write carries a timestamp that grows from turn to turn and from owner to owner: the write of
//!   one that was overtaken never covers a newer one.

mod along;
mod claim;
mod counting;
mod cql;
mod error;
mod expire;
mod keys;
mod lists;
mod making;
mod op;
mod passing;
mod read;
mod store;
mod tables;
mod tls;
mod views;
mod write;

pub use error::OpenError;
pub use keys::ScyllaKeys;
pub use store::{Config, Rebuilding, Store};
pub use tls::Tls;
pub use views::ScyllaViews;
