//! One life of a process: every role, over its links.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use checker::history::Became;
use control::Control;
use domain::chance::{Chance as _, Seeded};
use domain::sealing::Sealer;
use domain::time::Clock;
use eventlog_port::EventLog;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::Registry;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::indexes::NodeIndexes;
use super::log::NodeLog;
use super::receivers::NodeTransport;
use super::slot::{Life, Slot};
use super::stores::NodeStore;
use super::{Draws, SECRET_KEY, World};
use crate::plan::Plan;

/// What every role of a life is built from.
struct Node<'w> {
    world: &'w Arc<World>,
    slot: &'w Slot,
    life: &'w Life,
    log: Arc<dyn EventLog>,
    clock: Arc<dyn Clock>,
    control: Control,
    chance: Seeded,
    registry: Registry,
    roles: JoinSet<Result<()>>,
}

/// Runs every role until it is asked to end.
///
/// # Errors
/// Why a role ended that was not asked to.
pub async fn run(world: &Arc<World>, which: usize, life: &Life) -> Result<()> {
    let slot = &world.slots[which];
    let links = Arc::clone(&life.links);
    let interrupted = {
        let (world, number) = (Arc::clone(world), life.links.life);
        Arc::new(move || world.became(number, &world.slots[which].name, Became::Expelled))
    };
    let log = NodeLog::new(Arc::clone(&world.log) as _, links, interrupted);
    let log: Arc<dyn EventLog> = Arc::new(log);
    let (control, follower) = control::follow::follow(Arc::clone(&log));
    let mut node = Node {
        world,
        slot,
        life,
        log,
        clock: Arc::clone(&slot.clock) as _,
        control,
        chance: world.chance(Draws::Life(life.links.life)),
        registry: Registry::default(),
        roles: JoinSet::new(),
    };
    // Roles that end may need it to their last.
    let stop_following = CancellationToken::new();
    let mut following = JoinSet::new();
    following.spawn(follower.run(stop_following.clone()));
    node.start_ingest().await?;
    node.start_router().await?;
    node.start_projections();
    node.start_dispatcher().await?;
    let ended = tokio::select! {
        biased;
        ended = ended(&mut node.roles, &life.shutdown) => ended,
        Some(ended) = following.join_next() => Err(anyhow!("control: {ended:?}")),
    };

    ended
}

/// Waits until every role has ended, or the first has that was not to.
async fn ended(roles: &mut JoinSet<Result<()>>, shutdown: &CancellationToken) -> Result<()> {
    while let Some(ended) = roles.join_next().await {
        ended.context("a role panicked")??;
        if !shutdown.is_cancelled() {
            return Err(anyhow!("a role ended by itself"));
        }
    }
    Ok(())
}

impl Node<'_> {
    fn draw(&mut self) -> Box<Seeded> {
        Box::new(Seeded::new(self.chance.next_u64()))
    }

    async fn start_ingest(&mut self) -> Result<()> {
        let config = ingest::Config {
            idempotency_window: self.world.plan.window,
            ..ingest::Config::default()
        };
        let chance = self.draw();
        let deps = ingest::Deps {
            log: Arc::clone(&self.log),
            clock: Arc::clone(&self.clock),
            chance,
            control: self.control.clone(),
            keys: self.keys(),
            registry: &mut self.registry,
        };
        let ingest = ingest::build(config, deps).await?;
        self.slot.open(ingest.http());
        let shutdown = self.life.shutdown.clone();
        self.roles.spawn(async move {
            ingest.run(shutdown).await;
            Ok(())
        });
        Ok(())
    }

    fn keys(&self) -> Arc<dyn projections_port::Keys> {
        NodeStore::new(Arc::clone(&self.world.keys), Arc::clone(&self.life.links))
    }

    async fn start_router(&mut self) -> Result<()> {
        let config = ingest::router::Config {
            idempotency_window: self.world.plan.window,
            ..ingest::router::Config::new(self.slot.name.as_str())
        };
        let deps = ingest::router::Deps {
            log: Arc::clone(&self.log),
            clock: Arc::clone(&self.clock),
            control: self.control.clone(),
            keys: self.keys(),
            quarantined: Counter::default(),
        };
        let routers = ingest::router::build(config, deps).await?;
        let shutdown = self.life.shutdown.clone();
        self.roles
            .spawn(async move { routers.run(shutdown).await.context("router") });
        Ok(())
    }

    fn start_projections(&mut self) {
        let config = projections::Config {
            instance: self.slot.name.clone(),
            ..projections::Config::default()
        };
        let deps = projections::Deps {
            log: Arc::clone(&self.log),
            views: NodeStore::new(Arc::clone(&self.world.views), Arc::clone(&self.life.links)),
            clock: Arc::clone(&self.clock),
            registry: &mut self.registry,
        };
        let role = projections::build(config, deps);
        let shutdown = self.life.shutdown.clone();
        self.roles
            .spawn(async move { role.run(shutdown).await.context("projections") });
    }

    async fn start_dispatcher(&mut self) -> Result<()> {
        let plan = &self.world.plan;
        let links = Arc::clone(&self.life.links);
        let receivers = Arc::clone(&self.world.receivers);
        let chance = self.draw();
        let deps = dispatcher::Deps {
            log: Arc::clone(&self.log),
            indexes: NodeIndexes::new(plan.index_room, Arc::clone(&links)),
            control: self.control.clone(),
            transport: Arc::new(NodeTransport::new(receivers, links)),
            sealer: Sealer::new(SECRET_KEY),
            clock: Arc::clone(&self.clock),
            chance,
            registry: &mut self.registry,
            quarantined: Counter::default(),
        };
        let config = dispatching(plan, &self.slot.name);
        let role = dispatcher::build(config, deps).await?;
        let shutdown = self.life.shutdown.clone();
        self.roles
            .spawn(async move { role.run(shutdown).await.context("dispatcher") });
        Ok(())
    }
}

/// How dispatchers run: in a tight world with bounds so low that what is rare is common.
fn dispatching(plan: &Plan, instance: &str) -> dispatcher::Config {
    let config = dispatcher::Config {
        instance: instance.to_owned(),
        concurrency: plan.in_flight,
        drain: Duration::from_secs(5),
        ..dispatcher::Config::default()
    };
    if !plan.is_tight {
        return config;
    }
    dispatcher::Config {
        max_bytes: 64 << 10,
        max_records: 64,
        limits: dispatcher::Limits {
            read_records: 7,
            lane_bytes: 2 << 10,
            lane_notes: plan.index_room,
            fetch_records: 3,
            retries_held: 3,
            far_behind: 20,
            ..dispatcher::Limits::default()
        },
        ..config
    }
}
