//! Toxiproxy before servers: links that can be made slow, and cut.

use std::net::{Ipv4Addr, SocketAddr};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use end_to_end::api::Api;
use end_to_end::until::until;
use http::Method;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::world::SOON;

/// How long the proxy may take for what it is asked.
const PATIENCE: Duration = Duration::from_secs(10);

/// One address where clients connect, and the server behind it.
#[derive(Clone, Debug)]
pub struct Link {
    /// Where clients connect.
    pub listens: SocketAddr,
    /// Where that leads.
    pub upstream: String,
}

impl Link {
    /// A link to `upstream`, at an address where nobody listens now.
    ///
    /// # Errors
    /// When there is none.
    pub async fn to(upstream: &str) -> anyhow::Result<Self> {
        Ok(Self {
            listens: free().await?,
            upstream: upstream.to_owned(),
        })
    }
}

/// What is done to a link, and to every connection over it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Toxic {
    /// Each answer comes so many milliseconds later, give or take half of that.
    Slow(u64),
    /// It ends after so many bytes of answers.
    CutAnswers(u64),
    /// It ends after so many bytes of requests.
    CutRequests(u64),
    /// It is reset after so many milliseconds.
    Reset(u64),
}

impl Toxic {
    fn fields(self) -> Value {
        let (kind, stream, attributes) = match self {
            Self::Slow(millis) => (
                "latency",
                "downstream",
                json!({"latency": millis, "jitter": millis / 2}),
            ),
            Self::CutAnswers(bytes) => ("limit_data", "downstream", json!({"bytes": bytes})),
            Self::CutRequests(bytes) => ("limit_data", "upstream", json!({"bytes": bytes})),
            Self::Reset(millis) => ("reset_peer", "downstream", json!({"timeout": millis})),
        };
        json!({"type": kind, "stream": stream, "attributes": attributes})
    }
}

/// A proxy. Dropped, it ends.
pub struct Proxy {
    api: Api,
    links: Vec<Link>,
    _process: Child,
}

impl Proxy {
    /// Starts `POSTRIDER_TEST_TOXIPROXY` with these links.
    ///
    /// # Errors
    /// When there is none, or it does not answer, or can't listen where it should.
    pub async fn start(links: Vec<Link>) -> anyhow::Result<Self> {
        let program = std::env::var("POSTRIDER_TEST_TOXIPROXY");
        let program = program.context("POSTRIDER_TEST_TOXIPROXY names no toxiproxy")?;
        let control = free().await?;
        let process = Command::new(program)
            .args(["-host", "127.0.0.1", "-port", &control.port().to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        until("the proxy answers", SOON, async || {
            let opened = TcpStream::connect(control).await;
            Ok(opened.map(drop).map_err(|error| error.to_string()))
        })
        .await?;
        let proxy = Self {
            api: Api(control),
            links,
            _process: process,
        };
        for link in 0..proxy.links.len() {
            proxy.open(link).await?;
        }
        Ok(proxy)
    }

    /// Its links, in the order in which they were given.
    #[must_use]
    pub fn links(&self) -> &[Link] {
        &self.links
    }

    /// Where clients connect, with commas between.
    #[must_use]
    pub fn addresses(&self) -> String {
        let addresses = self.links.iter().map(|link| link.listens.to_string());
        addresses.collect::<Vec<_>>().join(",")
    }

    /// Does that to one link, until it is healed.
    ///
    /// # Errors
    /// When the proxy refuses.
    pub async fn harm(&self, link: usize, toxic: Toxic) -> anyhow::Result<()> {
        let path = format!("/proxies/{link}/toxics");
        self.ask(Method::POST, &path, &toxic.fields()).await
    }

    /// Every connection over these links ends, and they are as they were. To take a toxic from links that end at that
    /// moment holds up all others for seconds: so they are taken away with it, and made anew.
    ///
    /// # Errors
    /// When the proxy refuses.
    pub async fn begin_anew(&self, links: &[usize]) -> anyhow::Result<()> {
        for link in links {
            let path = format!("/proxies/{link}");
            self.ask(Method::DELETE, &path, &Value::Null).await?;
            self.open(*link).await?;
        }
        Ok(())
    }

    /// Every link is as it was.
    ///
    /// # Errors
    /// When the proxy refuses.
    pub async fn heal(&self) -> anyhow::Result<()> {
        self.ask(Method::POST, "/reset", &Value::Null).await
    }

    async fn open(&self, which: usize) -> anyhow::Result<()> {
        let link = &self.links[which];
        let fields = json!({
            "name": which.to_string(), "listen": link.listens.to_string(),
            "upstream": link.upstream,
        });
        self.ask(Method::POST, "/proxies", &fields).await
    }

    async fn ask(&self, method: Method, path: &str, body: &Value) -> anyhow::Result<()> {
        let asked = timeout(PATIENCE, self.api.call(method, path, body)).await;
        let reply = asked.with_context(|| format!("the proxy doesn't answer to {path}"))??;
        ensure!(reply.status.is_success(), "{path}: {reply:?}");
        Ok(())
    }
}

/// An address where nobody listens now.
async fn free() -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    Ok(listener.local_addr()?)
}
