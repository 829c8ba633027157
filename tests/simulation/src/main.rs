//! Runs worlds and says what should not have happened in them.

use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;
use clap::Parser;
use simulation::plan;
use simulation::report;
use simulation::world::run::{self, Ran};

/// Seeds that once found something, with what they found.
const KEPT: &str = include_str!("../seeds.txt");

/// Runs the whole system under a clock of its own, breaks it by a seed, and checks what became of it.
#[derive(Parser)]
struct Arguments {
    /// One seed, with everything that happened in its world.
    #[arg(long, conflicts_with_all = ["seeds", "from", "kept"])]
    seed: Option<u64>,
    /// How many seeds.
    #[arg(long, default_value_t = 300)]
    seeds: u64,
    /// The first.
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Every seed that once found something, too.
    #[arg(long)]
    kept: bool,
    /// Ends at the first seed that finds something.
    #[arg(long)]
    first: bool,
    /// Prints the digest of each history instead: equal digests, equal histories.
    #[arg(long)]
    digest: bool,
    /// How many worlds at once, each in a thread of its own.
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// The most seconds of real time that one world may take: a clock that stands still ends no world.
    #[arg(long, default_value_t = 120)]
    patience: u64,
}

fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    let found = match arguments.seed {
        Some(seed) => one(seed, arguments.digest)?,
        None => many(&arguments)?,
    };
    Ok(if found == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Runs one world and tells all of it.
fn one(seed: u64, is_digest: bool) -> Result<usize> {
    if !is_digest {
        tracing_subscriber::fmt()
            .with_writer(std::io::stderr)
            .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
            .without_time()
            .init();
    }
    let ran = run::run(plan::draw(seed))?;
    if is_digest {
        println!("{seed} {}", report::digest(&ran.history));
        return Ok(0);
    }
    println!("{:#?}", ran.plan);
    print!("{}", report::trace(&ran.history));
    for why in &ran.ended {
        println!("ended: {why}");
    }
    tell(&ran);
    Ok(ran.problems.len())
}

fn tell(ran: &Ran) {
    println!("{}", report::line(ran));
    for problem in ran.problems.iter().take(10) {
        println!("    {problem}");
    }
}

/// Runs many worlds, says which were not as they should be, and how many those were.
#[allow(
    clippy::disallowed_methods,
    reason = "how many worlds a minute is real time"
)]
fn many(arguments: &Arguments) -> Result<usize> {
    let mut seeds: Vec<u64> = (arguments.from..arguments.from + arguments.seeds).collect();
    if arguments.kept {
        seeds.extend(kept());
    }
    let begun = Instant::now();
    let (next, found, events) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicU64::new(0));
    let work = || -> Result<()> {
        while let Some(&seed) = seeds.get(next.fetch_add(1, Ordering::Relaxed)) {
            if arguments.first && found.load(Ordering::Relaxed) > 0 {
                break;
            }
            let ran = patiently(seed, arguments.patience)?;
            events.fetch_add(ran.history.requests.len() as u64, Ordering::Relaxed);
            if arguments.digest {
                println!("{seed} {}", report::digest(&ran.history));
            }
            if !ran.problems.is_empty() {
                found.fetch_add(1, Ordering::Relaxed);
                tell(&ran);
            }
        }
        Ok(())
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..arguments.threads.max(1))
            .map(|_| scope.spawn(work))
            .collect();
        for thread in threads {
            match thread.join() {
                Ok(ended) => ended?,
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        anyhow::Ok(())
    })?;
    let (found, events) = (found.into_inner(), events.into_inner());
    let (many, took) = (seeds.len(), begun.elapsed().as_secs_f64());
    let a_minute = many as f64 / took * 60.0;
    println!(
        "{many} seeds, {events} requests, {took:.1} s, {a_minute:.0} seeds a minute: {found} found something"
    );
    Ok(found)
}

/// Runs one world; ends this whole program where it takes longer than `seconds`.
fn patiently(seed: u64, seconds: u64) -> Result<Ran> {
    let (done, waits): (Sender<()>, _) = channel();
    thread::spawn(move || {
        if waits.recv_timeout(Duration::from_secs(seconds)) == Err(RecvTimeoutError::Timeout) {
            eprintln!("seed {seed} is not over after {seconds} s");
            std::process::exit(2);
        }
    });
    let ran = run::run(plan::draw(seed))?;
    drop(done);
    Ok(ran)
}

/// The first word of each line that is not a comment.
fn kept() -> impl Iterator<Item = u64> {
    KEPT.lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_whitespace().next()?.parse().ok())
}
