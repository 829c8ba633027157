//! What the log holds must stay readable: golden fixtures, JSON Schemas, round trips, hostile input.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on must fail")]

mod any;
mod control;
mod docs;
mod fixture;
mod golden;
mod hostile;
mod json;
mod kafka;
mod progress;
mod properties;
mod records;
mod samples;
