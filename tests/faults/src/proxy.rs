//! Toxiproxy before a server: a link that can be made slow.

use std::net::{Ipv4Addr, SocketAddr};
use std::process::Stdio;

use anyhow::{Context as _, ensure};
use end_to_end::api::Api;
use end_to_end::until::until;
use http::Method;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};

use crate::world::SOON;

/// What the one link is called.
const NAME: &str = "views";

/// A proxy. Dropped, it ends.
pub struct Proxy {
    api: Api,
    /// Where clients connect.
    pub address: SocketAddr,
    _process: Child,
}

impl Proxy {
    /// Starts `POSTRIDER_TEST_TOXIPROXY` before `upstream`.
    ///
    /// # Errors
    /// When there is none, or it does not answer.
    pub async fn start(upstream: &str) -> anyhow::Result<Self> {
        let program = std::env::var("POSTRIDER_TEST_TOXIPROXY");
        let program = program.context("POSTRIDER_TEST_TOXIPROXY names no toxiproxy")?;
        let control = free().await?;
        let address = free().await?;
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
            address,
            _process: process,
        };
        let fields = json!({"name": NAME, "listen": address.to_string(), "upstream": upstream});
        proxy.ask(Method::POST, "/proxies", &fields).await?;
        Ok(proxy)
    }

    /// Each answer comes so much later.
    ///
    /// # Errors
    /// When the proxy refuses.
    pub async fn slow(&self, millis: u64) -> anyhow::Result<()> {
        let fields = json!({
            "name": "slow", "type": "latency", "stream": "downstream",
            "attributes": {"latency": millis, "jitter": millis / 2},
        });
        let path = format!("/proxies/{NAME}/toxics");
        self.ask(Method::POST, &path, &fields).await
    }

    /// As fast as it was.
    ///
    /// # Errors
    /// When the proxy refuses.
    pub async fn heal(&self) -> anyhow::Result<()> {
        let path = format!("/proxies/{NAME}/toxics/slow");
        self.ask(Method::DELETE, &path, &Value::Null).await
    }

    async fn ask(&self, method: Method, path: &str, body: &Value) -> anyhow::Result<()> {
        let reply = self.api.call(method, path, body).await?;
        ensure!(reply.status.is_success(), "{path}: {reply:?}");
        Ok(())
    }
}

/// An address where nobody listens now.
async fn free() -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    Ok(listener.local_addr()?)
}
