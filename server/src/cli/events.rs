//! `postrider send`, `events`, `deliveries`, `dlq`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::api::{ApiArgs, PageArgs, TimeArgs};

/// `postrider send`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  postrider send order.paid '{\"order\": 7, \"total\": 99.90}'
  postrider send order.paid --file order.json --endpoint ep_… --wait
  echo '{\"n\": 1}' | postrider send test.ping")]
pub(crate) struct SendArgs {
    #[command(flatten)]
    pub(crate) api: ApiArgs,
    /// What happened: the event's type
    #[arg(value_name = "TYPE")]
    pub(crate) event_type: String,
    /// The payload, JSON, sent byte for byte; without it and without --file, standard input
    #[arg(conflicts_with = "file")]
    pub(crate) payload: Option<String>,
    /// Take the payload from this file
    #[arg(short, long, env = "POSTRIDER_SEND_FILE", hide_env_values = true)]
    pub(crate) file: Option<PathBuf>,
    /// To this endpoint only; else to every one that subscribes
    #[arg(
        short,
        long,
        value_name = "ID",
        env = "POSTRIDER_SEND_ENDPOINT",
        hide_env_values = true
    )]
    pub(crate) endpoint: Option<String>,
    /// The event's id; the same one again is the same event
    #[arg(
        long,
        value_name = "ID",
        env = "POSTRIDER_SEND_EVENT_ID",
        hide_env_values = true
    )]
    pub(crate) event_id: Option<String>,
    /// The same key again is the same event
    #[arg(
        short = 'k',
        long,
        value_name = "KEY",
        env = "POSTRIDER_SEND_IDEMPOTENCY_KEY",
        hide_env_values = true
    )]
    pub(crate) idempotency_key: Option<String>,
    /// Where it comes from
    #[arg(
        long,
        value_name = "SOURCE",
        env = "POSTRIDER_SEND_SOURCE",
        hide_env_values = true
    )]
    pub(crate) source: Option<String>,
    /// A label; may be repeated
    #[arg(
        long,
        value_name = "TAG",
        env = "POSTRIDER_SEND_TAG",
        hide_env_values = true
    )]
    pub(crate) tag: Vec<String>,
    /// Wait until every delivery of it has ended, and show how; exit code 1 unless all were delivered
    #[arg(short, long, env = "POSTRIDER_SEND_WAIT", hide_env_values = true)]
    pub(crate) wait: bool,
}

/// `postrider events …`
#[derive(Debug, Args)]
pub(crate) struct EventsCommand {
    #[command(flatten)]
    pub(crate) api: ApiArgs,
    #[command(subcommand)]
    pub(crate) action: EventsAction,
}

/// What is to be seen of events.
#[derive(Debug, Subcommand)]
pub(crate) enum EventsAction {
    /// List them
    List(EventListArgs),
    /// Show one: its payload, its deliveries and their attempts
    Show(Id),
}

/// Which one.
#[derive(Debug, Args)]
pub(crate) struct Id {
    /// Its id
    pub(crate) id: String,
}

/// `postrider events list`
#[derive(Debug, Args)]
pub(crate) struct EventListArgs {
    #[command(flatten)]
    pub(crate) which: WhichArgs,
    /// Only from this source
    #[arg(
        long,
        value_name = "SOURCE",
        env = "POSTRIDER_LIST_SOURCE",
        hide_env_values = true
    )]
    pub(crate) source: Option<String>,
    /// Only with this label
    #[arg(
        long,
        value_name = "TAG",
        env = "POSTRIDER_LIST_TAG",
        hide_env_values = true
    )]
    pub(crate) tag: Option<String>,
    #[command(flatten)]
    pub(crate) time: TimeArgs,
    #[command(flatten)]
    pub(crate) page: PageArgs,
}

/// Which rows of a list.
#[derive(Debug, Args)]
#[command(next_help_heading = "List")]
pub(crate) struct WhichArgs {
    /// Only of this type
    #[arg(
        short = 't',
        long,
        value_name = "TYPE",
        env = "POSTRIDER_LIST_EVENT_TYPE",
        hide_env_values = true
    )]
    pub(crate) event_type: Option<String>,
    /// Only of this endpoint
    #[arg(
        short,
        long,
        value_name = "ID",
        env = "POSTRIDER_LIST_ENDPOINT",
        hide_env_values = true
    )]
    pub(crate) endpoint: Option<String>,
    /// Only those that stand so
    #[arg(
        short,
        long,
        value_name = "STATUS",
        env = "POSTRIDER_LIST_STATUS",
        hide_env_values = true
    )]
    pub(crate) status: Option<String>,
}

/// `postrider deliveries …`
#[derive(Debug, Args)]
pub(crate) struct DeliveriesCommand {
    #[command(flatten)]
    pub(crate) api: ApiArgs,
    #[command(subcommand)]
    pub(crate) action: DeliveriesAction,
}

/// What is to be seen of deliveries.
#[derive(Debug, Subcommand)]
pub(crate) enum DeliveriesAction {
    /// List them
    List(DeliveryListArgs),
    /// Show one, with its attempts
    Show(Id),
}

/// `postrider deliveries list`
#[derive(Debug, Args)]
pub(crate) struct DeliveryListArgs {
    #[command(flatten)]
    pub(crate) which: WhichArgs,
    /// Only those whose last answer had this status code
    #[arg(
        long,
        value_name = "CODE",
        env = "POSTRIDER_LIST_STATUS_CODE",
        hide_env_values = true
    )]
    pub(crate) status_code: Option<u16>,
    #[command(flatten)]
    pub(crate) time: TimeArgs,
    #[command(flatten)]
    pub(crate) page: PageArgs,
}

/// `postrider dlq …`
#[derive(Debug, Args)]
pub(crate) struct DlqCommand {
    #[command(flatten)]
    pub(crate) api: ApiArgs,
    #[command(subcommand)]
    pub(crate) action: DlqAction,
}

/// What is to be seen of dead letters.
#[derive(Debug, Subcommand)]
pub(crate) enum DlqAction {
    /// List them
    List(DlqListArgs),
    /// Show one, with its attempts
    Show(Id),
}

/// `postrider dlq list`
#[derive(Debug, Args)]
pub(crate) struct DlqListArgs {
    /// Only of this type
    #[arg(
        short = 't',
        long,
        value_name = "TYPE",
        env = "POSTRIDER_LIST_EVENT_TYPE",
        hide_env_values = true
    )]
    pub(crate) event_type: Option<String>,
    /// Only of this endpoint
    #[arg(
        short,
        long,
        value_name = "ID",
        env = "POSTRIDER_LIST_ENDPOINT",
        hide_env_values = true
    )]
    pub(crate) endpoint: Option<String>,
    /// Only for this reason
    #[arg(
        short,
        long,
        value_name = "REASON",
        env = "POSTRIDER_LIST_REASON",
        hide_env_values = true
    )]
    pub(crate) reason: Option<String>,
    #[command(flatten)]
    pub(crate) time: TimeArgs,
    #[command(flatten)]
    pub(crate) page: PageArgs,
}
