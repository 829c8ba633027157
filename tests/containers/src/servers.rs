//! The containers of one run.

use std::time::Duration;

use anyhow::{Context as _, bail};
use testcontainers::runners::AsyncRunner as _;
use testcontainers::{ContainerAsync, ContainerRequest, GenericImage, ImageExt as _};
use tokio::time::{Instant, sleep};

use crate::cql::Node;
use crate::kafka::Broker;
use crate::ready;

/// How long a server may take until it answers: Cassandra takes a quarter of a minute on an idle machine.
const WITHIN: Duration = Duration::from_secs(180);

/// How often it is asked.
const ASK_EVERY: Duration = Duration::from_millis(100);

/// How much of a log is shown when a server does not answer.
const SHOWN: usize = 4_000;

/// What answers for a container.
#[derive(Clone, Copy, Debug)]
enum Asked {
    Kafka(u16),
    Cql(u16),
}

/// One of them.
struct Server {
    name: &'static str,
    image: String,
    asked: Asked,
    container: ContainerAsync<GenericImage>,
}

/// Containers that were started. Dropped, they are removed; [`remove`](Self::remove) says when that fails.
#[derive(Default)]
pub(crate) struct Servers {
    all: Vec<Server>,
    environment: Vec<(&'static str, String)>,
}

impl Servers {
    /// Starts a log of `image`.
    ///
    /// # Errors
    /// What the engine says; an image that is neither here nor can be pulled.
    pub(crate) async fn log(&mut self, image: &str) -> anyhow::Result<()> {
        let broker = Broker::new(image)?;
        let asked = Asked::Kafka(broker.port());
        self.start("the log", image, asked, broker.request())
            .await?;
        self.environment.extend(broker.environment());
        Ok(())
    }

    /// Starts a store of `image`.
    ///
    /// # Errors
    /// As for [`log`](Self::log).
    pub(crate) async fn store(&mut self, image: &str) -> anyhow::Result<()> {
        let node = Node::new(image)?;
        let asked = Asked::Cql(node.port());
        self.start("the store", image, asked, node.request())
            .await?;
        self.environment.extend(node.environment());
        Ok(())
    }

    async fn start(
        &mut self,
        name: &'static str,
        image: &str,
        asked: Asked,
        request: ContainerRequest<GenericImage>,
    ) -> anyhow::Result<()> {
        let started = local_only(request).start().await;
        let container = started.with_context(|| {
            format!(
                "{name}, image {image}, could not be started. Is there a container engine, and is the \
                 image here or can it be pulled? `scripts/images build` makes local ones"
            )
        })?;
        self.all.push(Server {
            name,
            image: image.to_owned(),
            asked,
            container,
        });
        Ok(())
    }

    /// Waits until all answer.
    ///
    /// # Errors
    /// When one ends or takes too long, with what it wrote.
    pub(crate) async fn ready(&self) -> anyhow::Result<()> {
        for server in &self.all {
            server.ready().await?;
            eprintln!(
                "containers: {} answers, image {}",
                server.name, server.image
            );
        }
        Ok(())
    }

    /// What the tests are told: where each is, and of which images they are.
    pub(crate) fn environment(&self) -> Vec<(&'static str, String)> {
        let images: Vec<_> = self.all.iter().map(|server| &*server.image).collect();
        let mut environment = self.environment.clone();
        environment.push(("POSTRIDER_TEST_CONTAINERS", images.join(" ")));
        environment
    }

    /// Removes all, with what they stored.
    ///
    /// # Errors
    /// When the engine refuses.
    pub(crate) async fn remove(self) -> anyhow::Result<()> {
        for server in self.all {
            let id = server.container.id().to_owned();
            let removed = server.container.rm().await;
            removed.with_context(|| format!("the container {id} is still there"))?;
        }
        Ok(())
    }
}

impl Server {
    async fn ready(&self) -> anyhow::Result<()> {
        let deadline = Instant::now() + WITHIN;
        loop {
            let answers = match self.asked {
                Asked::Kafka(port) => ready::kafka(port).await,
                Asked::Cql(port) => ready::cql(port).await,
            };
            if answers {
                return Ok(());
            }
            let why = match self.container.is_running().await? {
                false => "has ended".to_owned(),
                true if Instant::now() > deadline => format!("does not answer within {WITHIN:?}"),
                true => {
                    sleep(ASK_EVERY).await;
                    continue;
                }
            };
            let (name, image, log) = (self.name, &self.image, self.log().await);
            bail!("{name}, image {image}, {why}. The end of its log:\n{log}");
        }
    }

    /// The end of what it wrote.
    async fn log(&self) -> String {
        let (out, err) = (
            self.container.stdout_to_vec().await,
            self.container.stderr_to_vec().await,
        );
        let shown = |written: Result<Vec<u8>, _>| match written {
            Ok(bytes) => {
                let from = bytes.len().saturating_sub(SHOWN);
                String::from_utf8_lossy(&bytes[from..]).into_owned()
            }
            Err(error) => format!("(it can't be read: {error})"),
        };
        [out, err].map(shown).join("\n")
    }
}

/// Ports are published on this machine's own address and nowhere else.
fn local_only(request: ContainerRequest<GenericImage>) -> ContainerRequest<GenericImage> {
    request.with_host_config_modifier(|config| {
        let bindings = config
            .port_bindings
            .iter_mut()
            .flat_map(|all| all.values_mut());
        for binding in bindings.flatten().flatten() {
            binding.host_ip = Some("127.0.0.1".to_owned());
        }
    })
}
