//! Runs the suites that need a real log or store against containers, and removes these in every case.

mod cli;
mod cql;
mod image;
mod kafka;
mod ports;
mod ready;
mod run;
mod servers;
mod signals;
mod suites;

use std::process::ExitCode;

use clap::Parser as _;

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    suites::run(cli::Cli::parse()).await
}
