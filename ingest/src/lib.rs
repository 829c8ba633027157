//! Events in: the HTTP door, and the router.
//!
//! ```text
//!  POST /events ─► request, cloud_event (checks) ─► plan (routes, record) ─► appender ─► inbox or events
//!                                                                                          │
//!                                                           events ◄─ router ◄─────────────┘ (and Kafka producers)
//! ```
//!
//! - [`accept`]: taking events, by [`Ingest::accept`](accept::Ingest::accept) or over
//!   [HTTP](accept::Ingest::http). One request, one append; a 202 is durable.
//! - [`router`]: which endpoints an event of `inbox` goes to, and whether it repeats another.
//! - [`placement`]: which partition a key goes to.
//!
//! Rules W1 and R1 to R8, R10 of `docs/protocol.md`.

pub mod accept;
mod appender;
mod cloud_event;
pub mod event;
mod http;
mod idempotency;
pub mod limits;
mod metrics;
pub mod placement;
mod plan;
mod recent;
pub mod request;
pub mod router;

pub use accept::{BuildError, Config, Deps, Ingest, build};
pub use event::{NewEvent, Receipt, Refused};
