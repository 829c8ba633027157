//! The store of the views is away, or slow; who folds is killed; the views are made anew.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use checker::Limits;
use domain::chance::{Chance as _, Seeded};
use end_to_end::program::tool;
use end_to_end::services::services;
use http::Method;
use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::Played;
use crate::journal::Line;
use crate::play::{Options, told};
use crate::proxy::Proxy;
use crate::verdict;
use crate::world::{SOON, World};

/// How much later each answer of a slow store comes.
const SLOW_MILLIS: u64 = 400;

/// Fault 13: The store is killed and is away for as long as `lasts`; then its answers come late for as long.
pub(super) async fn away(
    world: &mut World,
    proxy: &Proxy,
    options: &Options,
) -> anyhow::Result<Played> {
    let (mut asked, mut least) = (Vec::new(), usize::MAX);
    for _ in 0..options.rounds {
        services(&["stop", "cassandra", "--kill"]).await?;
        let begun = Instant::now();
        while begun.elapsed() < options.lasts {
            // Deliveries go on, whatever the views do.
            let before = world.arrived();
            sleep(Duration::from_secs(5)).await;
            least = least.min(world.arrived() - before);
        }
        let reply = world
            .api()?
            .call(Method::GET, "/api/v1/accounting", &Value::Null)
            .await?;
        asked.push(format!("{} {}", reply.status.as_u16(), reply.code()));
        services(&["start", "cassandra"]).await?;
        world.arrives(20).await?;
        proxy.slow(SLOW_MILLIS).await?;
        let before = world.arrived();
        sleep(options.lasts).await;
        let slow = world.arrived() - before;
        ensure!(slow > 0, "nothing is delivered while the store is slow");
        let shown = world
            .api()?
            .call(Method::GET, "/api/v1/accounting", &Value::Null)
            .await?;
        let shown = shown.json()?;
        ensure!(
            shown["as_of"].is_array() || shown["code"].is_string(),
            "{shown}"
        );
        proxy.heal().await?;
    }
    ensure!(
        least > 0,
        "nothing was delivered for five seconds without the views' store"
    );
    Ok(Played {
        seen: format!(
            "at least {least} deliveries in each 5 s without the store; the API then: {}; {}",
            asked.join(", "),
            told(world)
        ),
        stops: 0,
    })
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
