//! The roles of the process, a task each.

use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// Tasks that run until they are told to stop. One that stops by itself has failed.
#[derive(Default)]
pub(super) struct Roles {
    tasks: JoinSet<(&'static str, Result<()>)>,
    stop: CancellationToken,
}

impl Roles {
    /// What tells these roles to stop.
    pub(super) fn stop(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// Starts one.
    pub(super) fn start(
        &mut self,
        name: &'static str,
        run: impl Future<Output = Result<()>> + Send + 'static,
    ) {
        self.tasks.spawn(async move { (name, run.await) });
    }

    /// Waits until one stops by itself, and says why. Never returns while all run; cancelling loses
    /// nothing.
    pub(super) async fn failed(&mut self) -> anyhow::Error {
        match self.tasks.join_next().await {
            Some(Ok((name, Ok(())))) => anyhow!("{name} stopped by itself"),
            Some(Ok((name, Err(error)))) => error.context(format!("{name} stopped")),
            Some(Err(panic)) => anyhow::Error::new(panic).context("a part of the server stopped"),
            None => std::future::pending().await,
        }
    }

    /// Tells all to stop, and waits for them for as long as `patience`.
    ///
    /// # Errors
    /// The first failure; or who was not done in time.
    pub(super) async fn drain(&mut self, patience: Duration) -> Result<()> {
        self.stop.cancel();
        let draining = async {
            let mut outcome = Ok(());
            while let Some(ended) = self.tasks.join_next().await {
                let (name, ended) = ended.context("a part of the server stopped")?;
                let ended = ended.with_context(|| format!("{name}, while it stopped"));
                outcome = outcome.and(ended);
            }
            outcome
        };
        let drained = timeout(patience, draining).await;
        drained.unwrap_or_else(|_| {
            let left = self.tasks.len();
            Err(anyhow!(
                "{left} parts were not done within {} s",
                patience.as_secs()
            ))
        })
    }
}
