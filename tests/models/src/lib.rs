//! The delivery protocol, checked exhaustively: three models of `docs/protocol.md`, each explored
//! to the last state within its bounds, and for each rule with behaviour a variant without it that
//! the model refutes.

pub mod harness;
pub mod lanes;
pub mod owner;
pub mod router;
