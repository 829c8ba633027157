//! Endpoints and queries over HTTP: everything under `/api/v1` but taking events in.
//!
//! - `endpoint`: made, changed and shown. What is changed is a fact in `control`; what is shown is its
//!   fold, here in this process.
//! - `query`: events, deliveries, dead letters and totals, out of the views; payloads out of the log.
//! - `not_yet`: what the interface names and isn't built answers so, and is never stored and ignored.
//!
//! [`build`] makes the role, [`Role::router`] its routes, and [`with_fallbacks`] goes around them once
//! those of other roles are merged in. Every request needs the extension [`problem::Caller`].

mod asking;
mod cursor;
mod endpoint;
mod failures;
mod json;
mod limits;
mod not_yet;
mod page;
mod params;
mod query;
mod role;
mod router;
mod shared;
mod strict;
mod time;

#[cfg(test)]
mod tests;

pub use role::{BuildError, Config, Deps, Error, Role, build};
pub use router::with_fallbacks;
