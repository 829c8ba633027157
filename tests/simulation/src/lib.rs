//! The whole system in one process and one thread, broken by one seed.
//!
//! - [`plan`]: what is to happen, drawn from the seed before anything begins.
//! - [`world`]: processes with every role, receivers, clients, an operator and one log in memory, under
//!   a clock that runs only while everybody waits. What became of it goes to the checker.
//! - [`wish`]: what clients want to send; those of real servers too.
//! - [`report`]: what is told of it.

pub mod plan;
pub mod report;
pub mod wish;
pub mod world;
