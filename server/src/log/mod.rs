//! `postrider log`: what is in the log, as it is stored.

mod append;
mod dump;
mod follow;
mod lines;
mod merge;
mod open;
mod place;
mod plan;
mod scan;
mod shown;
mod tail;
mod target;
mod topics;
mod wanted;
mod which;

use std::sync::Arc;

use anyhow::Result;

use crate::cli::{LogAction, LogCommand};
use crate::clock::SystemClock;
use crate::output::Output;

pub(crate) use open::{is_empty, open};
pub(crate) use place::Place;
pub(crate) use target::{Target, is_address};
pub(crate) use wanted::topics as wanted_topics;

/// Runs one of the commands.
pub(crate) async fn run(command: LogCommand, output: &mut Output) -> Result<()> {
    let LogCommand { log: args, action } = command;
    let open = open::Opening {
        args: &args,
        clock: Arc::new(SystemClock),
    };
    let json = args.json;
    match action {
        LogAction::Topics(what) => topics::run(open, &what, json, output).await,
        LogAction::Append(what) => append::run(open, what, json, output).await,
        LogAction::Tail(what) => tail::run(open, &what, json, output).await,
        LogAction::Dump(what) => dump::run(open, &what, output).await,
        LogAction::Plan(what) => plan::run(open, &what, json, output).await,
    }
}
