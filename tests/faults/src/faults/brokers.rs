//! Brokers that stand still, are killed, and lose what they had not flushed.

use std::fs;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use end_to_end::services::{Node, kafka_nodes, services};
use rustix::process::{Pid, Signal, kill_process};
use tokio::time::sleep;

use super::Played;
use crate::play::told;
use crate::world::{SOON, World};

/// How long what was under way when brokers stood still may take to be told.
const UNDER_WAY: Duration = Duration::from_secs(1);

/// After how long the group takes partitions from whom it doesn't hear.
const SESSION: Duration = Duration::from_secs(10);

/// Dispatchers: what one has on the wire another sends again, if the group gives it the partition.
const DISPATCHERS: usize = 2;

/// Fault 4: The brokers stand still, and in every other round are killed, for as long as `lasts`.
pub(super) async fn stopped(
    world: &mut World,
    rounds: u64,
    lasts: Duration,
) -> anyhow::Result<Played> {
    for round in 0..rounds {
        let nodes = kafka_nodes().await?;
        let is_killed = !round.is_multiple_of(2);
        if is_killed {
            services(&["stop", "kafka", "--kill"]).await?;
        } else {
            signal(&nodes, Signal::STOP)?;
        }
        stay_away(world, lasts).await?;
        if is_killed {
            services(&["start", "kafka"]).await?;
        } else {
            signal(&nodes, Signal::CONT)?;
        }
        world.load.more(20, SOON * 2).await?;
        world.arrives(20).await?;
    }
    Ok(Played {
        seen: told(world),
        stops: usize::try_from(rounds)? * DISPATCHERS,
    })
}

/// For as long as `lasts` nothing can be kept: so nothing may be accepted, and who asks is told 503.
async fn stay_away(world: &World, lasts: Duration) -> anyhow::Result<()> {
    sleep(UNDER_WAY).await;
    let told = world.load.told();
    let accepted = told.accepted.load(Ordering::SeqCst);
    let unavailable = told.unavailable.load(Ordering::SeqCst);
    // The fault's own length.
    sleep(lasts).await;
    let since = told.accepted.load(Ordering::SeqCst) - accepted;
    ensure!(since == 0, "{since} were told 202 while no broker ran");
    let since = told.unavailable.load(Ordering::SeqCst) - unavailable;
    ensure!(
        since > 0,
        "nobody was told 503 in {lasts:?} without a broker"
    );
    if lasts > SESSION {
        world.were_not_heard()?;
    }
    Ok(())
}

/// Fault 5: Each of three brokers is killed in turn and comes back; then all are, and are away for as long as `lasts`.
pub(super) async fn killed(
    world: &mut World,
    rounds: u64,
    lasts: Duration,
) -> anyhow::Result<Played> {
    let nodes = kafka_nodes().await?.len();
    ensure!(nodes == 3, "it is played on three brokers, not on {nodes}");
    for _ in 0..rounds {
        for node in 1..=nodes {
            let node = node.to_string();
            services(&["stop", "kafka", "--node", &node, "--kill"]).await?;
            world.load.more(20, SOON * 2).await?;
            services(&["start", "kafka"]).await?;
            whole(world).await?;
            world.load.more(20, SOON * 2).await?;
            world.arrives(20).await?;
        }
        services(&["stop", "kafka", "--kill"]).await?;
        stay_away(world, lasts).await?;
        services(&["start", "kafka"]).await?;
        whole(world).await?;
        world.load.more(20, SOON * 2).await?;
        world.arrives(20).await?;
    }
    Ok(Played {
        seen: told(world),
        stops: usize::try_from(rounds)? * (nodes + 1) * DISPATCHERS,
    })
}

/// Fault 6: One broker of three loses its power: it is killed, and what it had not flushed to disk is taken from it. Each
/// in turn, the others' copies being whole.
pub(super) async fn power_cut(world: &mut World, rounds: u64) -> anyhow::Result<Played> {
    let mut lost = 0;
    for round in 0..rounds {
        let nodes = kafka_nodes().await?;
        ensure!(
            nodes.len() == 3,
            "it is played on three brokers, not on {}",
            nodes.len()
        );
        let node = &nodes[usize::try_from(round)? % 3];
        let number = node.number.to_string();
        services(&["stop", "kafka", "--node", &number, "--kill"]).await?;
        lost += lose_what_was_not_flushed(&node.data, &format!("{}.", world.name()))?;
        world.load.more(20, SOON * 2).await?;
        services(&["start", "kafka"]).await?;
        whole(world).await?;
        world.load.more(20, SOON * 2).await?;
        world.arrives(20).await?;
    }
    Ok(Played {
        seen: format!("{lost} bytes of segments lost; {}", told(world)),
        stops: usize::try_from(rounds)? * DISPATCHERS,
    })
}

/// Every broker runs, and none stands still.
pub(super) async fn heal() -> anyhow::Result<()> {
    signal(&kafka_nodes().await?, Signal::CONT)?;
    services(&["start", "kafka"]).await
}

/// Waits until every partition has all of its copies.
pub(super) async fn whole(world: &World) -> anyhow::Result<()> {
    end_to_end::until::until("every copy is whole", SOON * 2, async || {
        let lagging = tokio::task::block_in_place(|| world.brokers.lagging());
        Ok(match lagging {
            Ok(lagging) if lagging.is_empty() => Ok(()),
            Ok(lagging) => Err(lagging.join(", ")),
            Err(error) => Err(error.to_string()),
        })
    })
    .await
}

fn signal(nodes: &[Node], signal: Signal) -> anyhow::Result<()> {
    for node in nodes {
        let pid = Pid::from_raw(node.pid).context("a process has a number")?;
        kill_process(pid, signal)?;
    }
    Ok(())
}

/// Takes from each partition's folder what lies above its recovery point: what the broker has flushed. It flushes when
/// a segment is full, and when it ends well; so that is all of it, or nearly. Returns how many bytes.
fn lose_what_was_not_flushed(data: &Path, prefix: &str) -> anyhow::Result<u64> {
    let points = fs::read_to_string(data.join("recovery-point-offset-checkpoint"))?;
    let mut lost = 0;
    for entry in fs::read_dir(data)?.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let Some((topic, partition)) = name.rsplit_once('-') else {
            continue;
        };
        if !topic.starts_with(prefix) {
            continue;
        }
        let point = points.lines().find_map(|line| {
            let rest = line.strip_prefix(&format!("{topic} {partition} "))?;
            rest.parse::<u64>().ok()
        });
        for file in fs::read_dir(entry.path())?.flatten() {
            let name = file.file_name().to_string_lossy().into_owned();
            let base = name
                .split('.')
                .next()
                .and_then(|base| base.parse::<u64>().ok());
            // Only whole segments: those that begin at or above the point.
            if base.is_some_and(|base| base >= point.unwrap_or(0)) {
                if name.ends_with(".log") {
                    lost += file.metadata()?.len();
                }
                fs::remove_file(file.path())?;
            }
        }
    }
    Ok(lost)
}
