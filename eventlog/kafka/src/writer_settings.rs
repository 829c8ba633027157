//! How the producer of a writer is set up.

use rdkafka::ClientConfig;

use eventlog_port::{WriterKind, WriterSpec};

use crate::config::Config;

/// Batches of at most so many bytes: Kafka's own default, so that every topic takes them.
pub(crate) const BATCH_BYTES: u32 = 1_000_000;

/// The settings of a writer that has `room` appends in flight at most.
pub(crate) fn producer(config: &Config, spec: &WriterSpec, room: u32) -> ClientConfig {
    let mut client = config.client(&spec.name);
    if !config.settings.contains_key("linger.ms") {
        // Records are gathered here while the batch before them is on its way; this is for all of them to be handed over
        // before the first goes.
        client.set("linger.ms", "1");
    }
    match spec.kind {
        WriterKind::Ordered => {
            let timeout = config.ordered_timeout.as_millis().to_string();
            client.set("message.timeout.ms", timeout);
        }
        WriterKind::Prefix => {
            // Without a limit of its own, an outage makes no gap: appends wait for its end.
            client.set("message.timeout.ms", "0");
            // Nowhere else, not even as `false`: librdkafka warns of the setting, whatever its value.
            client.set("enable.gapless.guarantee", "true");
        }
    }
    client
        // Off by default.
        .set("enable.idempotence", "true")
        .set("acks", "all")
        .set("max.in.flight.requests.per.connection", "5")
        .set(
            "request.timeout.ms",
            config.request_timeout.as_millis().to_string(),
        )
        // The bounds are ours; the queue's only have to be above them. The driver counts a batch that
        // it has delivered until the last of its answers was taken.
        .set("queue.buffering.max.messages", (2 * room + 1).to_string())
        .set("queue.buffering.max.kbytes", "2147483647")
        .set("message.max.bytes", "1000000000")
        .set("batch.size", BATCH_BYTES.to_string());
    client
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_prefix_writers_ask_for_no_gaps() {
        let set = |kind| {
            let spec = WriterSpec {
                kind,
                name: "test".to_owned(),
                max_in_flight: 1,
            };
            let client = producer(&Config::new("127.0.0.1:9"), &spec, 1);
            client.get("enable.gapless.guarantee").map(str::to_owned)
        };
        assert_eq!(set(WriterKind::Prefix).as_deref(), Some("true"));
        assert_eq!(set(WriterKind::Ordered), None, "a warning for each client");
    }
}
