//! The dispatcher on a log in memory, with receivers that do as they are told, on a clock that waits for
//! nobody.

mod ends;
mod lagging;
mod takeover;
mod world;
