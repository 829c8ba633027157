//! Processes that share a log and views.

use std::path::PathBuf;

use anyhow::ensure;
use tempfile::TempDir;

use crate::program::{Server, name_of};

/// Processes that share a log and views, each with a data directory of its own.
pub struct Cluster {
    name: String,
    folder: TempDir,
    arguments: Vec<String>,
}

impl Cluster {
    /// None is started yet. Each will have `arguments`.
    ///
    /// # Errors
    /// When there can be no folder for their data.
    pub fn new(arguments: &[&str]) -> anyhow::Result<Self> {
        let folder = TempDir::new()?;
        Ok(Self {
            name: name_of(folder.path()),
            folder,
            arguments: arguments.iter().map(ToString::to_string).collect(),
        })
    }

    /// They find the log here (`kafka://…`).
    pub fn log_at(&mut self, log: &str) {
        self.arguments.extend(["--log".to_owned(), log.to_owned()]);
    }

    /// They find the views here (`cql://…`, without the keyspace).
    pub fn views_at(&mut self, views: &str) {
        let views = format!("{views}/{}", self.name);
        self.arguments.extend(["--views".to_owned(), views]);
    }

    /// What their topics and tables are called; topics have a point behind it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The data directory of an instance.
    #[must_use]
    pub fn data(&self, instance: &str) -> PathBuf {
        self.folder.path().join(instance)
    }

    /// Starts an instance, or starts it again, and waits until it is ready. The first one makes the key
    /// that all use.
    ///
    /// # Errors
    /// When it does not get ready.
    pub async fn start(&self, instance: &str, roles: &[&str]) -> anyhow::Result<Server> {
        let server = self.begin(instance, roles).await?;
        server.ready().await?;
        Ok(server)
    }

    /// As [`start`](Self::start), without waiting until it is ready.
    ///
    /// # Errors
    /// When it ends before it listens.
    pub async fn begin(&self, instance: &str, roles: &[&str]) -> anyhow::Result<Server> {
        let key = self.data("key");
        let shown = key.display().to_string();
        let mut arguments = vec!["--instance", instance];
        arguments.extend(self.arguments.iter().map(String::as_str));
        for role in roles {
            arguments.extend(["--role", role]);
        }
        let is_first = !key.exists();
        if !is_first {
            arguments.extend(["--secret-key-file", &shown]);
        }
        let server = Server::join(&self.name, &self.data(instance), &arguments).await?;
        if is_first {
            let made = self.data(instance).join("secret.key");
            ensure!(made.exists(), "the first one makes the key");
            std::fs::copy(made, key)?;
        }
        Ok(server)
    }
}
