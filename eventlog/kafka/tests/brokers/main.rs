//! Everything that needs real brokers. `scripts/services start kafka` starts them, and
//! `eval "$(scripts/services env)"` tells these tests where.
#![allow(clippy::unwrap_used, reason = "tests")]

mod breaking;
mod broker;
mod conformance;
mod groups;
mod lagging;
mod outages;
mod proxy;
mod reading;
mod three_nodes;
mod topics;
mod writing;
