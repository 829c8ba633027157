//! Every row of the views.

use std::sync::Arc;

use anyhow::Context as _;
use checker::history::Views;
use end_to_end::program::other_views;
use simulation::world::dump;

use crate::times::WallClock;

/// The rows in `keyspace` of the store that processes share.
///
/// # Errors
/// When they can't be read.
pub async fn dump(name: &str, keyspace: &str) -> anyhow::Result<Views> {
    let views = other_views().context("POSTRIDER_TEST_VIEWS names no views")?;
    let nodes = views.strip_prefix("cql://").context("not in CQL")?;
    let nodes = nodes.split(',').map(str::to_owned).collect();
    let config = projections_scylla::Config::new(nodes, keyspace.to_owned());
    let store = projections_scylla::Store::open(&config, Arc::new(WallClock)).await?;
    Ok(dump::views(name, &*store.views()).await?)
}
