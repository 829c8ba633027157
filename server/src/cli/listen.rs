//! `postrider listen`.

use std::time::Duration;

use clap::Args;

use super::values::millis;

/// `postrider listen`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  postrider listen --port 9000
  postrider listen --port 9000 --secret whsec_… --fail-percent 30
  postrider listen --port 9000 --forward-to http://127.0.0.1:3000/hooks")]
pub(crate) struct ListenArgs {
    /// The port on 127.0.0.1; 0 takes a free one
    #[arg(
        short,
        long,
        value_name = "N",
        default_value_t = 9000,
        env = "POSTRIDER_LISTEN_PORT",
        hide_env_values = true
    )]
    pub(crate) port: u16,
    /// The endpoint's secret: signatures are verified, and what doesn't verify is answered 401; may
    /// be repeated
    #[arg(
        short,
        long,
        value_name = "SECRET",
        env = "POSTRIDER_LISTEN_SECRET",
        hide_env_values = true
    )]
    pub(crate) secret: Vec<String>,
    /// Answer this status
    #[arg(
        long,
        value_name = "CODE",
        default_value_t = 200,
        value_parser = clap::value_parser!(u16).range(200..600),
        env = "POSTRIDER_LISTEN_STATUS",
        hide_env_values = true
    )]
    pub(crate) status: u16,
    /// Answer 500 to so many of a hundred
    #[arg(
        long,
        value_name = "PERCENT",
        default_value_t = 0,
        value_parser = clap::value_parser!(u8).range(0..=100),
        env = "POSTRIDER_LISTEN_FAIL_PERCENT",
        hide_env_values = true
    )]
    pub(crate) fail_percent: u8,
    /// Wait so many milliseconds before answering
    #[arg(
        long,
        value_name = "MS",
        default_value = "0",
        value_parser = millis,
        env = "POSTRIDER_LISTEN_DELAY_MS",
        hide_env_values = true
    )]
    pub(crate) delay_ms: Duration,
    /// Hand each request on to this URL, and its answer back
    #[arg(
        long,
        value_name = "URL",
        env = "POSTRIDER_LISTEN_FORWARD_TO",
        hide_env_values = true
    )]
    pub(crate) forward_to: Option<String>,
    /// Show the whole payload, not only its beginning
    #[arg(long, env = "POSTRIDER_LISTEN_FULL", hide_env_values = true)]
    pub(crate) full: bool,
    /// For programs: one JSON object a line
    #[arg(long, env = "POSTRIDER_JSON", hide_env_values = true)]
    pub(crate) json: bool,
}
