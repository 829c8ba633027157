//! Pure rules. Nothing here knows a runtime, a socket, a clock or an environment: time and chance
//! are arguments.

pub mod address;
pub mod chance;
pub mod circuit;
pub mod custom_headers;
pub mod limits;
pub mod outcome;
pub mod retry;
pub mod sealing;
pub mod signing;
pub mod subscription;
pub mod target;
pub mod tiers;
pub mod time;
