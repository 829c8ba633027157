//! What is broken in a running system on real servers, and the checker's word on what came of it.
//!
//! - [`world`]: processes of Postrider on a Kafka and a CQL store that `scripts/services` has started, [`load`] and
//!   [`receivers`] around them.
//! - [`journal`]: what all of them write down before they do it; a folder of it is a history.
//! - [`brokers`], [`views`]: the log and the rows, read from outside once all is over.
//! - [`faults`]: what is done to it. [`damages`]: what is done to a good history, to see the checker fail.

pub mod brokers;
pub mod connections;
pub mod damages;
pub mod faults;
pub mod journal;
pub mod load;
pub mod play;
pub mod proxy;
pub mod receivers;
pub mod report;
pub mod sender;
pub mod times;
pub mod verdict;
pub mod views;
pub mod world;
