//! Pure rules. Nothing here knows a runtime, a socket, a clock or an environment: time and chance
//! are arguments.

pub mod chance;
pub mod subscription;
pub mod tiers;
pub mod time;
