//! `postrider bench`.

use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, ValueEnum};

/// `postrider bench`: starts a server of its own on an empty data directory, and a receiver, and
/// measures them beside bare clients on the same cores.
#[derive(Debug, Args)]
pub(crate) struct BenchArgs {
    /// What to measure; may be given several times
    #[arg(long, value_name = "NAME", default_values = ["addressed", "subscription"], env = "POSTRIDER_BENCH_SCENARIO", hide_env_values = true)]
    pub(crate) scenario: Vec<BenchScenario>,
    /// How many events are sent as fast as they go
    #[arg(
        long,
        value_name = "N",
        default_value_t = 100_000,
        env = "POSTRIDER_BENCH_DELIVERIES",
        hide_env_values = true
    )]
    pub(crate) deliveries: u64,
    /// Over how many kept-alive connections
    #[arg(
        long,
        value_name = "N",
        default_value_t = 64,
        env = "POSTRIDER_BENCH_CONNECTIONS",
        hide_env_values = true
    )]
    pub(crate) connections: usize,
    /// Bytes of each payload
    #[arg(
        long,
        value_name = "BYTES",
        default_value_t = 1_024,
        env = "POSTRIDER_BENCH_PAYLOAD",
        hide_env_values = true
    )]
    pub(crate) payload: usize,
    /// How many endpoints the events go to in turn, so that partitions and dispatchers share them
    #[arg(
        long,
        value_name = "N",
        default_value_t = 1,
        value_parser = clap::value_parser!(u64).range(1..=10_000),
        env = "POSTRIDER_BENCH_ENDPOINTS",
        hide_env_values = true
    )]
    pub(crate) endpoints: u64,
    /// How many events wait for the endpoint that is of no use
    #[arg(
        long,
        value_name = "N",
        default_value_t = 1_000_000,
        env = "POSTRIDER_BENCH_WAITING",
        hide_env_values = true
    )]
    pub(crate) waiting: u64,
    /// Where the server's data goes, and is deleted afterwards; the machine's folder for such when
    /// not given
    #[arg(
        long,
        value_name = "DIR",
        env = "POSTRIDER_BENCH_FOLDER",
        hide_env_values = true
    )]
    pub(crate) folder: Option<PathBuf>,
    /// Processes besides the server that dispatch, so that it doesn't; they need a log and views that
    /// processes share
    #[arg(
        long,
        value_name = "N",
        default_value_t = 0,
        env = "POSTRIDER_BENCH_DISPATCHERS",
        hide_env_values = true
    )]
    pub(crate) dispatchers: usize,
    /// A process whose processor time is shown, too: a broker's, a store's; may be given several times
    #[arg(
        long,
        value_name = "NAME=PID",
        env = "POSTRIDER_BENCH_WATCH",
        hide_env_values = true
    )]
    pub(crate) watch: Vec<Watched>,
    /// What else the server is told, behind `--`: `-- --log kafka://localhost:9092`
    #[arg(last = true, value_name = "SERVE OPTION")]
    pub(crate) serve: Vec<String>,
    /// Figures as one JSON object
    #[arg(long, env = "POSTRIDER_JSON", hide_env_values = true)]
    pub(crate) json: bool,
}

/// What can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum BenchScenario {
    /// Events to one endpoint by its id
    Addressed,
    /// Events to one endpoint that subscribes
    Subscription,
    /// An endpoint that accepts and never answers, with very many events waiting
    Hanging,
    /// An endpoint that refuses, with very many events waiting
    Refusing,
}

impl BenchScenario {
    /// What it is called.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Addressed => "addressed",
            Self::Subscription => "subscription",
            Self::Hanging => "hanging",
            Self::Refusing => "refusing",
        }
    }
}

/// A process by its id, and what it is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Watched {
    pub(crate) name: String,
    pub(crate) pid: u32,
}

impl FromStr for Watched {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts = text.split_once('=');
        let (name, pid) = parts.ok_or("it reads NAME=PID, as in kafka=4711")?;
        let pid = pid
            .parse()
            .map_err(|_| format!("{pid:?} is no process id"))?;
        Ok(Self {
            name: name.to_owned(),
            pid,
        })
    }
}
