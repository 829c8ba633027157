//! The server under test, as a process of its own.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::client::Connection;
use crate::cli::BenchArgs;

/// How long a start may take.
const START: Duration = Duration::from_secs(60);

/// For how long next to no processor is used by a server that is idle.
const IDLE_FOR: Duration = Duration::from_secs(2);

/// How much of one processor that is at most.
const IDLE_SHARE: f64 = 0.03;

/// Clock ticks a second in `/proc/<pid>/stat`: 100 on every Linux that Rust runs on.
const TICKS: f64 = 100.0;

/// A running server on a data folder of its own.
pub(super) struct Subject {
    /// Host and port.
    pub(super) address: String,
    child: Child,
    data: tempfile::TempDir,
    /// What it is told besides.
    options: Vec<String>,
}

impl Subject {
    /// Starts this program's `serve` on a free port and waits until it is ready.
    pub(super) async fn start(args: &BenchArgs) -> Result<Self> {
        let folder = args.folder.clone().unwrap_or_else(std::env::temp_dir);
        let data = tempfile::Builder::new()
            .prefix("postrider-bench")
            .tempdir_in(folder)?;
        let (child, address) = launch(data.path(), &args.serve).await?;
        Ok(Self {
            address,
            child,
            data,
            options: args.serve.clone(),
        })
    }

    /// Kills it without warning and starts it again on the same data. Returns when it was started.
    pub(super) async fn restart(&mut self) -> Result<Instant> {
        self.child.kill()?;
        self.child.wait()?;
        let begun = Instant::now();
        let (child, address) = launch(self.data.path(), &self.options).await?;
        (self.child, self.address) = (child, address);
        Ok(begun)
    }

    /// Makes an endpoint and returns its id.
    pub(super) async fn endpoint(&self, url: &str, event_type: &str) -> Result<String> {
        let body = json!({
            "url": url, "event_types": [event_type], "ordering": "none", "max_in_flight": 256,
        });
        let (status, answer) = self.post("/api/v1/endpoints", &body).await?;
        ensure!(
            status == StatusCode::CREATED,
            "{}",
            String::from_utf8_lossy(&answer)
        );
        let answer: Value = serde_json::from_slice(&answer)?;
        let id = answer["id"].as_str();
        Ok(id.context("the answer has no id")?.to_owned())
    }

    async fn post(&self, path: &str, body: &Value) -> Result<(StatusCode, Bytes)> {
        let mut connection = Connection::open(&self.address).await?;
        let body = Bytes::from(body.to_string());
        connection.post(path, &HeaderMap::new(), body).await
    }

    /// Waits until the views show `deliveries` as delivered.
    pub(super) async fn shown(&self, deliveries: u64, within: Duration) -> Result<()> {
        let deadline = Instant::now() + within;
        let mut connection = Connection::open(&self.address).await?;
        loop {
            let accounting = connection.get("/api/v1/accounting").await?;
            let delivered = accounting.pointer("/deliveries/delivered");
            let delivered = delivered.and_then(Value::as_u64).unwrap_or(0);
            if delivered >= deliveries {
                return Ok(());
            }
            ensure!(
                Instant::now() < deadline,
                "the views show {delivered} of {deliveries} as delivered: {accounting}"
            );
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// Processor seconds used so far.
    pub(super) fn processor(&self) -> Result<f64> {
        let stat = self.proc("stat")?;
        // The name may hold anything; what follows the last bracket doesn't.
        let (_, fields) = stat.rsplit_once(") ").context("stat")?;
        let ticks = |field: usize| -> Result<f64> {
            let text = fields.split(' ').nth(field).context("stat")?;
            Ok(text.parse()?)
        };
        Ok((ticks(11)? + ticks(12)?) / TICKS)
    }

    /// Waits until it has used next to no processor for a while: what it was given is written out.
    pub(super) async fn idle(&self, within: Duration) -> Result<()> {
        let deadline = Instant::now() + within;
        loop {
            let used = self.processor()?;
            sleep(IDLE_FOR).await;
            let share = (self.processor()? - used) / IDLE_FOR.as_secs_f64();
            if share < IDLE_SHARE {
                return Ok(());
            }
            ensure!(
                Instant::now() < deadline,
                "the server still uses {share:.2} of a processor"
            );
        }
    }

    /// Resident memory now, and the most so far, in MiB.
    pub(super) fn memory(&self) -> Result<(f64, f64)> {
        let status = self.proc("status")?;
        let field = |name: &str| -> Result<f64> {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            let kib = line.and_then(|line| line.split_whitespace().next());
            Ok(kib.context("status")?.parse::<f64>()? / 1_024.0)
        };
        Ok((field("VmRSS:")?, field("VmHWM:")?))
    }

    /// Bytes on disk.
    pub(super) fn disk(&self) -> u64 {
        used(self.data.path())
    }

    fn proc(&self, file: &str) -> Result<String> {
        let path = format!("/proc/{}/{file}", self.child.id());
        fs::read_to_string(&path).context(path)
    }
}

impl Drop for Subject {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

async fn launch(data: &Path, options: &[String]) -> Result<(Child, String)> {
    let program = std::env::current_exe()?;
    let port = free_port()?;
    let address = format!("127.0.0.1:{port}");
    let mut child = Command::new(program)
        .args([
            "serve",
            "--dev",
            "--listen",
            &address,
            "--log-level",
            "warn",
            "--data",
        ])
        .arg(data)
        .args(options)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()?;
    let deadline = Instant::now() + START;
    loop {
        if let Some(status) = child.try_wait()? {
            let said: Vec<String> = child
                .stderr
                .take()
                .map(|stderr| {
                    BufReader::new(stderr)
                        .lines()
                        .map_while(Result::ok)
                        .collect()
                })
                .unwrap_or_default();
            return Err(anyhow!(
                "the server ended with {status}: {}",
                said.join("\n")
            ));
        }
        if is_ready(&address).await {
            break;
        }
        ensure!(
            Instant::now() < deadline,
            "the server is not ready after {START:?}"
        );
        sleep(Duration::from_millis(5)).await;
    }
    Ok((child, address))
}

async fn is_ready(address: &str) -> bool {
    match Connection::open(address).await {
        Ok(mut connection) => connection.get("/health/ready").await.is_ok(),
        Err(_) => false,
    }
}

fn free_port() -> Result<u16> {
    Ok(std::net::TcpListener::bind(("127.0.0.1", 0))?
        .local_addr()?
        .port())
}

/// What a folder takes on disk, as `du` counts: files may be made longer than what is in them.
fn used(folder: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt;
    let Ok(entries) = fs::read_dir(folder) else {
        return 0;
    };
    let size = |entry: fs::DirEntry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => used(&entry.path()),
        Ok(metadata) => metadata.blocks() * 512,
        Err(_) => 0,
    };
    entries.flatten().map(size).sum()
}
