//! Fault 27: Retention takes what nobody has read.

use anyhow::Context as _;
use end_to_end::until::until;
use serde_json::json;

use crate::world::{SOON, World};

/// While no dispatcher runs, events come and retention takes them. Whoever has the partition then stops, and says so;
/// each other goes on.
pub(super) async fn passes(world: &mut World) -> anyhow::Result<String> {
    let places = world.everywhere().await?;
    let (gone, partition) = places.first().context("there is an endpoint")?.clone();
    world.terminate("d1").await?;
    world.terminate("d2").await?;
    for _ in 0..2 {
        let event = json!({"event_type": "load.all", "endpoint_id": gone, "payload": {"n": 1}});
        world.api()?.send(&event).await?;
    }
    world
        .brokers
        .delete_all("events", i32::try_from(partition)?)
        .await?;
    world.start("d1").await?;
    let words = "dispatching a partition has stopped; the others go on";
    let said = until("it stops, and says so", SOON, async || {
        let lines = world.server("d1")?.lines_with(words);
        Ok(lines.into_iter().next().ok_or_else(String::new))
    });
    let said = said.await;
    let said = said.with_context(|| {
        world
            .server("d1")
            .map_or_else(|_| String::new(), |d| d.said())
    })?;
    world.all_go_on_but(&places, partition).await?;
    let why = said.split_once(words).map_or("", |(_, why)| why.trim());
    Ok(format!(
        "; events/{partition} stopped: {why}; each of the {} others went on",
        world.partitions() - 1
    ))
}
