//! Groups for logs that live in one process: the rules of membership, without a broker.
//!
//! `assignment` says who should hold what, `table` keeps who does, `member` is the port's
//! [`Member`](crate::Member) on top of both. The in-memory and the embedded log share it; where
//! commits are kept is theirs, behind [`CommitStore`].

mod assignment;
mod member;
mod table;

pub use member::{CommitStore, LocalGroups};
