//! The whole system in one process and one thread, broken by one seed.

pub mod plan;
pub mod world;
