//! Events out: the owner of a partition, its lanes, HTTP, outcomes.

mod generations;
pub mod http;
pub mod outgoing;
pub mod transport;
