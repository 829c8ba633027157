//! Processes that are killed, and that stand still.

use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::ensure;
use end_to_end::until::until;
use tokio::time::{Instant, sleep_until};

use super::Played;
use crate::journal;
use crate::play::told;
use crate::verdict;
use crate::world::{SOON, World};

/// How often a group is balanced anew.
const REBALANCED_EVERY: Duration = Duration::from_secs(5);

/// Fault 1: Who takes events is killed while requests are on it; the other goes on.
pub(super) async fn ingest_killed(world: &mut World, rounds: u64) -> anyhow::Result<Played> {
    for round in 0..rounds {
        let name = if round.is_multiple_of(2) { "a" } else { "b" };
        world.load.more(5, SOON).await?;
        until("a request is on it", SOON, async || {
            let asking = world.load.told().asking.load(Ordering::SeqCst);
            Ok(if asking > 0 {
                Ok(())
            } else {
                Err(String::new())
            })
        })
        .await?;
        world.kill(name).await?;
        world.start(name).await?;
    }
    world.load.more(20, SOON).await?;
    Ok(Played {
        seen: told(world),
        stops: 0,
    })
}

/// What keys that were sent again were told.
pub(super) fn keys(world: &World) -> anyhow::Result<String> {
    let (again, by_others) = verdict::asked_again(&journal::read(world.folder())?);
    ensure!(again > 0, "no key was accepted twice");
    Ok(format!(
        "; {again} keys accepted again, {by_others} by another event id"
    ))
}

/// The first and the second in turn.
const fn turn(round: u64) -> &'static str {
    if round.is_multiple_of(2) { "d1" } else { "d2" }
}

/// Fault 2: A dispatcher stands still from before the 2xx of one of its requests, and is killed after it.
pub(super) async fn dispatcher_killed(world: &mut World, rounds: u64) -> anyhow::Result<Played> {
    for round in 0..rounds {
        let name = turn(round);
        let pid = world.server(name)?.pid().unwrap_or_default();
        world.trap.set(pid);
        until("it sends", SOON, async || {
            Ok(if world.trap.is_sprung() {
                Ok(())
            } else {
                Err(world.server(name)?.said())
            })
        })
        .await?;
        world.kill(name).await?;
        world.start(name).await?;
        world.has_its_share(name).await?;
        world.arrives(20).await?;
    }
    Ok(Played {
        seen: format!("{rounds} killed with a 2xx given and not recorded"),
        stops: usize::try_from(rounds)?,
    })
}

/// Fault 3: A dispatcher stands still until the other has its partitions, and goes on believing that they are its own.
pub(super) async fn dispatcher_frozen(world: &mut World, rounds: u64) -> anyhow::Result<Played> {
    for round in 0..rounds {
        let name = turn(round);
        world.freeze(name)?;
        world.is_overtaken(name).await?;
        world.arrives(20).await?;
        world.wake(name)?;
        world.has_its_share(name).await?;
        world.arrives(20).await?;
    }
    Ok(Played {
        seen: told(world),
        stops: usize::try_from(rounds)?,
    })
}

/// Fault 12: A third dispatcher comes, and goes as it is asked to, each after `every`: the group is balanced anew each time.
pub(super) async fn rebalances(world: &mut World, rounds: u64) -> anyhow::Result<Played> {
    let mut least = usize::MAX;
    for round in 0..rounds {
        let begun = Instant::now();
        let before = world.arrived();
        if round.is_multiple_of(2) {
            world.begin_process("d3").await?;
        } else {
            world.terminate("d3").await?;
        }
        sleep_until(begun + REBALANCED_EVERY).await;
        least = least.min(world.arrived() - before);
    }
    if !rounds.is_multiple_of(2) {
        world.terminate("d3").await?;
    }
    ensure!(least > 0, "nothing arrived between two rebalances");
    Ok(Played {
        seen: format!("at least {least} arrivals between two"),
        stops: 0,
    })
}
