//! A world: processes, receivers, clients and one log, in one thread, under a clock that only runs
//! when everybody waits.

pub mod clock;
pub mod links;
pub mod log;
pub mod receivers;
