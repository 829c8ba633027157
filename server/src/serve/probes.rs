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
