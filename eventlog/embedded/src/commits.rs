//! What groups commit, in the table of contents.

use std::sync::Arc;

use async_trait::async_trait;
use eventlog_port::local::CommitStore;
use eventlog_port::{BoxError, Commit};
use serde::{Deserialize, Serialize};

use crate::shared::Shared;
use crate::topics::commit_key;

#[derive(Serialize, Deserialize)]
struct Stored {
    offset: u64,
    metadata: String,
}

pub(crate) struct EmbeddedCommits(pub(crate) Arc<Shared>);

#[async_trait]
impl CommitStore for EmbeddedCommits {
    fn load(&self, group: &str, topic: &str, partition: u32) -> Result<Option<Commit>, BoxError> {
        let key = commit_key(group, topic, partition);
        let stored = match &*self.0.engine.read() {
            Ok(engine) => engine.contents(&key)?,
            Err(stopped) => return Err(Box::new(*stopped)),
        };
        let Some(stored) = stored else {
            return Ok(None);
        };
        let Stored { offset, metadata } = serde_json::from_slice(&stored)?;
        Ok(Some(Commit {
            partition,
            offset,
            metadata,
        }))
    }

    async fn store(&self, group: &str, topic: &str, commits: &[Commit]) -> Result<(), BoxError> {
        let entry = |commit: &Commit| {
            let Commit {
                partition,
                offset,
                metadata,
            } = commit.clone();
            let value = serde_json::to_vec(&Stored { offset, metadata })?;
            Ok((commit_key(group, topic, partition), value))
        };
        let entries = commits.iter().map(entry).collect::<Result<_, BoxError>>()?;
        Ok(self.0.put_contents(entries).await?)
    }
}
