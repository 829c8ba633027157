//! What `/health/ready` asks.

use std::sync::Arc;

use async_trait::async_trait;
use control::Control;
use eventlog_port::{EventLog, TopicPartition};
use schemas::topics::Topic;

use super::http::Probe;

/// The log: it says how far it goes.
pub(super) struct LogProbe(pub(super) Arc<dyn EventLog>);

#[async_trait]
impl Probe for LogProbe {
    fn name(&self) -> &'static str {
        "log"
    }

    async fn check(&self) -> Result<(), String> {
        let control = TopicPartition::new(Topic::Control.to_string(), 0);
        let bounds = self.0.bounds(&control).await;
        bounds.map(drop).map_err(|error| error.to_string())
    }
}

/// What is known of endpoints is up to date. Without, nothing is dialled.
pub(super) struct ControlProbe(pub(super) Control);

#[async_trait]
impl Probe for ControlProbe {
    fn name(&self) -> &'static str {
        "control"
    }

    async fn check(&self) -> Result<(), String> {
        match self.0.is_fresh() {
            true => Ok(()),
            false => Err("what is known of endpoints is older than a second".to_owned()),
        }
    }
}

/// It is known what is folded here, and every partition of it goes on being folded.
pub(super) struct ViewsProbe(pub(super) projections::Status);

#[async_trait]
impl Probe for ViewsProbe {
    fn name(&self) -> &'static str {
        "views"
    }

    async fn check(&self) -> Result<(), String> {
        if self.0.is_waiting() {
            return Err("it is not known yet which partitions are folded here".to_owned());
        }
        let stopped = self.0.stopped();
        let said = stopped
            .iter()
            .map(|((topic, partition), why)| format!("{topic}[{partition}]: {why}"));
        let said: Vec<_> = said.collect();
        match said.is_empty() {
            true => Ok(()),
            false => Err(said.join("; ")),
        }
    }
}
