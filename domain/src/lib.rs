//! Pure rules. Nothing here knows a runtime, a socket, a clock or an environment: time and chance
//! are arguments.

pub mod chance;
pub mod circuit;
pub mod limits;
pub mod outcome;
pub mod retry;
pub mod subscription;
pub mod tiers;
pub mod time;
