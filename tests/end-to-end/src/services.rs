//! The real servers that `scripts/services` has started.

use std::path::{Path, PathBuf};

use anyhow::ensure;
use tokio::process::Command;

/// Runs `scripts/services` with these arguments, and waits until it has done what they say.
///
/// # Errors
/// When it fails; what it said is on standard error.
pub async fn services(arguments: &[&str]) -> anyhow::Result<()> {
    let status = Command::new(script()).args(arguments).status().await?;
    ensure!(status.success(), "scripts/services {arguments:?}: {status}");
    Ok(())
}

/// A node of Kafka's that runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// From 1.
    pub number: usize,
    /// Its process.
    pub pid: i32,
    /// Its log segments and its part of the cluster's own log.
    pub data: PathBuf,
}

/// The nodes of Kafka's that run.
///
/// # Errors
/// When `scripts/services` can't say.
pub async fn kafka_nodes() -> anyhow::Result<Vec<Node>> {
    let asked = Command::new(script())
        .args(["status", "kafka"])
        .output()
        .await?;
    ensure!(asked.status.success(), "scripts/services status: {asked:?}");
    let said = String::from_utf8(asked.stdout)?;
    Ok(said.lines().filter_map(node).collect())
}

fn node(line: &str) -> Option<Node> {
    let (number, rest) = line.strip_prefix("kafka node ")?.split_once(": process ")?;
    let (pid, rest) = rest.split_once(',')?;
    let (_, log) = rest.split_once(", log ")?;
    Some(Node {
        number: number.parse().ok()?,
        pid: pid.parse().ok()?,
        data: Path::new(log).parent()?.join("data"),
    })
}

fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/services")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_a_node_that_runs() {
        let line = "kafka node 2: process 71, port 31640, log /s/kafka/runs/r/node-2/log";
        let wanted = Node {
            number: 2,
            pid: 71,
            data: "/s/kafka/runs/r/node-2/data".into(),
        };
        assert_eq!(node(line), Some(wanted));
        assert_eq!(node("kafka node 3: stopped"), None);
    }
}
