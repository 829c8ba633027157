//! An endpoint that never answers, or refuses, with very many events waiting: what it costs, what its
//! neighbours notice, and how soon a restart delivers again.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::SETTLE;
use super::flood::{EVENT_TYPE, Target, events_to};
use super::receiver::Receiver;
use super::report::Latencies;
use super::subject::Subject;
use crate::cli::{BenchArgs, BenchScenario};

/// How many events the neighbour gets in each measurement, at 100 a second.
const NEIGHBOURS: u64 = 2_000;

/// How many it gets before.
const WARM: u64 = 1_000;

/// How long after a restart the neighbour's first delivery may take before the run is given up.
const RESTART: Duration = Duration::from_secs(60);

/// What was measured.
pub(super) struct Stuck {
    /// How many were waiting.
    pub(super) waiting: u64,
    /// Memory before any waited, and with all of them waiting, in MiB.
    pub(super) memory_mib: (f64, f64),
    /// The neighbour's latency before, and with all of them waiting.
    pub(super) neighbour: (Latencies, Latencies),
    /// How long after the start of a new process, all of them waiting, the first delivery came.
    pub(super) restart: Duration,
}

/// Lets `args.waiting` events wait for an endpoint that is of no use.
pub(super) async fn run(
    mut subject: Subject,
    receiver: &Arc<Receiver>,
    scenario: BenchScenario,
    args: &BenchArgs,
) -> Result<Stuck> {
    let (url, _hole) = useless(scenario).await?;
    let good = format!("http://{}/hook", receiver.address);
    let neighbour = addressed(&subject, &good).await?;
    let stuck = addressed(&subject, &url).await?;
    // What is made at the first event of each kind is made by then.
    receiver.begin(WARM);
    events_to(&subject, &neighbour, WARM, args)
        .flood(receiver)
        .await?;
    receiver.all(SETTLE).await?;
    let before = steady(&subject, receiver, &neighbour, args).await?;
    let (memory_before, _) = subject.memory()?;
    events_to(&subject, &stuck, args.waiting, args)
        .flood(receiver)
        .await?;
    // The flood is over when the engines have written out what it left.
    subject.idle(SETTLE).await?;
    let after = steady(&subject, receiver, &neighbour, args).await?;
    let (memory_after, _) = subject.memory()?;
    receiver.begin(1);
    let begun = subject.restart().await?;
    events_to(&subject, &neighbour, 1, args)
        .flood(receiver)
        .await?;
    receiver.all(RESTART).await.context("after a restart")?;
    Ok(Stuck {
        waiting: args.waiting,
        memory_mib: (memory_before, memory_after),
        neighbour: (before, after),
        restart: begun.elapsed(),
    })
}

/// An endpoint that is addressed by its id.
async fn addressed(subject: &Subject, url: &str) -> Result<[Target; 1]> {
    let event_type = EVENT_TYPE.to_owned();
    let endpoint = Some(subject.endpoint(url, &event_type).await?);
    Ok([Target {
        event_type,
        endpoint,
    }])
}

/// The neighbour's latency at 100 events a second.
async fn steady(
    subject: &Subject,
    receiver: &Arc<Receiver>,
    endpoint: &[Target],
    args: &BenchArgs,
) -> Result<Latencies> {
    let load = events_to(subject, endpoint, NEIGHBOURS, args);
    receiver.begin(NEIGHBOURS);
    load.steady(receiver, 100.0).await?;
    receiver.all(SETTLE).await?;
    Ok(receiver.latencies())
}

/// A place that accepts and never answers, or one where nobody listens.
async fn useless(scenario: BenchScenario) -> Result<(String, JoinSet<()>)> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let url = format!("http://{}/hook", listener.local_addr()?);
    let mut hole = JoinSet::new();
    if scenario == BenchScenario::Hanging {
        hole.spawn(async move {
            let mut held: Vec<TcpStream> = Vec::new();
            while let Ok((stream, _)) = listener.accept().await {
                held.push(stream);
            }
        });
    }
    Ok((url, hole))
}
