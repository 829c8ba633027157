//! The log on a Kafka-compatible broker, through `rdkafka`.
//!
//! What librdkafka gets wrong, or leaves to its user, is written beside the line that deals with it.
//!
//! - A [`Writer`](eventlog_port::Writer) is one idempotent producer and one thread that collects its
//!   answers.
//! - [`Reader`](eventlog_port::Reader)s share few consumers; each has its partition's own queue.
//! - A [`Member`](eventlog_port::Member) is a consumer that is given partitions and fetches nothing.
//!
//! Topics and groups are named with the prefix of [`Config`], so that several installations can
//! share a cluster; above this crate the prefix doesn't show.

mod cluster;
mod config;
mod context;
mod error;
mod log;
mod member;
mod member_steps;
mod membership;
mod point;
mod pool;
mod reader;
mod record;
mod settings;
mod topic_settings;
mod topics;
mod writer;
mod writer_delivery;
mod writer_flow;
mod writer_settings;
mod writer_target;

pub use config::Config;
pub use error::ConnectError;
pub use log::KafkaLog;
