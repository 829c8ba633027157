//! `postrider serve`.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use ipnet::IpNet;

use super::log::TopicArgs;
use super::which_log::WhichLog;
use super::which_views::WhichViews;

/// `postrider serve`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  postrider serve --dev
  postrider serve --data /var/lib/postrider --https-only
  postrider serve --allow-network 10.20.0.0/16 --allow-port 8443
  postrider serve --log kafka://broker-1:9092,broker-2:9092 --kafka-replication 3
  postrider serve --role dispatcher --log kafka://broker-1:9092 --views cql://node-1:9042/postrider

SIGTERM or Ctrl-C: no more requests are taken, what is in flight ends, exit code 0. A second one
ends at once; what was accepted is in the log either way.")]
pub(crate) struct ServeArgs {
    /// The data directory: the log, the views, the key that seals secrets
    #[arg(
        long,
        value_name = "DIR",
        default_value = "./postrider-data",
        env = "POSTRIDER_DATA",
        hide_env_values = true
    )]
    pub(crate) data: PathBuf,
    /// Where the API is served
    #[arg(
        long,
        value_name = "ADDR",
        default_value = "127.0.0.1:8742",
        env = "POSTRIDER_LISTEN",
        hide_env_values = true
    )]
    pub(crate) listen: SocketAddr,
    /// For development: deliveries reach this machine, plain http and any port
    #[arg(long, env = "POSTRIDER_DEV", hide_env_values = true)]
    pub(crate) dev: bool,
    /// What this process does; may be repeated; everything when not given
    #[arg(
        long,
        value_name = "NAME",
        env = "POSTRIDER_ROLE",
        hide_env_values = true
    )]
    pub(crate) role: Vec<RoleName>,
    #[command(flatten)]
    pub(crate) log: WhichLog,
    #[command(flatten)]
    pub(crate) views: WhichViews,
    /// What this process is called among others
    #[arg(
        long,
        value_name = "NAME",
        default_value = "postrider",
        env = "POSTRIDER_INSTANCE",
        hide_env_values = true
    )]
    pub(crate) instance: String,
    /// For how many seconds what is in flight may go on after SIGTERM
    #[arg(
        long,
        value_name = "N",
        default_value_t = 30,
        env = "POSTRIDER_DRAIN_SECONDS",
        hide_env_values = true
    )]
    pub(crate) drain_seconds: u64,
    /// Serve an address that others reach although no key is asked for
    #[arg(long, env = "POSTRIDER_INSECURE_NO_AUTH", hide_env_values = true)]
    pub(crate) insecure_no_auth: bool,
    /// The file with the key that seals secrets, mode 0600; made as `secret.key` in the data
    /// directory when not given
    #[arg(
        long,
        value_name = "FILE",
        env = "POSTRIDER_SECRET_KEY_FILE",
        hide_env_values = true
    )]
    pub(crate) secret_key_file: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) delivery: DeliveryArgs,
    #[command(flatten)]
    pub(crate) topics: TopicArgs,
}

/// What a process can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum RoleName {
    /// Takes events in, and routes them
    Ingest,
    /// Sends deliveries, and their retries
    Dispatcher,
    /// Folds the log into views
    Projections,
    /// Endpoints, and answers out of the views
    Api,
}

impl RoleName {
    /// Every one.
    pub(crate) const ALL: [Self; 4] =
        [Self::Ingest, Self::Dispatcher, Self::Projections, Self::Api];
}

/// How and where deliveries go.
#[derive(Debug, Args)]
#[command(next_help_heading = "Deliveries")]
pub(crate) struct DeliveryArgs {
    /// How many requests are out at once, to all endpoints together: from before each is sent until what came of it is durable
    #[arg(
        long,
        value_name = "N",
        default_value = "1024",
        env = "POSTRIDER_CONCURRENCY",
        hide_env_values = true
    )]
    pub(crate) concurrency: NonZeroU32,
    /// A network that deliveries may reach although it is not public; may be repeated
    #[arg(
        long,
        value_name = "CIDR",
        env = "POSTRIDER_ALLOW_NETWORK",
        hide_env_values = true
    )]
    pub(crate) allow_network: Vec<IpNet>,
    /// A port that deliveries may reach besides 80 and 443; may be repeated
    #[arg(
        long,
        value_name = "PORT",
        env = "POSTRIDER_ALLOW_PORT",
        hide_env_values = true
    )]
    pub(crate) allow_port: Vec<u16>,
    /// Refuse endpoints that are not https
    #[arg(long, env = "POSTRIDER_HTTPS_ONLY", hide_env_values = true)]
    pub(crate) https_only: bool,
}
