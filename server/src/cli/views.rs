//! `postrider views`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// `postrider views …`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  postrider views verify
  postrider views rebuild --data /var/lib/postrider

The server must not run meanwhile: the log and the views belong to one process at a time.
`verify` ends with exit code 1 when a row differs.")]
pub(crate) struct ViewsCommand {
    /// The data directory
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
    #[command(subcommand)]
    pub(crate) action: ViewsAction,
}

/// What is to be done with the views.
#[derive(Clone, Copy, Debug, Subcommand)]
pub(crate) enum ViewsAction {
    /// Fold the log again beside them, and say which rows differ
    Verify,
    /// Fold the log anew; the old rows count until the new ones are whole
    Rebuild,
}
