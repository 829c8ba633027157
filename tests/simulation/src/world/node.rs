//! One life of a process: every role, over its links.

use std::sync::Arc;

use anyhow::Result;

use super::World;
use super::slot::Life;

/// Runs every role until it is asked to end.
///
/// # Errors
/// Why a role ended that was not asked to.
pub async fn run(_world: &Arc<World>, _which: usize, life: &Life) -> Result<()> {
    life.shutdown.cancelled().await;
    Ok(())
}
