//! Processes that are killed, and that stand still.

use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use end_to_end::until::until;
use serde_json::Value;
use tokio::time::{Instant, sleep, sleep_until};

use super::Played;
use crate::journal;
use crate::play::told;
use crate::verdict;
use crate::world::{SOON, World};

/// How often a group is balanced anew.
const REBALANCED_EVERY: Duration = Duration::from_secs(5);

/// How long an answer that was given before a process stood still may be on its way.
const ON_ITS_WAY: Duration = Duration::from_millis(50);

/// Fault 1: Who takes events is killed while requests are on it; the other goes on.
pub(super) async fn ingest_killed(world: &mut World, rounds: u64) -> anyhow::Result<Played> {
    let mut on_them = 0;
    for round in 0..rounds {
        let name = if round.is_multiple_of(2) { "a" } else { "b" };
        world.load.more(5, SOON).await?;
        let caught = until("a request is on it", SOON, async || {
            let caught = catch(world, name).await?;
            Ok(if caught > 0 {
                Ok(caught)
            } else {
                Err(format!("{name} has answered each"))
            })
        })
        .await?;
        let wanted = world.load.told().unanswered.load(Ordering::SeqCst) + caught;
        world.kill(name).await?;
        let unanswered = || world.load.told().unanswered.load(Ordering::SeqCst);
        until("who had asked it is not answered", SOON, async || {
            Ok(if unanswered() >= wanted {
                Ok(())
            } else {
                Err(format!("{} of {wanted}", unanswered()))
            })
        })
        .await?;
        on_them += caught;
        world.start(name).await?;
    }
    world.load.more(20, SOON).await?;
    Ok(Played {
        seen: format!("{on_them} requests were on them; {}", told(world)),
        stops: 0,
    })
}

/// Stops a door (SIGSTOP) with requests on it, and says how many are, with no answer on its way. It goes on where
/// there are none.
async fn catch(world: &World, name: &str) -> anyhow::Result<u64> {
    let door = world.server(name)?.address();
    // What is asked later it has not begun with.
    let asked = world.load.asking(door);
    if asked.is_empty() {
        return Ok(0);
    }
    world.freeze(name)?;
    sleep(ON_ITS_WAY).await;
    let still = world.load.asking(door);
    let on_it = asked.intersection(&still).count();
    if on_it == 0 {
        world.wake(name)?;
    }
    Ok(u64::try_from(on_it)?)
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

/// Has a dispatcher stand still from before the 2xx of one of its requests.
async fn stops_answered(world: &World, name: &str) -> anyhow::Result<()> {
    let pid = world.server(name)?.pid().unwrap_or_default();
    world.trap.set(pid);
    until("it sends", SOON, async || {
        Ok(if world.trap.is_sprung() {
            Ok(())
        } else {
            Err(world.server(name)?.said())
        })
    })
    .await
}

/// Fault 2: A dispatcher stands still from before the 2xx of one of its requests, and is killed after it.
pub(super) async fn dispatcher_killed(world: &mut World, rounds: u64) -> anyhow::Result<Played> {
    for round in 0..rounds {
        let name = turn(round);
        stops_answered(world, name).await?;
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

/// Fault 3: A dispatcher stands still from before the 2xx of one of its requests until the other has its partitions, and
/// goes on believing that they are its own.
pub(super) async fn dispatcher_frozen(world: &mut World, rounds: u64) -> anyhow::Result<Played> {
    for round in 0..rounds {
        let name = turn(round);
        stops_answered(world, name).await?;
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

/// What woken dispatchers have written into `attempts` behind the fence of who had their partitions by then: it counts
/// for nothing (O5).
pub(super) fn too_late(world: &World, rounds: u64) -> anyhow::Result<String> {
    let mut late = 0;
    for ((topic, _), records) in world.brokers.records() {
        if topic != "attempts" {
            continue;
        }
        let mut highest = 0;
        for record in records {
            let json: Value = serde_json::from_slice(record.value.as_deref().unwrap_or_default())?;
            let epoch = json.pointer("/link/epoch").or_else(|| json.get("epoch"));
            let epoch = epoch.and_then(Value::as_u64).context("it has an epoch")?;
            late += usize::from(epoch < highest);
            highest = highest.max(epoch);
        }
    }
    ensure!(
        late > 0 || rounds < 10,
        "none of {rounds} that woke has written what it believed"
    );
    Ok(format!(
        "; {late} records of theirs behind the fence of another, ignored"
    ))
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
