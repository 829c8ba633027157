//! `postrider log`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};

use super::values::{duration, header};
use super::which_log::WhichLog;
use crate::log::Place;

/// `postrider log …`
#[derive(Debug, Args)]
pub(crate) struct LogCommand {
    #[command(flatten)]
    pub(crate) log: LogArgs,
    #[command(subcommand)]
    pub(crate) action: LogAction,
}

/// Which log, and how its contents are printed.
#[derive(Debug, Args)]
#[command(next_help_heading = "Log")]
pub(crate) struct LogArgs {
    #[command(flatten)]
    pub(crate) target: WhichLog,
    /// The data directory; the embedded log is in its folder `log`
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        default_value = "./postrider-data",
        env = "POSTRIDER_DATA",
        hide_env_values = true
    )]
    pub(crate) data: PathBuf,
    /// For programs: one JSON object a line
    #[arg(long, global = true, env = "POSTRIDER_JSON", hide_env_values = true)]
    pub(crate) json: bool,
}

/// What is to be done with the log.
#[derive(Debug, Subcommand)]
pub(crate) enum LogAction {
    /// List the topics
    Topics(TopicsArgs),
    /// Append records, and say where each came to lie
    Append(AppendArgs),
    /// Show the newest records, and those to come
    Tail(TailArgs),
    /// Print everything, one JSON object a record
    Dump(DumpArgs),
    /// Show which of Postrider's topics are missing or don't fit; with --apply, make them
    Plan(PlanArgs),
}

/// `postrider log topics`
#[derive(Debug, Args)]
pub(crate) struct TopicsArgs {
    /// Show each partition and the offsets that it holds
    #[arg(
        short = 'p',
        long,
        env = "POSTRIDER_LOG_TOPICS_BY_PARTITION",
        hide_env_values = true
    )]
    pub(crate) by_partition: bool,
}

/// `postrider log append`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  postrider log append inbox --key order-7 --header ce_type=order.created '{\"total\": 5}'
  postrider log append inbox --file event.json
  postrider log append inbox --lines < events.ndjson
  postrider log append inbox -- -5")]
pub(crate) struct AppendArgs {
    /// The topic
    pub(crate) topic: String,
    /// The value; without it and without --file, standard input. One that begins with `-` goes
    /// behind `--`
    #[arg(conflicts_with_all = ["file", "lines"])]
    pub(crate) value: Option<String>,
    /// The partition
    #[arg(
        short,
        long,
        value_name = "N",
        default_value_t = 0,
        env = "POSTRIDER_LOG_APPEND_PARTITION",
        hide_env_values = true
    )]
    pub(crate) partition: u32,
    /// The record's key; none when not given
    #[arg(short, long, env = "POSTRIDER_LOG_APPEND_KEY", hide_env_values = true)]
    pub(crate) key: Option<String>,
    /// A header; may be repeated
    #[arg(
        short = 'H',
        long,
        value_name = "NAME=VALUE",
        value_parser = header,
        env = "POSTRIDER_LOG_APPEND_HEADER",
        hide_env_values = true
    )]
    pub(crate) header: Vec<(String, String)>,
    /// Take the value from this file, byte for byte
    #[arg(
        short,
        long,
        conflicts_with = "lines",
        env = "POSTRIDER_LOG_APPEND_FILE",
        hide_env_values = true
    )]
    pub(crate) file: Option<PathBuf>,
    /// Append each line of standard input as a record of its own, many at once
    #[arg(
        short,
        long,
        env = "POSTRIDER_LOG_APPEND_LINES",
        hide_env_values = true
    )]
    pub(crate) lines: bool,
    /// Make the topic when it isn't there
    #[arg(long, env = "POSTRIDER_LOG_APPEND_CREATE", hide_env_values = true)]
    pub(crate) create: bool,
    #[command(flatten)]
    pub(crate) topics: TopicArgs,
}

/// Where reading begins, as the help of `tail` and `dump` says it.
const PLACES: &str = "\
A place is
  start, end     of each partition
  1234           an offset; needs --partition unless the topic has one partition only
  -20            so many records before the end
  -5m, -1h30m    so long ago
  2026-01-01T00:00:00Z, 2026-01-01
                 a time: the first record appended at it or later";

/// `postrider log tail`
#[derive(Debug, Args)]
#[command(after_help = PLACES)]
pub(crate) struct TailArgs {
    /// The topic
    pub(crate) topic: String,
    /// Only this partition
    #[arg(
        short,
        long,
        value_name = "N",
        env = "POSTRIDER_LOG_TAIL_PARTITION",
        hide_env_values = true
    )]
    pub(crate) partition: Option<u32>,
    /// Where to begin
    #[arg(
        long,
        value_name = "PLACE",
        default_value = "-10",
        allow_hyphen_values = true,
        env = "POSTRIDER_LOG_TAIL_FROM",
        hide_env_values = true
    )]
    pub(crate) from: Place,
    /// Go on with what is appended from now on, until Ctrl-C
    #[arg(short, long, env = "POSTRIDER_LOG_TAIL_FOLLOW", hide_env_values = true)]
    pub(crate) follow: bool,
    /// Stop after so many records
    #[arg(
        short = 'n',
        long,
        value_name = "N",
        env = "POSTRIDER_LOG_TAIL_LIMIT",
        hide_env_values = true
    )]
    pub(crate) limit: Option<u64>,
}

/// `postrider log dump`
#[derive(Debug, Args)]
#[command(after_help = PLACES)]
pub(crate) struct DumpArgs {
    /// The topics; all when none is named
    pub(crate) topics: Vec<String>,
    /// Only this partition of each
    #[arg(
        short,
        long,
        value_name = "N",
        env = "POSTRIDER_LOG_DUMP_PARTITION",
        hide_env_values = true
    )]
    pub(crate) partition: Option<u32>,
    /// Where to begin
    #[arg(
        long,
        value_name = "PLACE",
        default_value = "start",
        allow_hyphen_values = true,
        env = "POSTRIDER_LOG_DUMP_FROM",
        hide_env_values = true
    )]
    pub(crate) from: Place,
    /// Where to stop: before this place, and at the end as it is now at the latest
    #[arg(
        long,
        value_name = "PLACE",
        default_value = "end",
        allow_hyphen_values = true,
        env = "POSTRIDER_LOG_DUMP_TO",
        hide_env_values = true
    )]
    pub(crate) to: Place,
}

/// `postrider log plan`
#[derive(Debug, Args)]
pub(crate) struct PlanArgs {
    /// Make what is missing; refused when anything doesn't fit
    #[arg(long, env = "POSTRIDER_LOG_PLAN_APPLY", hide_env_values = true)]
    pub(crate) apply: bool,
    #[command(flatten)]
    pub(crate) topics: TopicArgs,
}

/// What is asked of Postrider's topics.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Topics")]
pub(crate) struct TopicArgs {
    /// How many partitions those topics have that are spread; 8 when not given, on Kafka 32
    #[arg(
        long,
        value_name = "N",
        env = "POSTRIDER_PARTITIONS",
        hide_env_values = true
    )]
    pub(crate) partitions: Option<u32>,
    /// For how long events can be replayed
    #[arg(
        long,
        value_name = "TIME",
        default_value = "30d",
        value_parser = duration,
        env = "POSTRIDER_RETENTION_EVENTS",
        hide_env_values = true
    )]
    pub(crate) retention_events: Duration,
    /// For how long attempts are kept; not shorter than events
    #[arg(
        long,
        value_name = "TIME",
        default_value = "30d",
        value_parser = duration,
        env = "POSTRIDER_RETENTION_ATTEMPTS",
        hide_env_values = true
    )]
    pub(crate) retention_attempts: Duration,
    /// For how long dead letters are kept; not shorter than events
    #[arg(
        long,
        value_name = "TIME",
        default_value = "30d",
        value_parser = duration,
        env = "POSTRIDER_RETENTION_DEAD_LETTERS",
        hide_env_values = true
    )]
    pub(crate) retention_dead_letters: Duration,
}
