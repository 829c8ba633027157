//! `postrider endpoints`.

use clap::{Args, Subcommand};

use super::api::{ApiArgs, PageArgs};
use super::values::{header, member};

/// `postrider endpoints …`
#[derive(Debug, Args)]
pub(crate) struct EndpointsCommand {
    #[command(flatten)]
    pub(crate) api: ApiArgs,
    #[command(subcommand)]
    pub(crate) action: EndpointsAction,
}

/// What is to be done with endpoints.
#[derive(Debug, Subcommand)]
pub(crate) enum EndpointsAction {
    /// Make one, and show its secret, this once
    Create(CreateArgs),
    /// List them
    List(EndpointListArgs),
    /// Show one, with everything that is set
    Show(EndpointId),
    /// Change what is given, and leave the rest
    Update(UpdateArgs),
    /// Delete one; what is queued for it becomes dead letters
    Delete(EndpointId),
    /// Hold what goes to one in the log; nothing is lost
    Pause(EndpointId),
    /// Let it go on
    Resume(EndpointId),
    /// Send one nothing more; what is queued for it becomes dead letters
    Disable(EndpointId),
    /// Send to it again
    Enable(EndpointId),
    /// How one does: what became of its deliveries, success rate, latency, circuit
    Stats(EndpointId),
}

/// Which endpoint.
#[derive(Debug, Args)]
pub(crate) struct EndpointId {
    /// The endpoint's id
    pub(crate) id: String,
}

/// `postrider endpoints create`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  postrider endpoints create https://example.com/hooks
  postrider endpoints create https://example.com/hooks --event-type 'order.*' --event-type invoice.paid
  postrider endpoints create http://127.0.0.1:9000/ --retry-seconds 1,5,30 --timeout-seconds 5
  postrider endpoints create https://example.com/hooks --set 'circuit=null' --set 'ordering=\"none\"'")]
pub(crate) struct CreateArgs {
    /// Where events go
    #[arg(value_name = "URL")]
    pub(crate) target: String,
    /// The secret that signs: `whsec_…`, or any text for the older form; made when not given
    #[arg(
        long,
        value_name = "SECRET",
        env = "POSTRIDER_ENDPOINT_SECRET",
        hide_env_values = true
    )]
    pub(crate) secret: Option<String>,
    #[command(flatten)]
    pub(crate) fields: FieldArgs,
}

/// `postrider endpoints update`
#[derive(Debug, Args)]
pub(crate) struct UpdateArgs {
    /// The endpoint's id
    pub(crate) id: String,
    /// Where events go from now on
    #[arg(
        long = "to",
        value_name = "URL",
        env = "POSTRIDER_ENDPOINT_TO",
        hide_env_values = true
    )]
    pub(crate) target: Option<String>,
    /// Only when it still is this version, as `ETag` says it
    #[arg(
        long,
        value_name = "ETAG",
        env = "POSTRIDER_ENDPOINT_IF_MATCH",
        hide_env_values = true
    )]
    pub(crate) if_match: Option<String>,
    #[command(flatten)]
    pub(crate) fields: FieldArgs,
}

/// What an endpoint is told. What is not given is as it was, or as the server has it by default.
#[derive(Debug, Args)]
#[command(next_help_heading = "Endpoint")]
pub(crate) struct FieldArgs {
    /// What people call it
    #[arg(
        long,
        value_name = "NAME",
        env = "POSTRIDER_ENDPOINT_NAME",
        hide_env_values = true
    )]
    pub(crate) name: Option<String>,
    /// An event type that it gets, `order.*` for all below; may be repeated; none is all
    #[arg(
        short = 't',
        long,
        value_name = "TYPE",
        env = "POSTRIDER_ENDPOINT_EVENT_TYPE",
        hide_env_values = true
    )]
    pub(crate) event_type: Vec<String>,
    /// How long an attempt may take, from connect to the last byte
    #[arg(
        long,
        value_name = "N",
        env = "POSTRIDER_ENDPOINT_TIMEOUT_SECONDS",
        hide_env_values = true
    )]
    pub(crate) timeout_seconds: Option<u32>,
    /// How many requests it gets at once
    #[arg(
        long,
        value_name = "N",
        env = "POSTRIDER_ENDPOINT_MAX_IN_FLIGHT",
        hide_env_values = true
    )]
    pub(crate) max_in_flight: Option<u32>,
    /// The waits between attempts in seconds: `1,5,30`
    #[arg(
        long,
        value_name = "LIST",
        value_delimiter = ',',
        env = "POSTRIDER_ENDPOINT_RETRY_SECONDS",
        hide_env_values = true
    )]
    pub(crate) retry_seconds: Vec<u64>,
    /// A header that every request carries; may be repeated
    #[arg(
        short = 'H',
        long,
        value_name = "NAME=VALUE",
        value_parser = header,
        env = "POSTRIDER_ENDPOINT_HEADER",
        hide_env_values = true
    )]
    pub(crate) header: Vec<(String, String)>,
    /// A note of your own; may be repeated
    #[arg(
        long,
        value_name = "NAME=VALUE",
        value_parser = header,
        env = "POSTRIDER_ENDPOINT_METADATA",
        hide_env_values = true
    )]
    pub(crate) metadata: Vec<(String, String)>,
    /// Any field of the API, as JSON; may be repeated
    #[arg(
        long,
        value_name = "FIELD=JSON",
        value_parser = member,
        env = "POSTRIDER_ENDPOINT_SET",
        hide_env_values = true
    )]
    pub(crate) set: Vec<(String, serde_json::Value)>,
}

/// `postrider endpoints list`
#[derive(Debug, Args)]
pub(crate) struct EndpointListArgs {
    /// Only those that get events of this type
    #[arg(
        long,
        value_name = "TYPE",
        env = "POSTRIDER_ENDPOINTS_EVENT_TYPE",
        hide_env_values = true
    )]
    pub(crate) event_type: Option<String>,
    /// Only those that are active, or are not
    #[arg(
        long,
        value_name = "BOOL",
        env = "POSTRIDER_ENDPOINTS_ACTIVE",
        hide_env_values = true
    )]
    pub(crate) active: Option<bool>,
    /// Only those whose name or URL has this in it
    #[arg(
        short,
        long,
        value_name = "TEXT",
        env = "POSTRIDER_ENDPOINTS_QUERY",
        hide_env_values = true
    )]
    pub(crate) query: Option<String>,
    #[command(flatten)]
    pub(crate) page: PageArgs,
}
