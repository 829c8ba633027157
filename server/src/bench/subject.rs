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
use crate::cli::{BenchArgs, Watched};

/// How long a start may take.
const START: Duration = Duration::from_secs(60);

/// For how long next to no processor is used by a server that is idle.
const IDLE_FOR: Duration = Duration::from_secs(2);

/// How much of one processor that is at most.
const IDLE_SHARE: f64 = 0.03;

/// Clock ticks a second in `/proc/<pid>/stat`: 100 on every Linux that Rust runs on.
const TICKS: f64 = 100.0;

/// A running server on a data folder of its own, and who dispatches for it.
pub(super) struct Subject {
    /// Host and port.
    pub(super) address: String,
    child: Running,
    dispatchers: Vec<Dispatcher>,
    watched: Vec<Watched>,
    data: tempfile::TempDir,
    /// What it is told besides.
    options: Vec<String>,
}

/// A process that dispatches, and nothing else.
struct Dispatcher {
    /// Host and port.
    address: String,
    child: Running,
}

/// A process that ends with this.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Subject {
    /// Starts this program's `serve` on a free port and waits until it is ready.
    pub(super) async fn start(args: &BenchArgs) -> Result<Self> {
        let folder = args.folder.clone().unwrap_or_else(std::env::temp_dir);
        let data = tempfile::Builder::new()
            .prefix("postrider-bench")
            .tempdir_in(folder)?;
        let mut options = args.serve.clone();
        if args.dispatchers > 0 {
            options.extend(["api", "ingest", "projections"].map(|role| format!("--role={role}")));
        }
        let (child, address) = launch(data.path(), &options).await?;
        let mut dispatchers = Vec::new();
        for number in 1..=args.dispatchers {
            let key = data.path().join("secret.key");
            let mut options = args.serve.clone();
            options.push("--role=dispatcher".to_owned());
            options.push(format!("--instance=dispatcher-{number}"));
            options.push(format!("--secret-key-file={}", key.display()));
            let data = data.path().join(format!("dispatcher-{number}"));
            let (child, address) = launch(&data, &options).await?;
            dispatchers.push(Dispatcher { address, child });
        }
        Ok(Self {
            address,
            child,
            dispatchers,
            watched: args.watch.clone(),
            data,
            options,
        })
    }

    /// Kills it without warning and starts it again on the same data. Returns when it was started.
    pub(super) async fn restart(&mut self) -> Result<Instant> {
        self.child.0.kill()?;
        self.child.0.wait()?;
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

    /// Processor seconds that the server has used so far, with who dispatches for it.
    pub(super) fn processor(&self) -> Result<f64> {
        let ours = self.ours();
        ours.map(|(_, pid)| processor_of(pid)).sum()
    }

    /// Processor seconds used so far by each process, the watched and this one among them.
    pub(super) fn processors(&self) -> Result<Vec<(String, f64)>> {
        let watched = self.watched.iter();
        let watched = watched.map(|watched| (watched.name.clone(), watched.pid));
        let this = ("load and receiver".to_owned(), std::process::id());
        let all = self.ours().chain(watched).chain([this]);
        all.map(|(name, pid)| Ok((name, processor_of(pid)?)))
            .collect()
    }

    /// The processes of the server.
    fn ours(&self) -> impl Iterator<Item = (String, u32)> {
        let dispatchers = self.dispatchers.iter().enumerate();
        let dispatchers = dispatchers.map(|(n, of)| (format!("dispatcher {}", n + 1), &of.child));
        let all = std::iter::once(("server".to_owned(), &self.child)).chain(dispatchers);
        all.map(|(name, running)| (name, running.0.id()))
    }

    /// Requests of all its processes to the view store so far, those that read and those that write; `None`: it
    /// is none that is asked over a network.
    pub(super) async fn requests(&self) -> Result<Option<(f64, f64)>> {
        let mut all = requests_of(&self.address).await?;
        for dispatcher in &self.dispatchers {
            let more = requests_of(&dispatcher.address).await?;
            let more = more.unwrap_or_default();
            all = all.map(|all| (all.0 + more.0, all.1 + more.1));
        }
        Ok(all)
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
        let status = proc(self.child.0.id(), "status")?;
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
}

/// Requests to the view store of the process at `address`: those that read, and those that write.
async fn requests_of(address: &str) -> Result<Option<(f64, f64)>> {
    let mut connection = Connection::open(address).await?;
    let metrics = connection.read("/metrics").await?;
    let metrics = String::from_utf8_lossy(&metrics);
    let metric = |name: &str| -> Option<f64> {
        let line = metrics.lines().find_map(|line| line.strip_prefix(name));
        line?.trim().parse().ok()
    };
    let reads = metric("postrider_view_store_reads_total ");
    Ok(reads.zip(metric("postrider_view_store_writes_total ")))
}

/// Processor seconds that a process has used.
fn processor_of(pid: u32) -> Result<f64> {
    let stat = proc(pid, "stat")?;
    // The name may hold anything; what follows the last bracket doesn't.
    let (_, fields) = stat.rsplit_once(") ").context("stat")?;
    let ticks = |field: usize| -> Result<f64> {
        let text = fields.split(' ').nth(field).context("stat")?;
        Ok(text.parse()?)
    };
    Ok((ticks(11)? + ticks(12)?) / TICKS)
}

fn proc(pid: u32, file: &str) -> Result<String> {
    let path = format!("/proc/{pid}/{file}");
    fs::read_to_string(&path).context(path)
}

async fn launch(data: &Path, options: &[String]) -> Result<(Running, String)> {
    let program = std::env::current_exe()?;
    let port = free_port()?;
    let address = format!("127.0.0.1:{port}");
    let child = Command::new(program)
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
    let mut running = Running(child);
    let child = &mut running.0;
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
    Ok((running, address))
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
