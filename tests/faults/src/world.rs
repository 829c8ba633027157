//! A system of processes on real servers, with clients and receivers, until it has come to rest.

mod end;
mod owners;
mod places;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use checker::history::{Became, ProcessLine};
use end_to_end::api::Api;
use end_to_end::cluster::Cluster;
use end_to_end::program::{Server, other_log, other_views, program};
use end_to_end::receiver::Receiver;
use end_to_end::until::until;
use serde_json::json;

use crate::brokers::Brokers;
use crate::journal::{Journal, Line};
use crate::load::Load;
use crate::receivers::{self, Manner, Trap};
use crate::sender::Senders;
use crate::times::now;
use owners::Owners;

/// Requests on the wire at once, to all endpoints of one dispatcher together.
pub const IN_FLIGHT: usize = 16;

/// How long anything may take that takes a second on an idle machine.
pub const SOON: Duration = Duration::from_secs(90);

/// What a process that is asked to end has.
const DRAINS: Duration = Duration::from_secs(60);

/// A process.
struct Instance {
    server: Server,
    life: u64,
    /// The API is served there, and events are taken.
    is_door: bool,
}

/// Everything that runs, and what is written down of it.
pub struct World {
    cluster: Cluster,
    journal: Arc<Journal>,
    instances: BTreeMap<String, Instance>,
    lives: AtomicU64,
    /// Kept, so that they listen.
    receivers: Vec<Receiver>,
    /// The name and id of each receiver's endpoint, in their order.
    endpoints: Vec<(&'static str, String)>,
    senders: Arc<Senders>,
    /// The clients, once they have begun.
    pub load: Load,
    /// The log, read from outside.
    pub brokers: Brokers,
    /// What stops a process at its receiver.
    pub trap: Trap,
    settled: Rest,
    /// What was the own of dispatchers that are gone.
    gone: Owners,
}

/// What is known of what has ended.
type Rest = simulation::world::settle::Rest;

/// How a world is to be.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What clients draw from.
    pub seed: u64,
    /// The pause of each client after an event.
    pub pause: Duration,
    /// Where processes find the log, where that is not where it is: `kafka://…`.
    pub log: Option<String>,
    /// Where processes find the views, where that is not where they are: `cql://…`, without the keyspace.
    pub views: Option<String>,
}

/// Which roles a process of that name has.
fn roles(name: &str) -> &'static [&'static str] {
    match name.chars().next() {
        Some('d') => &["dispatcher"],
        Some('p') => &["projections"],
        _ => &["api", "ingest"],
    }
}

impl World {
    /// Starts two processes of each kind, makes endpoints, and begins to send.
    ///
    /// # Errors
    /// When one of them does not get ready.
    pub async fn begin(folder: &Path, plan: &Plan) -> anyhow::Result<Self> {
        let log = other_log().context("POSTRIDER_TEST_LOG names no log that processes share")?;
        other_views().context("POSTRIDER_TEST_VIEWS names no views that processes share")?;
        let addresses = log.strip_prefix("kafka://").context("not on Kafka")?;
        let in_flight = IN_FLIGHT.to_string();
        let mut cluster = Cluster::new(&["--concurrency", &in_flight])?;
        if let Some(log) = &plan.log {
            cluster.log_at(log);
        }
        if let Some(views) = &plan.views {
            cluster.views_at(views);
        }
        let journal = Arc::new(Journal::new(folder)?);
        let brokers = Brokers::new(addresses, &format!("{}.", cluster.name()));
        let mut world = Self {
            cluster,
            instances: BTreeMap::new(),
            lives: AtomicU64::new(1),
            receivers: Vec::new(),
            endpoints: Vec::new(),
            senders: Arc::new(Senders::new(&program()?)),
            load: Load::new(Arc::clone(&journal), plan.seed, plan.pause),
            journal,
            brokers,
            trap: Trap::default(),
            settled: Rest::default(),
            gone: BTreeMap::new(),
        };
        for name in ["a", "b", "d1", "d2", "p1", "p2"] {
            world.start(name).await?;
        }
        world.has_its_share("d1").await?;
        world.has_its_share("d2").await?;
        world.make_endpoints().await?;
        world.load.begin(world.endpoints.clone());
        Ok(world)
    }

    async fn make_endpoints(&mut self) -> anyhow::Result<()> {
        for (manner, name) in Manner::ALL {
            self.make_endpoint(manner, name).await?;
        }
        Ok(())
    }

    async fn make_endpoint(&mut self, manner: Manner, name: &'static str) -> anyhow::Result<()> {
        let (journal, senders) = (Arc::clone(&self.journal), Arc::clone(&self.senders));
        let receiver = receivers::start(manner, journal, senders, self.trap.clone()).await?;
        let fields = json!({
            "event_types": [name, "load.all"], "timeout_seconds": 20,
            "retry": {"schedule": [2, 2, 4, 8, 8], "jitter": 0.0},
        });
        let made = self.api()?.endpoint(&receiver.url(), fields).await?;
        self.endpoints.push((name, made.id));
        self.receivers.push(receiver);
        Ok(())
    }

    fn note(&self, name: &str, life: u64, what: Became, pid: Option<u32>) -> anyhow::Result<()> {
        let (at, name) = (now(), name.to_owned());
        let line = ProcessLine {
            at,
            life,
            name,
            what,
        };
        self.journal.write(&Line::Process(pid, line))
    }

    /// Starts a process, whose roles its name's first letter says, and waits until it is ready.
    ///
    /// # Errors
    /// When it does not get ready.
    pub async fn start(&mut self, name: &str) -> anyhow::Result<()> {
        self.begin_process(name).await?;
        self.server(name)?.ready().await?;
        self.tell_doors();
        Ok(())
    }

    /// As [`start`](Self::start), without waiting until it is ready.
    ///
    /// # Errors
    /// When it ends before it listens.
    pub async fn begin_process(&mut self, name: &str) -> anyhow::Result<()> {
        let life = self.lives.fetch_add(1, Ordering::SeqCst);
        self.note(name, life, Became::Started, None)?;
        let server = self.cluster.begin(name, roles(name)).await?;
        self.note(name, life, Became::Started, server.pid())?;
        let is_door = roles(name).contains(&"api");
        let instance = Instance {
            server,
            life,
            is_door,
        };
        self.instances.insert(name.to_owned(), instance);
        Ok(())
    }

    fn tell_doors(&self) {
        let doors = self.instances.values().filter(|instance| instance.is_door);
        self.load
            .doors(doors.map(|door| door.server.address()).collect());
    }

    fn instance(&self, name: &str) -> anyhow::Result<&Instance> {
        self.instances
            .get(name)
            .with_context(|| format!("{name} does not run"))
    }

    /// A process that runs.
    ///
    /// # Errors
    /// When there is none of that name.
    pub fn server(&self, name: &str) -> anyhow::Result<&Server> {
        Ok(&self.instance(name)?.server)
    }

    /// The API of a process that has one.
    ///
    /// # Errors
    /// When there is none.
    pub fn api(&self) -> anyhow::Result<Api> {
        let door = self.instances.values().find(|instance| instance.is_door);
        Ok(Api(door.context("nobody serves the API")?.server.address()))
    }

    /// `kill -9`.
    ///
    /// # Errors
    /// When it had ended by itself.
    pub async fn kill(&mut self, name: &str) -> anyhow::Result<()> {
        let instance = self.instances.remove(name);
        let instance = instance.with_context(|| format!("{name} does not run"))?;
        self.remember(name, &instance.server);
        self.tell_doors();
        instance
            .server
            .kill()
            .await
            .with_context(|| name.to_owned())?;
        self.note(name, instance.life, Became::Crashed, None)
    }

    /// SIGTERM, and waits for its end.
    ///
    /// # Errors
    /// When it does not end well.
    pub async fn terminate(&mut self, name: &str) -> anyhow::Result<()> {
        let instance = self.instances.remove(name);
        let instance = instance.with_context(|| format!("{name} does not run"))?;
        self.remember(name, &instance.server);
        self.tell_doors();
        let (status, said) = instance.server.terminate(DRAINS).await?;
        ensure!(status.success(), "{name} ended with {status}:\n{said}");
        self.note(name, instance.life, Became::Stopped, None)
    }

    /// SIGSTOP.
    ///
    /// # Errors
    /// When it has ended.
    pub fn freeze(&self, name: &str) -> anyhow::Result<()> {
        let instance = self.instance(name)?;
        self.note(name, instance.life, Became::Frozen, None)?;
        instance.server.freeze()
    }

    /// SIGCONT.
    ///
    /// # Errors
    /// When it has ended.
    pub fn wake(&self, name: &str) -> anyhow::Result<()> {
        let instance = self.instance(name)?;
        instance.server.wake()?;
        self.note(name, instance.life, Became::Thawed, None)
    }

    /// Notes that the group has not heard from any dispatcher for longer than a session: it may give each one's partitions to
    /// another, who doesn't know what this one does.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn were_not_heard(&self) -> anyhow::Result<()> {
        let dispatchers = self
            .instances
            .iter()
            .filter(|(name, _)| name.starts_with('d'));
        for (name, instance) in dispatchers {
            self.note(name, instance.life, Became::Expelled, None)?;
        }
        Ok(())
    }

    /// How many requests have arrived.
    #[must_use]
    pub fn arrived(&self) -> usize {
        self.receivers.iter().map(Receiver::count).sum()
    }

    /// Waits until so many more requests have arrived than by now.
    ///
    /// # Errors
    /// When they don't in time.
    pub async fn arrives(&self, count: usize) -> anyhow::Result<()> {
        self.arrives_at(self.arrived() + count, SOON).await
    }

    /// Waits until so many requests have arrived in all.
    ///
    /// # Errors
    /// When they don't in time.
    pub async fn arrives_at(&self, wanted: usize, within: Duration) -> anyhow::Result<()> {
        until("requests arrive", within, async || {
            self.load.goes_on()?;
            let arrived = self.arrived();
            Ok(if arrived >= wanted {
                Ok(())
            } else {
                Err(format!("{arrived} of {wanted}"))
            })
        })
        .await
    }

    /// Keeps what each process wrote to standard error, beside the journal.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn keep_what_was_said(&self) -> anyhow::Result<()> {
        for (name, instance) in &self.instances {
            let file = self.folder().join(format!("{name}.said"));
            std::fs::write(file, instance.server.lines_with("").join("\n"))?;
        }
        Ok(())
    }

    /// Where everything is written down.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.journal.folder()
    }

    /// Where everything is written down, to write more.
    #[must_use]
    pub fn journal(&self) -> &Journal {
        &self.journal
    }

    /// The data directory of an instance.
    #[must_use]
    pub fn data(&self, instance: &str) -> std::path::PathBuf {
        self.cluster.data(instance)
    }

    /// What topics and tables are called.
    #[must_use]
    pub fn name(&self) -> &str {
        self.cluster.name()
    }
}
