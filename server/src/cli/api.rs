//! What every client command is told, and what lists have in common.

use clap::{Args, ValueEnum};

use super::values::moment;

/// Which server, and how its answers are printed.
#[derive(Debug, Args)]
#[command(next_help_heading = "Server")]
pub(crate) struct ApiArgs {
    /// Where the server is
    #[arg(
        long,
        global = true,
        value_name = "URL",
        default_value = "http://127.0.0.1:8742",
        env = "POSTRIDER_URL",
        hide_env_values = true
    )]
    pub(crate) url: String,
    /// The key to show; none is needed on the server's own machine
    #[arg(
        long,
        global = true,
        value_name = "KEY",
        env = "POSTRIDER_API_KEY",
        hide_env_values = true
    )]
    pub(crate) api_key: Option<String>,
    /// For programs: one JSON object a line, each as the server gave it
    #[arg(long, global = true, env = "POSTRIDER_JSON", hide_env_values = true)]
    pub(crate) json: bool,
}

/// How much of a list.
#[derive(Debug, Args)]
#[command(next_help_heading = "List")]
pub(crate) struct PageArgs {
    /// So many rows at most
    #[arg(
        short = 'n',
        long,
        value_name = "N",
        default_value_t = 50,
        env = "POSTRIDER_LIST_LIMIT",
        hide_env_values = true
    )]
    pub(crate) limit: u64,
    /// Go on where an earlier list stopped
    #[arg(
        long,
        value_name = "CURSOR",
        env = "POSTRIDER_LIST_CURSOR",
        hide_env_values = true
    )]
    pub(crate) cursor: Option<String>,
    /// Newest first, or oldest first
    #[arg(
        long,
        value_name = "ORDER",
        default_value = "desc",
        env = "POSTRIDER_LIST_ORDER",
        hide_env_values = true
    )]
    pub(crate) order: Order,
}

/// In which order a list goes.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Order {
    /// Oldest first
    Asc,
    /// Newest first
    Desc,
}

impl Order {
    /// Its name in the api.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Asc => "asc",
            Self::Desc => "desc",
        }
    }
}

/// Of which time.
#[derive(Debug, Args)]
#[command(next_help_heading = "List")]
pub(crate) struct TimeArgs {
    /// Accepted later than this: a time, a day, or so long ago (`-1h30m`)
    #[arg(
        long,
        value_name = "TIME",
        value_parser = moment,
        allow_hyphen_values = true,
        env = "POSTRIDER_LIST_AFTER",
        hide_env_values = true
    )]
    pub(crate) after: Option<Moment>,
    /// Accepted earlier than this
    #[arg(
        long,
        value_name = "TIME",
        value_parser = moment,
        allow_hyphen_values = true,
        env = "POSTRIDER_LIST_BEFORE",
        hide_env_values = true
    )]
    pub(crate) before: Option<Moment>,
}

/// A moment, as people name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    /// That one.
    At(domain::time::Timestamp),
    /// So long before now.
    Ago(std::time::Duration),
}
