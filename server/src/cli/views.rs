//! `postrider views`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::which_log::WhichLog;
use super::which_views::WhichViews;

/// `postrider views …`
#[derive(Debug, Args)]
pub(crate) struct ViewsCommand {
    #[command(flatten)]
    pub(crate) log: WhichLog,
    #[command(flatten)]
    pub(crate) which: WhichViews,
    /// The data directory; embedded views are in its folder `views`, the embedded log in its folder `log`
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        default_value = "./postrider-data",
        env = "POSTRIDER_DATA",
        hide_env_values = true
    )]
    pub(crate) data: PathBuf,
    #[command(subcommand)]
    pub(crate) action: ViewsAction,
}

/// What is to be done with the views. No server may run on embedded ones meanwhile, and none may write
/// those that are verified.
#[derive(Clone, Copy, Debug, Subcommand)]
pub(crate) enum ViewsAction {
    /// Fold the log again and compare every row; fails when one differs
    Verify,
    /// Make the views anew from the log; the old ones count until the new ones are whole
    Rebuild,
}
