//! Events out: the owner of a partition, its lanes, HTTP, outcomes.

pub mod transport;
