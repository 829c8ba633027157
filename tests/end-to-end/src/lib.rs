//! The binary over HTTP, with receivers that answer everything a receiver can.

pub mod attempts;
pub mod verifiers;
