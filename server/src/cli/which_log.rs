//! Which log, for every command that opens one.

use std::path::PathBuf;

use clap::Args;

use crate::log::Target;

/// Which log, and what has to be known of a Kafka-compatible one.
#[derive(Clone, Debug, Args)]
pub(crate) struct WhichLog {
    /// Which log: `embedded`, or `kafka://host:port,…`
    #[arg(
        long,
        global = true,
        value_name = "LOG",
        default_value = "embedded",
        env = "POSTRIDER_LOG",
        hide_env_values = true
    )]
    pub(crate) log: Target,
    /// On Kafka: settings of its client, one `name=value` a line: TLS, SASL, compression
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        env = "POSTRIDER_KAFKA_SETTINGS",
        hide_env_values = true
    )]
    pub(crate) kafka_settings: Option<PathBuf>,
    /// On Kafka: what the name of each topic begins with there
    #[arg(
        long,
        global = true,
        value_name = "PREFIX",
        default_value = "",
        hide_default_value = true,
        env = "POSTRIDER_KAFKA_PREFIX",
        hide_env_values = true
    )]
    pub(crate) kafka_prefix: String,
    /// On Kafka: on how many brokers a new topic is kept
    #[arg(
        long,
        global = true,
        value_name = "N",
        default_value_t = 1,
        env = "POSTRIDER_KAFKA_REPLICATION",
        hide_env_values = true
    )]
    pub(crate) kafka_replication: u32,
}
