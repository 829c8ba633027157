//! The server: built from its parts, run until it is told to stop.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use axum::Router;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::config::Config;
use super::data_lock::DataLock;
use super::http::{self, Gate, Health};
use super::parts::Parts;
use super::probes::{ControlProbe, LogProbe};
use super::roles::Roles;
use super::signals::Signals;
use super::storage::Storage;
use crate::views::Stores;

/// How long the rest may take to stop once a role has failed.
const AFTER_FAILURE: Duration = Duration::from_secs(5);

/// Everything that runs. Three circles, stopped from the outermost inward: no more requests; then
/// what works; last what the others stand on.
pub(super) struct Server {
    doors: Roles,
    workers: Roles,
    ground: Roles,
    views: Stores,
    _lock: DataLock,
    draining: CancellationToken,
    drain: Duration,
}

impl Server {
    /// Builds everything and starts it.
    ///
    /// # Errors
    /// What can't be built.
    pub(super) async fn build(
        config: &Config,
        storage: Storage,
        listener: TcpListener,
    ) -> Result<Self> {
        let mut registry = Registry::with_prefix("postrider");
        let quarantined = Counter::default();
        let help = "Records of others that could not be read";
        registry.register("quarantined", help, quarantined.clone());
        storage.views.register(&mut registry);
        let draining = CancellationToken::new();
        let (mut doors, mut workers, mut ground) =
            (Roles::default(), Roles::default(), Roles::default());
        let (control, follower) = control::follow::follow(Arc::clone(&storage.log));
        let stop = ground.stop();
        ground.start("control", async move { Ok(follower.run(stop).await?) });
        control.read_to_end().await?;
        let mut parts = Parts {
            config,
            storage: &storage,
            control: &control,
            registry: &mut registry,
            quarantined,
            workers: &mut workers,
            doors: Router::new(),
            probes: vec![
                Box::new(LogProbe(Arc::clone(&storage.log))),
                Box::new(ControlProbe(control.clone())),
            ],
        };
        parts.start().await?;
        let (routes, probes) = (parts.doors, parts.probes);
        let health = Health {
            draining: draining.clone(),
            probes,
        };
        let gate = Gate::without_keys(config.hosts, Arc::clone(&storage.clock))?;
        let app = http::app(routes, gate, Arc::new(health), Arc::new(registry));
        let stop = doors.stop();
        doors.start("http", async move {
            http::serve(listener, app, stop).await;
            Ok(())
        });
        Ok(Self {
            doors,
            workers,
            ground,
            views: storage.views,
            _lock: storage.lock,
            draining,
            drain: config.drain,
        })
    }

    /// Runs until a signal, or until a role fails: what it does is in the log, and whoever starts
    /// the process again goes on from there.
    ///
    /// # Errors
    /// The role's failure.
    pub(super) async fn run(mut self, mut signals: Signals) -> Result<()> {
        let failure = tokio::select! {
            biased;
            name = signals.next() => {
                tracing::info!(signal = name, "stopping");
                None
            }
            error = self.ground.failed() => Some(error),
            error = self.workers.failed() => Some(error),
            error = self.doors.failed() => Some(error),
        };
        let patience = match &failure {
            None => self.drain,
            Some(error) => {
                tracing::error!(error = format!("{error:#}"), "a part failed, stopping");
                self.drain.min(AFTER_FAILURE)
            }
        };
        let drained = tokio::select! {
            biased;
            name = signals.next() => {
                tracing::warn!(signal = name, "asked a second time, stopping at once");
                return Err(failure.unwrap_or_else(|| anyhow::anyhow!("{name} came a second time: stopped at once")));
            }
            drained = self.stop(patience) => drained,
        };
        match (failure, drained) {
            (Some(failure), _) => Err(failure),
            (None, Ok(())) => {
                tracing::info!("stopped");
                Ok(())
            }
            // What was on the wire is sent again by whoever comes next.
            (None, Err(error)) => {
                tracing::warn!(error = format!("{error:#}"), "not everything ended in time");
                Ok(())
            }
        }
    }

    async fn stop(&mut self, patience: Duration) -> Result<()> {
        let until = tokio::time::Instant::now() + patience;
        let left = || until.saturating_duration_since(tokio::time::Instant::now());
        self.draining.cancel();
        let doors = self.doors.drain(left()).await.context("the last requests");
        let workers = self.workers.drain(left()).await;
        let ground = self.ground.drain(left()).await;
        self.views.close().await?;
        doors.and(workers).and(ground)
    }
}
