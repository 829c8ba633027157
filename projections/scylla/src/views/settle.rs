//! What a kill has left half-written, finished.

use std::collections::BTreeSet;
use std::time::Duration;

use projections_port::ViewError;

use super::ScyllaViews;
use crate::claim::{self, Claim};
use crate::cql::together;
use crate::tables::Generation;

/// Whoever is alive goes on with a turn within that.
const PATIENCE: Duration = Duration::from_secs(1);

impl ScyllaViews {
    /// Finishes each claim's last turn, where it is not shown and nobody goes on with it.
    pub(super) async fn settle_in(&self, generation: &Generation) -> Result<(), ViewError> {
        let before = self.unfinished(generation).await?;
        if before.is_empty() {
            return Ok(());
        }
        tokio::time::sleep(PATIENCE).await;
        self.settle_since(generation, &before).await
    }

    /// Claims whose last turn is not shown, and its time.
    pub(super) async fn unfinished(
        &self,
        generation: &Generation,
    ) -> Result<BTreeSet<(String, i64)>, ViewError> {
        let live = self.shown(generation).await?.live;
        let asked = live.iter().map(|(name, live)| async move {
            let at = claim::unfinished(&self.cql, generation, name, *live).await?;
            Ok(at.map(|at| (name.clone(), at)))
        });
        let found = together(asked.collect()).await?;
        Ok(found.into_iter().flatten().collect())
    }

    /// Takes over those of `before` that have not moved.
    pub(super) async fn settle_since(
        &self,
        generation: &Generation,
        before: &BTreeSet<(String, i64)>,
    ) -> Result<(), ViewError> {
        for left in self.unfinished(generation).await? {
            if before.contains(&left) {
                self.retake(generation, Claim::named(left.0)).await?;
            }
        }
        Ok(())
    }
}
