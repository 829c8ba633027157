//! Plays faults on real servers, and says what came of each.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use faults::faults::Fault;
use faults::play::{Options, play};
use faults::{damages, report, verdict};
use tokio::signal::unix::{SignalKind, signal};

/// Plays faults on the servers that POSTRIDER_TEST_LOG and POSTRIDER_TEST_VIEWS name.
#[derive(Debug, Parser)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Plays the named faults, one after the other, and prints a row of each
    Play {
        /// Which
        #[arg(required = true)]
        names: Vec<Fault>,
        /// How often each; its own number when not given
        #[arg(long)]
        rounds: Option<u64>,
        /// For how many seconds what is stopped or slow stays so, and the load alone goes on
        #[arg(long, default_value_t = 30)]
        seconds: u64,
        /// The pause of each client after an event
        #[arg(long, default_value_t = 40)]
        pause_ms: u64,
        /// What clients draw from
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// Where journals go: a folder for each fault, kept when something is wrong
        #[arg(long)]
        folder: PathBuf,
        /// Keep them all
        #[arg(long)]
        keep: bool,
    },
    /// Judges a folder that was kept
    Check {
        /// It
        folder: PathBuf,
    },
    /// Prints the first lines of the table of which a fault is a row
    Head,
    /// On how many brokers a fault is to be played
    Nodes {
        /// Which
        name: Fault,
    },
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Cli::parse().command).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Whether all is well.
async fn run(command: Command) -> anyhow::Result<bool> {
    match command {
        Command::Nodes { name } => {
            println!("{}", name.nodes());
            Ok(true)
        }
        Command::Head => {
            println!("{}", report::HEAD);
            Ok(true)
        }
        Command::Check { folder } => check(&folder),
        Command::Play {
            names,
            rounds,
            seconds,
            pause_ms,
            seed,
            folder,
            keep,
        } => {
            let mut is_good = true;
            for fault in names {
                let options = Options {
                    rounds: rounds.unwrap_or_else(|| fault.rounds()),
                    lasts: Duration::from_secs(seconds),
                    pause: Duration::from_millis(pause_ms),
                    seed,
                    folder: folder.join(fault.name()),
                };
                is_good &= tell(fault, &options, keep).await?;
            }
            Ok(is_good)
        }
    }
}

/// Plays a fault and prints its row; whether all is well. Then, and when somebody interrupts it, its journal goes.
async fn tell(fault: Fault, options: &Options, keep: bool) -> anyhow::Result<bool> {
    let folder = &options.folder;
    let row = tokio::select! {
        biased;
        () = interrupted() => {
            // What was begun has been dropped, and with it every process and folder of its own.
            let healed = fault.heal().await;
            drop(std::fs::remove_dir_all(folder));
            healed?;
            anyhow::bail!("{} was interrupted", fault.name());
        }
        // On the heap: how it is laid out is more than the compiler works out at once.
        row = Box::pin(play(fault, options)) => row,
    };
    println!("{row}");
    for wrong in &row.wrong {
        eprintln!("{}: {wrong}", fault.name());
    }
    let is_good = row.wrong.is_empty();
    if is_good && !keep {
        std::fs::remove_dir_all(folder).context("the journal of what went well")?;
    } else {
        eprintln!("{}: the journal is in {}", fault.name(), folder.display());
    }
    Ok(is_good)
}

/// SIGINT or SIGTERM; never, where they can't be waited for.
async fn interrupted() {
    let (Ok(mut interrupt), Ok(mut terminate)) = (
        signal(SignalKind::interrupt()),
        signal(SignalKind::terminate()),
    ) else {
        return std::future::pending().await;
    };
    tokio::select! {
        biased;
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}

fn check(folder: &std::path::Path) -> anyhow::Result<bool> {
    let limits = verdict::limits();
    let (history, verdict) = verdict::of_folder(folder, &limits)?;
    for problem in &verdict.problems {
        println!("{problem}");
    }
    println!(
        "{} accepted, {} deliveries arrived, {} repeats; {} problems",
        verdict.accepted,
        verdict.arrived,
        verdict.repeats,
        verdict.problems.len()
    );
    if verdict.problems.is_empty() {
        let count = damages::are_found(&history, &limits)?;
        println!("{count} damages to it are found");
    }
    Ok(verdict.problems.is_empty())
}
