//! The one binary: parse, build, run.

mod bench;
mod chance;
mod cli;
mod client;
mod clock;
mod exit;
mod listen;
mod log;
mod nearest;
mod output;
mod redact;
mod serve;
mod settings;
mod telemetry;
mod views;

use std::process::ExitCode;

use clap::FromArgMatches;

use crate::cli::{Cli, Command};
use crate::output::Output;

/// A delivery makes and drops some hundreds of small things on threads that hand them to each other
/// (`docs/adr/0053-an-allocator-of-its-own.md`).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = match parse() {
        Ok(cli) => cli,
        Err(error) => return exit::wrong_use(&error),
    };
    let outcome = telemetry::start(&cli.process, cli.command.default_log_level());
    let outcome = outcome.and_then(|()| block_on(cli.command));
    exit::code(outcome, cli.process.log_format)
}

/// Flags win over the environment, the environment over the file.
fn parse() -> Result<Cli, clap::Error> {
    let arguments: Vec<_> = std::env::args_os().collect();
    let command = settings::command(&arguments)?;
    let matches = command.clone().try_get_matches_from(arguments);
    let matches = matches.map_err(|error| error.with_cmd(&command))?;
    Cli::from_arg_matches(&matches)
}

fn block_on(command: Command) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let outcome = runtime.block_on(run(command));
    // A thread that still waits for standard input has nothing to save.
    runtime.shutdown_background();
    outcome
}

async fn run(command: Command) -> anyhow::Result<()> {
    let mut output = Output::standard();
    match command {
        Command::Serve(args) => serve::run(args).await?,
        Command::Send(args) => client::send(args, &mut output).await?,
        Command::Endpoints(command) => client::endpoints(command, &mut output).await?,
        Command::Events(command) => client::events(command, &mut output).await?,
        Command::Deliveries(command) => client::deliveries(command, &mut output).await?,
        Command::Dlq(command) => client::dlq(command, &mut output).await?,
        Command::Listen(args) => listen::run(args, &mut output).await?,
        Command::Log(command) => log::run(command, &mut output).await?,
        Command::Bench(args) => bench::run(&args, &mut output).await?,
        Command::Views(command) => views::run(command, &mut output).await?,
    }
    output.finish()
}
