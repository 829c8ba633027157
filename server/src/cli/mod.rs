//! The command line, as it is written.

mod api;
mod bench;
mod endpoints;
mod events;
mod listen;
mod log;
mod serve;
mod values;
mod views;
mod which_log;
mod which_views;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub(crate) use api::{ApiArgs, Moment, PageArgs, TimeArgs};
pub(crate) use bench::{BenchArgs, BenchScenario, Watched};
pub(crate) use endpoints::{
    CreateArgs, EndpointId, EndpointListArgs, EndpointsAction, EndpointsCommand, FieldArgs,
    UpdateArgs,
};
pub(crate) use events::{
    DeliveriesAction, DeliveriesCommand, DeliveryListArgs, DlqAction, DlqCommand, DlqListArgs,
    EventListArgs, EventsAction, EventsCommand, SendArgs, WhichArgs,
};
pub(crate) use listen::ListenArgs;
pub(crate) use log::{
    AppendArgs, DumpArgs, LogAction, LogArgs, LogCommand, PlanArgs, TailArgs, TopicArgs, TopicsArgs,
};
pub(crate) use serve::{DeliveryArgs, RoleName, ServeArgs};
pub(crate) use views::{ViewsAction, ViewsCommand};
pub(crate) use which_log::WhichLog;
pub(crate) use which_views::WhichViews;

const SETTINGS: &str = "\
Settings:
  Each option has an environment variable, shown with it in brackets, and a key in the file of
  --config: the variable's name without POSTRIDER_, in small letters. An option wins over the
  variable, the variable over the file. What is on or off is turned off with =false.

    postrider log topics --log kafka://localhost:9092
    POSTRIDER_LOG=kafka://localhost:9092 postrider log topics
    echo 'log = \"kafka://localhost:9092\"' > postrider.toml
    postrider log topics --config postrider.toml

Exit codes: 0 done, 1 failed, 2 wrong use.";

/// Webhook delivery on a log: what was accepted is in it, and ends delivered or accounted for
#[derive(Debug, Parser)]
#[command(name = "postrider", version, after_help = SETTINGS, disable_help_subcommand = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) process: ProcessArgs,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command is told.
#[derive(Debug, Args)]
#[command(next_help_heading = "Process")]
pub(crate) struct ProcessArgs {
    /// Read settings from this TOML file
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        env = "POSTRIDER_CONFIG",
        hide_env_values = true
    )]
    pub(crate) config: Option<PathBuf>,
    /// How log lines look, on standard error
    #[arg(
        long,
        global = true,
        value_name = "FORMAT",
        default_value = "text",
        env = "POSTRIDER_LOG_FORMAT",
        hide_env_values = true
    )]
    pub(crate) log_format: LogFormat,
    /// Which log lines are written: error, warn, info, debug, trace, or one a module; warn when not
    /// given, info for `serve`
    #[arg(
        long,
        global = true,
        value_name = "LEVEL",
        env = "POSTRIDER_LOG_LEVEL",
        hide_env_values = true
    )]
    pub(crate) log_level: Option<String>,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people
    Text,
    /// One JSON object a line
    Json,
}

/// What is to be done.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Take events in and deliver them: everything in one process
    Serve(ServeArgs),
    /// Send an event
    Send(SendArgs),
    /// Where events go
    Endpoints(EndpointsCommand),
    /// What happened, and what became of it
    Events(EventsCommand),
    /// Events on their way to one endpoint
    Deliveries(DeliveriesCommand),
    /// Dead letters: deliveries that failed for good
    Dlq(DlqCommand),
    /// A receiver to develop against: verifies signatures, prints what comes
    Listen(ListenArgs),
    /// What is in the log, as it is stored; secrets never show
    Log(LogCommand),
    /// The views against the log: compared, or made anew
    Views(ViewsCommand),
    /// Load, a receiver and the bare limit in one run
    Bench(BenchArgs),
}

impl Command {
    /// Which log lines are written unless somebody says otherwise.
    pub(crate) const fn default_log_level(&self) -> &'static str {
        match self {
            Self::Serve(_) => "info,fjall=warn,lsm_tree=warn,scylla=warn",
            Self::Send(_)
            | Self::Endpoints(_)
            | Self::Events(_)
            | Self::Deliveries(_)
            | Self::Dlq(_)
            | Self::Listen(_)
            | Self::Log(_)
            | Self::Views(_)
            | Self::Bench(_) => "warn",
        }
    }
}
