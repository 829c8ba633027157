//! The server as a process of its own.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use http::Method;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, ChildStderr, Command};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::api::Api;
use crate::until::until;

/// How long the server may take until it listens: in a CQL store that many tests share, the first start on a
/// data directory makes fourteen tables, one after the other.
pub const START_WITHIN: Duration = Duration::from_secs(60);

/// A running server. Dropped, it is killed.
pub struct Server {
    child: Child,
    address: SocketAddr,
    said: Said,
    _reading: JoinSet<()>,
}

/// What it wrote to standard error.
#[derive(Clone, Debug, Default)]
struct Said(Arc<Mutex<Vec<String>>>);

impl Said {
    /// How many lines are shown.
    const LINES: usize = 200;

    fn add(&self, line: String) {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lines.push(line);
    }

    fn text(&self) -> String {
        let lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lines[lines.len().saturating_sub(Self::LINES)..].join("\n")
    }

    fn count(&self, words: &str) -> usize {
        let lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lines.iter().filter(|line| line.contains(words)).count()
    }
}

/// The command of a server on `data`, for development, on a port of the system's choice.
///
/// # Errors
/// When the program can't be built.
pub fn command(data: &Path, arguments: &[&str]) -> anyhow::Result<Command> {
    command_of(&name_of(data), data, arguments)
}

/// What the topics and tables of a server on `data` begin with: each data directory has its own, so that
/// many live on one cluster. Topics have a point behind it.
#[must_use]
pub fn name_of(data: &Path) -> String {
    let folder = data.display().to_string();
    folder.chars().filter(char::is_ascii_alphanumeric).collect()
}

/// As [`command`], of one of several that share the topics and tables called `name`.
fn command_of(name: &str, data: &Path, arguments: &[&str]) -> anyhow::Result<Command> {
    let mut command = Command::new(program()?);
    command
        .env_clear()
        .args(["serve", "--dev", "--listen", "127.0.0.1:0", "--data"])
        .arg(data)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    let says = |name: &str| arguments.contains(&name);
    if let Some(views) = other_views().filter(|_| !says("--views")) {
        command.args(["--views", &format!("{views}/{name}")]);
    }
    if let Some(log) = other_log() {
        let prefix = format!("{name}.");
        let replication = brokers().to_string();
        if !says("--log") {
            command.args(["--log", &log]);
        }
        command.args(["--kafka-prefix", &prefix]);
        command.args(["--partitions", "4", "--kafka-replication", &replication]);
    }
    Ok(command)
}

/// Another of the program's commands, on the topics and tables called `name`.
///
/// # Errors
/// When the program can't be built.
pub fn tool_command(name: &str, data: &Path, arguments: &[&str]) -> anyhow::Result<Command> {
    let mut command = Command::new(program()?);
    command.env_clear().args(arguments).arg("--data").arg(data);
    if let Some(log) = other_log() {
        command.args(["--log", &log, "--kafka-prefix", &format!("{name}.")]);
    }
    if let Some(views) = other_views() {
        command.args(["--views", &format!("{views}/{name}")]);
    }
    command.stdin(Stdio::null()).kill_on_drop(true);
    Ok(command)
}

/// Runs a [`tool_command`] to its end: what it printed.
///
/// # Errors
/// When it fails, with what it said.
pub async fn tool(name: &str, data: &Path, arguments: &[&str]) -> anyhow::Result<String> {
    let ended = tool_command(name, data, arguments)?.output().await?;
    let said = String::from_utf8_lossy(&ended.stderr);
    let printed = String::from_utf8_lossy(&ended.stdout).into_owned();
    ensure!(
        ended.status.success(),
        "{arguments:?}: {}: {said}{printed}",
        ended.status
    );
    Ok(printed)
}

/// The log that servers run on where it is not the embedded one: `POSTRIDER_TEST_LOG`, as `--log` has it.
#[must_use]
pub fn other_log() -> Option<String> {
    std::env::var("POSTRIDER_TEST_LOG").ok()
}

/// On how many brokers that log is.
#[must_use]
pub fn brokers() -> usize {
    other_log().map_or(0, |log| log.split(',').count())
}

/// Where servers keep views where it is not in the data directory: `POSTRIDER_TEST_VIEWS`, as `--views`
/// has it, without the keyspace.
#[must_use]
pub fn other_views() -> Option<String> {
    std::env::var("POSTRIDER_TEST_VIEWS").ok()
}

impl Server {
    /// Starts one, and waits until it says where it listens.
    ///
    /// # Errors
    /// When it ends before that, with what it said; or takes too long.
    pub async fn start(data: &Path, arguments: &[&str]) -> anyhow::Result<Self> {
        Self::spawn(command(data, arguments)?).await
    }

    /// As [`start`](Self::start), one of several that share the topics and tables called `name`.
    ///
    /// # Errors
    /// As for [`start`](Self::start).
    pub async fn join(name: &str, data: &Path, arguments: &[&str]) -> anyhow::Result<Self> {
        Self::spawn(command_of(name, data, arguments)?).await
    }

    async fn spawn(mut command: Command) -> anyhow::Result<Self> {
        let mut child = command.spawn()?;
        let stderr = child.stderr.take().context("it was piped")?;
        let mut lines = BufReader::new(stderr).lines();
        let said = Said::default();
        let found = timeout(START_WITHIN, address(&mut lines, &said)).await;
        let Some(address) = found.context("the server doesn't say where it listens")?? else {
            let status = child.wait().await?;
            bail!("the server ended with {status}:\n{}", said.text());
        };
        let mut reading = JoinSet::new();
        let kept = said.clone();
        reading.spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                kept.add(line);
            }
        });
        Ok(Self {
            child,
            address,
            said,
            _reading: reading,
        })
    }

    /// Waits until it says that it is ready: on a cluster it may take some seconds until it knows which
    /// partitions are its own.
    ///
    /// # Errors
    /// When it does not say so in time.
    pub async fn ready(&self) -> anyhow::Result<()> {
        let api = Api(self.address);
        until("the server is ready", START_WITHIN, async || {
            let reply = api.call(Method::GET, "/health/ready", &Value::Null).await?;
            Ok(if reply.status.is_success() {
                Ok(())
            } else {
                Err(format!("{reply:?}"))
            })
        })
        .await
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The process's number; `None` once it has ended.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// The last of what it wrote to standard error.
    #[must_use]
    pub fn said(&self) -> String {
        self.said.text()
    }

    /// The lines in which it has written these words.
    #[must_use]
    pub fn lines_with(&self, words: &str) -> Vec<String> {
        let lines = self.said.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = lines.iter().filter(|line| line.contains(words));
        found.cloned().collect()
    }

    /// The partitions that it has said are its own, with the epoch, as often as it has.
    #[must_use]
    pub fn claims(&self) -> Vec<(u32, u64)> {
        let lines = self.lines_with("a partition has its owner");
        let field = |line: &str, name: &str| -> Option<u64> {
            let (_, rest) = line.split_once(&format!(" {name}="))?;
            rest.split(' ').next()?.parse().ok()
        };
        let claim = |line: &String| {
            let partition = u32::try_from(field(line, "partition")?).ok()?;
            Some((partition, field(line, "epoch")?))
        };
        lines.iter().filter_map(claim).collect()
    }

    /// In how many lines it has written these words.
    #[must_use]
    pub fn has_said(&self, words: &str) -> usize {
        self.said.count(words)
    }

    /// `kill -9`, and waits until it is gone.
    ///
    /// # Errors
    /// When it had ended by itself before.
    pub async fn kill(mut self) -> anyhow::Result<()> {
        if let Some(status) = self.child.try_wait()? {
            bail!("the server ended by itself with {status}:\n{}", self.said());
        }
        self.child.kill().await?;
        Ok(())
    }

    /// SIGSTOP: it stands still, and what it holds stays open.
    ///
    /// # Errors
    /// When it has ended.
    pub fn freeze(&self) -> anyhow::Result<()> {
        self.signal(Signal::STOP)
    }

    /// SIGCONT.
    ///
    /// # Errors
    /// When it has ended.
    pub fn wake(&self) -> anyhow::Result<()> {
        self.signal(Signal::CONT)
    }

    fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        let id = self.child.id().context("the server has ended")?;
        let pid = Pid::from_raw(i32::try_from(id)?).context("a process has a number")?;
        Ok(kill_process(pid, signal)?)
    }

    /// SIGTERM, and waits for `within` until it has ended.
    ///
    /// # Errors
    /// When it takes longer.
    pub async fn terminate(mut self, within: Duration) -> anyhow::Result<(ExitStatus, String)> {
        self.signal(Signal::TERM)?;
        let ended = timeout(within, self.child.wait()).await;
        let status = ended.with_context(|| format!("still there:\n{}", self.said()))??;
        Ok((status, self.said()))
    }
}

type Lines = tokio::io::Lines<BufReader<ChildStderr>>;

/// Reads up to the line that says where the server is; nothing if that never comes.
async fn address(lines: &mut Lines, said: &Said) -> anyhow::Result<Option<SocketAddr>> {
    while let Some(line) = lines.next_line().await? {
        let found = line.split_once(" on http://").and_then(|(_, rest)| {
            let address = rest.split([',', ' ', '/']).next()?;
            address.parse().ok()
        });
        said.add(line);
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

/// The program, built from what is there now: that of yesterday proves nothing. `POSTRIDER_BIN` names
/// another one.
///
/// # Errors
/// When it can't be built.
pub fn program() -> anyhow::Result<PathBuf> {
    static BUILT: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let built = BUILT.get_or_init(|| build().map_err(|error| format!("{error:#}")));
    built.clone().map_err(anyhow::Error::msg)
}

fn build() -> anyhow::Result<PathBuf> {
    if let Some(named) = std::env::var_os("POSTRIDER_BIN") {
        return Ok(named.into());
    }
    // A test lies in <target>/<profile>/deps, the program in <target>/<profile>.
    let test = std::env::current_exe()?;
    let folder = test.parent().and_then(Path::parent);
    let folder = folder.context("a test lies in a target folder")?;
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = std::process::Command::new(cargo);
    build.args(["build", "--quiet", "--locked", "--package", "postrider"]);
    // These are the test's own. A build script that looks at them (`ring`'s) would run again, and all that stands on it
    // be built again, here and in the next build by hand.
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            build.env_remove(&name);
        }
    }
    build
        .arg("--target-dir")
        .arg(folder.parent().context("it has a name")?);
    if folder.ends_with("release") {
        build.arg("--release");
    }
    ensure!(build.status()?.success(), "{build:?} failed");
    Ok(folder.join("postrider"))
}
