//! What happened: events, deliveries, dead letters, totals. Rows come out of the views, payloads and the
//! whole of receivers' answers out of the log, by the positions that rows name.

mod accounting;
mod attempt;
mod attempts;
mod dead_letter;
mod delivery;
mod event;
mod event_shown;
mod filters;
mod payload;
mod stats;

pub(crate) use accounting::{accounting, stats};
pub(crate) use attempts::event_attempts;
pub(crate) use dead_letter::{dead_letter, dead_letters};
pub(crate) use delivery::{deliveries, delivery};
pub(crate) use event::{event, events};
pub(crate) use stats::endpoint_stats;
