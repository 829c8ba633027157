//! The roles of this process, built from what is open.

use std::sync::Arc;

use anyhow::{Context, Result};
use axum::Router;
use control::Control;
use dispatcher::http::{HttpConfig, HttpTransport, SystemResolver};
use domain::sealing::Sealer;
use eventlog_embedded::{EmbeddedLaneIndexes, IndexConfig};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::Registry;

use super::config::Config;
use super::http::Probe;
use super::probes::ViewsProbe;
use super::roles::Roles;
use super::storage::Storage;
use crate::chance::SystemChance;
use crate::cli::RoleName;
use crate::log::Target;

/// Builds roles and starts them.
pub(super) struct Parts<'a> {
    pub(super) config: &'a Config,
    pub(super) storage: &'a Storage,
    pub(super) control: &'a Control,
    pub(super) registry: &'a mut Registry,
    pub(super) quarantined: Counter,
    /// Where those run that others wait for.
    pub(super) workers: &'a mut Roles,
    /// What is served.
    pub(super) doors: Router,
    /// What has to be well.
    pub(super) probes: Vec<Box<dyn Probe>>,
}

impl Parts<'_> {
    /// All that the configuration names.
    ///
    /// # Errors
    /// What can't be built.
    pub(super) async fn start(&mut self) -> Result<()> {
        for role in &self.config.roles {
            match role {
                RoleName::Ingest => self.ingest().await.context("ingest")?,
                RoleName::Dispatcher => self.dispatcher().await.context("the dispatcher")?,
                RoleName::Projections => self.projections(),
                RoleName::Api => self.api().await.context("the API")?,
            }
        }
        Ok(())
    }

    async fn ingest(&mut self) -> Result<()> {
        let deps = ingest::Deps {
            log: Arc::clone(&self.storage.log),
            clock: Arc::clone(&self.storage.clock),
            chance: Box::new(SystemChance::default()),
            control: self.control.clone(),
            keys: self.storage.views.keys(),
            registry: self.registry,
        };
        let taking = ingest::build(ingest::Config::default(), deps).await?;
        let doors = std::mem::take(&mut self.doors);
        self.doors = doors.merge(taking.http());
        let stop = self.workers.stop();
        self.workers.start("ingest", async move {
            taking.run(stop).await;
            Ok(())
        });
        let config = ingest::router::Config::new(&self.config.instance);
        let deps = ingest::router::Deps {
            log: Arc::clone(&self.storage.log),
            clock: Arc::clone(&self.storage.clock),
            control: self.control.clone(),
            keys: self.storage.views.keys(),
            quarantined: self.quarantined.clone(),
        };
        let routers = ingest::router::build(config, deps).await?;
        let stop = self.workers.stop();
        let run = async move { Ok(routers.run(stop).await?) };
        self.workers.start("router", run);
        Ok(())
    }

    async fn dispatcher(&mut self) -> Result<()> {
        let http = HttpConfig {
            rules: self.config.rules.clone(),
            ..HttpConfig::default()
        };
        let transport = HttpTransport::new(http, Arc::new(SystemResolver::default()))?;
        let indexes = IndexConfig::new(self.config.data.join("index"));
        let config = dispatcher::Config {
            instance: self.config.instance.clone(),
            concurrency: self.config.concurrency,
            drain: self.config.drain,
            notes_hold_records: matches!(self.config.log.log, Target::Kafka(_)),
            ..dispatcher::Config::default()
        };
        let deps = dispatcher::Deps {
            log: Arc::clone(&self.storage.log),
            indexes: Arc::new(EmbeddedLaneIndexes::new(indexes)),
            control: self.control.clone(),
            transport: Arc::new(transport),
            sealer: Sealer::new(self.storage.key),
            clock: Arc::clone(&self.storage.clock),
            chance: Box::new(SystemChance::default()),
            registry: self.registry,
            quarantined: self.quarantined.clone(),
        };
        let role = dispatcher::build(config, deps).await?;
        let stop = self.workers.stop();
        let run = async move { Ok(role.run(stop).await?) };
        self.workers.start("dispatcher", run);
        Ok(())
    }

    fn projections(&mut self) {
        let config = projections::Config {
            instance: self.config.instance.clone(),
            retention: Some(self.config.events_retention),
            ..projections::Config::default()
        };
        let deps = projections::Deps {
            log: Arc::clone(&self.storage.log),
            views: self.storage.views.views(),
            clock: Arc::clone(&self.storage.clock),
            registry: self.registry,
        };
        let role = projections::build(config, deps);
        self.probes.push(Box::new(ViewsProbe(role.status())));
        let stop = self.workers.stop();
        let run = async move { Ok(role.run(stop).await?) };
        self.workers.start("projections", run);
    }

    async fn api(&mut self) -> Result<()> {
        let config = api::Config {
            rules: self.config.rules.clone(),
            events_retention: self.config.events_retention,
        };
        let deps = api::Deps {
            log: Arc::clone(&self.storage.log),
            control: self.control.clone(),
            views: self.storage.views.views(),
            clock: Arc::clone(&self.storage.clock),
            chance: Box::new(SystemChance::default()),
            sealer: Arc::new(Sealer::new(self.storage.key)),
        };
        let role = api::build(config, deps).await?;
        let doors = std::mem::take(&mut self.doors);
        self.doors = doors.merge(role.router());
        let stop = self.workers.stop();
        let run = async move { Ok(role.run(stop).await?) };
        self.workers.start("api", run);
        Ok(())
    }
}
