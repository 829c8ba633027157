//! `postrider listen`: a receiver to develop against.

mod answer;
mod came;
mod forward;
mod verdict;

use std::sync::Arc;

use anyhow::{Context, Result};
use axum::Router;
use parking_lot::Mutex;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::chance::SystemChance;
use crate::cli::ListenArgs;
use crate::output::Output;
use answer::{Receiver, receive};
use came::Came;
use verdict::Secrets;

/// Requests that wait to be printed. A terminal that is held up holds up the senders, and nothing
/// grows.
const WAITING: usize = 64;

/// Receives until Ctrl-C.
///
/// # Errors
/// When the port is taken, or a secret is none.
pub(crate) async fn run(args: ListenArgs, output: &mut Output) -> Result<()> {
    let secrets = Secrets::new(&args.secret)?;
    let forward = args.forward_to.as_deref().map(forward::Forward::new);
    let listener = TcpListener::bind(("127.0.0.1", args.port)).await;
    let listener = listener.with_context(|| format!("listening on 127.0.0.1:{}", args.port))?;
    let address = listener.local_addr()?;
    greet(&args, &secrets, address.port());
    let (came, mut coming) = mpsc::channel(WAITING);
    let receiver = Receiver {
        status: args.status,
        fail_percent: args.fail_percent,
        delay: args.delay_ms,
        secrets,
        forward: forward.transpose()?,
        chance: Mutex::new(SystemChance::default()),
        came,
    };
    let app = Router::new()
        .fallback(receive)
        .with_state(Arc::new(receiver));
    let mut serving = JoinSet::new();
    serving.spawn(async move { axum::serve(listener, app).await });
    loop {
        tokio::select! {
            biased;
            interrupted = tokio::signal::ctrl_c() => return interrupted.context("waiting for Ctrl-C"),
            Some(came) = coming.recv() => print(&came, &args, output)?,
            Some(ended) = serving.join_next() => return ended?.context("receiving"),
        }
    }
}

fn greet(args: &ListenArgs, secrets: &Secrets, port: u16) {
    let verified = match secrets.is_empty() {
        true => "signatures are not verified: give --secret",
        false => "signatures are verified",
    };
    eprintln!("Listening on http://127.0.0.1:{port}/ ({verified}). Ctrl-C ends.");
    if args.fail_percent > 0 {
        eprintln!("{} of a hundred are answered 500.", args.fail_percent);
    }
}

fn print(came: &Came, args: &ListenArgs, output: &mut Output) -> Result<()> {
    match args.json {
        true => output.json(&came.line())?,
        false => came
            .lines(args.full)
            .iter()
            .try_for_each(|line| output.line(line))?,
    }
    output.flush()
}
