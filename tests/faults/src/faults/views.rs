//! The store of the views is away, or slow; who folds is killed; the views are made anew.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use checker::Limits;
use checker::history::Record;
use domain::chance::{Chance as _, Seeded};
use end_to_end::program::tool;
use end_to_end::services::services;
use end_to_end::until::until;
use http::Method;
use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::Played;
use crate::journal::Line;
use crate::play::{Options, told};
use crate::proxy::{Proxy, Toxic};
use crate::verdict;
use crate::world::{SOON, World};

/// How much later each answer of a slow store comes.
const SLOW_MILLIS: u64 = 400;

/// How often it is looked while the store is away or slow.
const LOOKED_EVERY: Duration = Duration::from_secs(5);

/// What can't be told without views.
const READS: [&str; 5] = [
    "/api/v1/accounting",
    "/api/v1/stats",
    "/api/v1/events",
    "/api/v1/deliveries",
    "/api/v1/dlq",
];

/// Fault 13: The store is killed and is away for as long as `lasts`; then its answers come late for as long. While it is
/// away what needs it says so; what is told while it is slow is no more than what is so, and afterwards all of it.
pub(super) async fn away(
    world: &mut World,
    proxy: &Proxy,
    options: &Options,
) -> anyhow::Result<Played> {
    let (mut least, mut refused) = (usize::MAX, 0);
    let (mut shown, mut late) = (0, 0);
    let mut caught_up = Duration::ZERO;
    for _ in 0..options.rounds {
        services(&["stop", "cassandra", "--kill"]).await?;
        let begun = Instant::now();
        while begun.elapsed() < options.lasts {
            // Deliveries go on, whatever the views do.
            let before = world.arrived();
            sleep(LOOKED_EVERY).await;
            least = least.min(world.arrived() - before);
            for path in READS {
                is_unavailable(world, path).await?;
                refused += 1;
            }
        }
        services(&["start", "cassandra"]).await?;
        caught_up = caught_up.max(catches_up(world).await?);
        proxy.harm(0, Toxic::Slow(SLOW_MILLIS)).await?;
        let (before, begun) = (world.arrived(), Instant::now());
        while begun.elapsed() < options.lasts {
            sleep(LOOKED_EVERY).await;
            match as_of(world).await? {
                Some(told) => {
                    is_no_more_than_there_is(world, &told)?;
                    shown += 1;
                }
                None => late += 1,
            }
        }
        let slow = world.arrived() - before;
        ensure!(slow > 0, "nothing is delivered while the store is slow");
        proxy.heal().await?;
        caught_up = caught_up.max(catches_up(world).await?);
    }
    ensure!(
        least > 0,
        "nothing was delivered for five seconds without the views' store"
    );
    Ok(Played {
        seen: format!(
            "at least {least} deliveries in each 5 s without the store, and {refused} reads of 5 kinds, each told 503 \
             `views_unavailable`; while it was slow {shown} times what the views are true as of, {late} times 503; all of the \
             log at most {:.1} s later; {}",
            caught_up.as_secs_f64(),
            told(world)
        ),
        stops: 0,
    })
}

/// Asks, and is told that the views can't be read now, and when to come again.
async fn is_unavailable(world: &World, path: &str) -> anyhow::Result<()> {
    let reply = world.api()?.call(Method::GET, path, &Value::Null).await?;
    ensure!(
        reply.status == 503
            && reply.code() == "views_unavailable"
            && reply.headers.contains_key("retry-after"),
        "GET {path} without the views' store: {reply:?}"
    );
    Ok(())
}

/// The offset below which all of a partition is in the figures.
type AsOf = BTreeMap<(String, u32), u64>;

/// What the accounting is true as of; `None` where it is told that the views can't be read now.
async fn as_of(world: &World) -> anyhow::Result<Option<AsOf>> {
    let path = "/api/v1/accounting";
    let reply = world.api()?.call(Method::GET, path, &Value::Null).await?;
    if reply.status == 503 && reply.code() == "views_unavailable" {
        return Ok(None);
    }
    ensure!(reply.status == 200, "GET {path}: {reply:?}");
    let shown = reply.json()?;
    let place = |told: &Value| {
        let topic = told["topic"].as_str()?.to_owned();
        let partition = u32::try_from(told["partition"].as_u64()?).ok()?;
        Some(((topic, partition), told["offset"].as_u64()?))
    };
    let told = shown["as_of"].as_array().into_iter().flatten().map(place);
    let told: Option<AsOf> = told.collect();
    let told = told.filter(|told| !told.is_empty());
    Ok(Some(told.with_context(|| {
        format!("it does not say what it is true as of: {shown}")
    })?))
}

/// The end of each partition.
fn ends(world: &mut World) -> anyhow::Result<AsOf> {
    world.read_log()?;
    let records = world.brokers.records().iter();
    let end = |(place, records): (&(String, u32), &Vec<Record>)| {
        let last = records.last()?;
        Some((place.clone(), last.offset + 1))
    };
    Ok(records.filter_map(end).collect())
}

/// It is not true as of what nobody has written yet.
fn is_no_more_than_there_is(world: &mut World, told: &AsOf) -> anyhow::Result<()> {
    let ends = ends(world)?;
    for (place, offset) in told {
        let end = ends.get(place).copied().unwrap_or(0);
        ensure!(
            *offset <= end,
            "true as of {offset} of {place:?}, which ends at {end}"
        );
    }
    Ok(())
}

/// Waits until figures are true as of all that is in the log now; how long that took.
async fn catches_up(world: &mut World) -> anyhow::Result<Duration> {
    let begun = Instant::now();
    let mut ends = ends(world)?;
    ends.retain(|(topic, _), _| matches!(&**topic, "inbox" | "events"));
    until("the views are true as of what is there", SOON, async || {
        let Some(told) = as_of(world).await? else {
            return Ok(Err("503".to_owned()));
        };
        let is_behind = |(place, end): &(&(String, u32), &u64)| {
            let offset = told.get(*place).copied().unwrap_or(0);
            offset < **end
        };
        Ok(match ends.iter().find(is_behind) {
            None => Ok(()),
            Some((place, end)) => Err(format!("{place:?} ends at {end}, told is {told:?}")),
        })
    })
    .await?;
    Ok(begun.elapsed())
}

/// Fault 14: Who folds is killed at a random moment of its turns.
pub(super) async fn projector_killed(
    world: &mut World,
    options: &Options,
) -> anyhow::Result<Played> {
    let mut chance = Seeded::new(options.seed);
    for round in 0..options.rounds {
        let name = if round.is_multiple_of(2) { "p1" } else { "p2" };
        world.load.more(3, SOON).await?;
        // The moment is the seed's, not a wait for anything.
        sleep(Duration::from_millis(chance.below(150))).await;
        world.kill(name).await?;
        world.start(name).await?;
    }
    Ok(Played {
        seen: told(world),
        stops: 0,
    })
}

/// The views as the program itself compares them; then they are made anew, beside servers, and judged again.
pub(super) async fn made_anew(world: &mut World, limits: &Limits) -> anyhow::Result<String> {
    let data = world.data("tool");
    let verified = tool(world.name(), &data, &["views", "verify"]).await?;
    let rebuilt = tool(world.name(), &data, &["views", "rebuild"]).await?;
    let views = crate::views::dump("rebuilt", world.name()).await?;
    world.journal().write(&Line::Views(views))?;
    let (history, verdict) = verdict::of_folder(world.folder(), limits)?;
    ensure!(history.views.len() == 2, "both are judged");
    let found = verdict.problems.first();
    ensure!(
        found.is_none(),
        "rebuilt: {}: {found:?}",
        verdict.problems.len()
    );
    let first = |said: &str| {
        said.lines()
            .next()
            .map(str::to_owned)
            .context("it says something")
    };
    Ok(format!(
        "; {}; {}, and judged again",
        first(&verified)?,
        first(&rebuilt)?
    ))
}
