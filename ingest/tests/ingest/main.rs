//! Ingest and routers on the in-memory log, under a paused clock.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on must fail")]

mod http;
mod oracle;
mod races;
mod routing;
mod world;
