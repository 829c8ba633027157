//! Ingest and routers on the in-memory log, under a paused clock.

mod http;
mod oracle;
mod races;
mod routing;
mod world;
