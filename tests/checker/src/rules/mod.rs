//! What must hold, an invariant a file.

pub(crate) mod arrivals;
pub(crate) mod chains;
pub(crate) mod checkpoints;
pub(crate) mod clients;
pub(crate) mod ends;
pub(crate) mod foreign;
pub(crate) mod repeats;
pub(crate) mod views;
