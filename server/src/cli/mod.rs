//! The command line, as it is written.

mod log;
mod values;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub(crate) use log::{
    AppendArgs, DumpArgs, LogAction, LogArgs, LogCommand, PlanArgs, TailArgs, TopicArgs, TopicsArgs,
};

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
    /// Which log lines are written: error, warn, info, debug, trace, or one a module
    #[arg(
        long,
        global = true,
        value_name = "LEVEL",
        default_value = "warn",
        env = "POSTRIDER_LOG_LEVEL",
        hide_env_values = true
    )]
    pub(crate) log_level: String,
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
    /// What is in the log, as it is stored; secrets never show
    Log(LogCommand),
}
