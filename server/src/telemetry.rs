//! Log lines, on standard error.

use std::io::{self, IsTerminal};

use anyhow::Result;
use tracing_subscriber::EnvFilter;

use crate::cli::{LogFormat, ProcessArgs};
use crate::exit::WrongUse;

/// Starts writing log lines, one a fact.
pub(crate) fn start(args: &ProcessArgs, default_level: &str) -> Result<()> {
    let level = args.log_level.as_deref().unwrap_or(default_level);
    let filter = EnvFilter::builder().parse(level);
    let filter = filter.map_err(|error| WrongUse(format!("--log-level: {error}")))?;
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal());
    let started = match args.log_format {
        LogFormat::Text => lines.try_init(),
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
    };
    started.map_err(|error| anyhow::anyhow!(error))
}
