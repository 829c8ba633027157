//! `postrider serve`: all roles in one process. Parse, build, spawn, drain.

mod banner;
mod config;
mod data_lock;
mod http;
mod ids;
mod key_file;
mod parts;
mod probes;
mod roles;
mod server;
mod signals;
mod storage;

use anyhow::{Context, Result};
use tokio::net::TcpListener;

use crate::cli::ServeArgs;
use config::Config;
use server::Server;
use signals::Signals;
use storage::Storage;

/// Serves until SIGTERM or SIGINT.
///
/// # Errors
/// What can't be served, and why; a role that failed.
pub(crate) async fn run(args: ServeArgs) -> Result<()> {
    let config = Config::new(args)?;
    let signals = Signals::new()?;
    let listener = TcpListener::bind(config.listen).await;
    let listener = listener.with_context(|| format!("listening on {}", config.listen))?;
    let storage = Storage::open(&config).await?;
    let address = listener.local_addr()?;
    let server = Server::build(&config, storage, listener).await?;
    banner::show(&config, address);
    server.run(signals).await
}
