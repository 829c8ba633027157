//! What an operator configures.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;

use crate::error::ConnectError;
use crate::settings;

/// Where the log is and how it is talked to. Plain data; [`KafkaLog::connect`](crate::KafkaLog)
/// consumes it.
#[derive(Clone, PartialEq, Eq)]
pub struct Config {
    /// `host:port` of some brokers, separated by commas.
    pub bootstrap: String,
    /// What every topic and group of this installation begins with; may be empty.
    pub topic_prefix: String,
    /// This node's name, as brokers see it in `client.id`.
    pub instance: String,
    /// Settings of librdkafka's that are passed through: `security.protocol`, `ssl.*`, `sasl.*`, and
    /// a few that break no promise. Any other is refused by [`Config::check`].
    pub settings: BTreeMap<String, String>,
    /// On how many brokers a new topic is kept. From 3 on, two of them must have a record before it
    /// counts as durable.
    pub replication: u32,
    /// How long an append of an ordered writer may take, broker outages included, before it is answered *unknown*; one
    /// that waits for the batch before it takes up to twice that. Must stay well below the time limit of the request
    /// that waits for it.
    pub ordered_timeout: Duration,
    /// How long one request to a broker may take, 1 s or more. A connection that is silent for
    /// longer is given up for dead and made anew.
    pub request_timeout: Duration,
    /// Bytes that a writer may hold of records that are not durable; an append waits at the bound.
    pub write_buffer_bytes: u32,
    /// Bytes that all readers together may have fetched ahead.
    pub read_buffer_bytes: u64,
    /// How many partitions are read at once; each gets its share of `read_buffer_bytes`.
    pub readers: u32,
}

impl Config {
    /// A configuration with the defaults of everything but the brokers' addresses.
    #[must_use]
    pub fn new(bootstrap: impl Into<String>) -> Self {
        Self {
            bootstrap: bootstrap.into(),
            topic_prefix: String::new(),
            instance: "postrider".to_owned(),
            settings: BTreeMap::new(),
            replication: 1,
            ordered_timeout: Duration::from_secs(20),
            request_timeout: Duration::from_secs(10),
            write_buffer_bytes: 128 << 20,
            read_buffer_bytes: 512 << 20,
            readers: 256,
        }
    }

    /// Checks what can be checked without a broker.
    ///
    /// # Errors
    /// The first setting that is not passed through, or a bound that is not kept.
    pub fn check(&self) -> Result<(), ConnectError> {
        self.settings
            .keys()
            .try_for_each(|key| settings::check(key))?;
        let bad = |what| Err(ConnectError::Bound(what));
        if self.bootstrap.is_empty() {
            return bad("bootstrap: at least one broker's address is needed");
        }
        if self.replication == 0 || self.replication > 32_767 {
            return bad("replication: must be 1 to 32,767");
        }
        if self.request_timeout < Duration::from_secs(1) {
            return bad("request_timeout: must be 1 s or more");
        }
        if self.ordered_timeout < self.request_timeout {
            return bad("ordered_timeout: must not be below request_timeout");
        }
        if self.readers == 0
            || self.write_buffer_bytes < 1 << 20
            || self.read_buffer_bytes < 1 << 20
        {
            return bad(
                "readers: at least 1; write_buffer_bytes, read_buffer_bytes: 1 MiB or more",
            );
        }
        Ok(())
    }

    /// The settings that every client has.
    pub(crate) fn client(&self, role: &str) -> ClientConfig {
        let mut client = ClientConfig::new();
        for (key, value) in &self.settings {
            client.set(key, value);
        }
        let timeout = self.request_timeout.as_millis().to_string();
        client
            .set("bootstrap.servers", &self.bootstrap)
            .set("client.id", format!("{}-{role}", self.instance))
            .set("socket.timeout.ms", &timeout)
            .set("socket.connection.setup.timeout.ms", &timeout)
            .set("socket.keepalive.enable", "true")
            // Brokers could ask for figures about this process otherwise, and each poll would pay for them.
            .set("enable.metrics.push", "false")
            // The defaults wait up to 10 s after a broker is back.
            .set("reconnect.backoff.ms", "50")
            .set("reconnect.backoff.max.ms", "1000")
            // Who was told of no broker that it can reach asks the bootstrap servers again; by default after 5 minutes.
            .set("metadata.recovery.rebootstrap.trigger.ms", "15000")
            .set_log_level(RDKafkaLogLevel::Warning);
        client
    }

    /// The cluster's name for a topic.
    pub(crate) fn full_name(&self, topic: &str) -> String {
        format!("{}{topic}", self.topic_prefix)
    }
}

/// Only the names of passed-through settings are shown: among the values are passwords and keys.
impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("bootstrap", &self.bootstrap)
            .field("topic_prefix", &self.topic_prefix)
            .field("instance", &self.instance)
            .field("settings", &self.settings.keys().collect::<Vec<_>>())
            .field("replication", &self.replication)
            .field("ordered_timeout", &self.ordered_timeout)
            .field("request_timeout", &self.request_timeout)
            .field("write_buffer_bytes", &self.write_buffer_bytes)
            .field("read_buffer_bytes", &self.read_buffer_bytes)
            .field("readers", &self.readers)
            .finish()
    }
}
