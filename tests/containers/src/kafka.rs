//! The log's container: how each kind of image is told where its clients find it, and what the tests need.
//!
//! The ports in the container are those on this machine, so that an address means the same in both. Besides the
//! plain one there are *slots*: listeners that tell their clients another port, where a test puts its proxy
//! (as `scripts/services` has them).

use anyhow::bail;
use testcontainers::core::IntoContainerPort as _;
use testcontainers::{ContainerRequest, GenericImage, ImageExt as _};

use crate::image::image;

/// How many slots there are.
const SLOTS: u16 = 8;

/// The ports of one broker: the plain one, from 8 on the slots, from 16 on what they tell their clients.
const BLOCK: u16 = 24;
const SLOTS_AT: u16 = 8;
const PROXIES_AT: u16 = 16;

/// Which program is in an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Redpanda,
    /// Apache's own image, and the one of `scripts/images`, which takes the same variables.
    Kafka,
}

impl Kind {
    fn of(image: &str) -> anyhow::Result<Self> {
        if image.contains("redpanda") {
            return Ok(Self::Redpanda);
        }
        if image.contains("kafka") {
            return Ok(Self::Kafka);
        }
        bail!(
            "{image}: its name has neither `redpanda` nor `kafka` in it, so how it is started is not known"
        )
    }
}

/// A listener: its name, where it listens, and where its clients are told that it is.
struct Listener {
    name: String,
    port: u16,
    told: u16,
}

fn listeners(first: u16) -> Vec<Listener> {
    let plain = Listener {
        name: "PLAIN".to_owned(),
        port: first,
        told: first,
    };
    let slot = |slot| Listener {
        name: format!("SLOT{slot}"),
        port: first + SLOTS_AT + slot,
        told: first + PROXIES_AT + slot,
    };
    [plain].into_iter().chain((0..SLOTS).map(slot)).collect()
}

/// A list of them as both programs write it.
fn list(listeners: &[Listener], host: &str, port: impl Fn(&Listener) -> u16) -> String {
    let one = |listener: &Listener| format!("{}://{host}:{}", listener.name, port(listener));
    listeners.iter().map(one).collect::<Vec<_>>().join(",")
}

/// A broker that is to be started.
pub(crate) struct Broker {
    kind: Kind,
    image: String,
    first: u16,
}

impl Broker {
    /// One of `image`, on ports that are free.
    ///
    /// # Errors
    /// When its kind is not known; when there are no free ports.
    pub(crate) fn new(image: &str) -> anyhow::Result<Self> {
        Ok(Self {
            kind: Kind::of(image)?,
            image: image.to_owned(),
            first: crate::ports::free_block(BLOCK)?,
        })
    }

    /// Where it will answer.
    pub(crate) fn port(&self) -> u16 {
        self.first
    }

    /// What the tests are told.
    pub(crate) fn environment(&self) -> Vec<(&'static str, String)> {
        let proxy = |slot| {
            let (proxy, broker) = (self.first + PROXIES_AT + slot, self.first + SLOTS_AT + slot);
            format!("{proxy}-{broker}")
        };
        let proxies: Vec<_> = (0..SLOTS).map(proxy).collect();
        vec![
            ("POSTRIDER_TEST_KAFKA", format!("127.0.0.1:{}", self.first)),
            ("POSTRIDER_TEST_KAFKA_PROXIES", proxies.join(" ")),
        ]
    }

    /// The container.
    pub(crate) fn request(&self) -> ContainerRequest<GenericImage> {
        let listeners = listeners(self.first);
        let request = ContainerRequest::from(image(&self.image));
        let request = match self.kind {
            Kind::Redpanda => request.with_cmd(redpanda(&listeners)),
            Kind::Kafka => {
                let variables = kafka(&listeners);
                let told = variables.into_iter();
                told.fold(request, |request, (name, value)| {
                    request.with_env_var(name, value)
                })
            }
        };
        let mapped = listeners.iter();
        mapped.fold(request, |request, listener| {
            request.with_mapped_port(listener.port, listener.port.tcp())
        })
    }
}

/// The arguments of Redpanda's image. Its settings are those that `kafka` names, as far as there are such.
fn redpanda(listeners: &[Listener]) -> Vec<String> {
    let mut arguments: Vec<String> = [
        "redpanda",
        "start",
        "--smp=1",
        "--memory=1G",
        "--reserve-memory=0M",
        "--overprovisioned",
        "--node-id=0",
        "--check=false",
    ]
    .map(str::to_owned)
    .into();
    arguments.push(format!(
        "--kafka-addr={}",
        list(listeners, "0.0.0.0", |l| l.port)
    ));
    let advertised = list(listeners, "127.0.0.1", |l| l.told);
    arguments.push(format!("--advertise-kafka-addr={advertised}"));
    for setting in [
        "auto_create_topics_enabled=false",
        "group_min_session_timeout_ms=1000",
        "group_initial_rebalance_delay=0",
        "group_topic_partitions=4",
        "kafka_batch_max_bytes=67108864",
        "log_segment_ms_min=1000",
        "log_compaction_interval_ms=300",
    ] {
        arguments.extend(["--set".to_owned(), format!("redpanda.{setting}")]);
    }
    arguments
}

/// The variables of Apache's image: short times, as `scripts/services` has them.
fn kafka(listeners: &[Listener]) -> Vec<(&'static str, String)> {
    const CONTROLLER: &str = "localhost:9093";
    let protocols = listeners.iter().map(|l| format!("{}:PLAINTEXT", l.name));
    let protocols: Vec<_> = protocols.collect();
    let mut variables = vec![
        (
            "KAFKA_LISTENERS",
            format!(
                "{},CONTROLLER://{CONTROLLER}",
                list(listeners, "0.0.0.0", |l| l.port)
            ),
        ),
        (
            "KAFKA_ADVERTISED_LISTENERS",
            list(listeners, "127.0.0.1", |l| l.told),
        ),
        (
            "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP",
            format!("{},CONTROLLER:PLAINTEXT", protocols.join(",")),
        ),
        ("KAFKA_CONTROLLER_QUORUM_VOTERS", format!("1@{CONTROLLER}")),
    ];
    let fixed = [
        ("KAFKA_NODE_ID", "1"),
        ("KAFKA_PROCESS_ROLES", "broker,controller"),
        ("KAFKA_CONTROLLER_LISTENER_NAMES", "CONTROLLER"),
        ("KAFKA_INTER_BROKER_LISTENER_NAME", "PLAIN"),
        ("KAFKA_AUTO_CREATE_TOPICS_ENABLE", "false"),
        ("KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR", "1"),
        ("KAFKA_OFFSETS_TOPIC_NUM_PARTITIONS", "4"),
        ("KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR", "1"),
        ("KAFKA_TRANSACTION_STATE_LOG_MIN_ISR", "1"),
        ("KAFKA_TRANSACTION_STATE_LOG_NUM_PARTITIONS", "4"),
        ("KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS", "0"),
        ("KAFKA_GROUP_MIN_SESSION_TIMEOUT_MS", "1000"),
        ("KAFKA_LOG_RETENTION_CHECK_INTERVAL_MS", "300"),
        ("KAFKA_LOG_SEGMENT_DELETE_DELAY_MS", "100"),
        ("KAFKA_LOG_INITIAL_TASK_DELAY_MS", "300"),
        ("KAFKA_MESSAGE_MAX_BYTES", "67108864"),
        ("KAFKA_HEAP_OPTS", "-Xmx512m"),
        // It lives for minutes and shares the processors with what is tested.
        ("KAFKA_JVM_PERFORMANCE_OPTS", SHORT_LIVED),
    ];
    variables.extend(fixed.map(|(name, value)| (name, value.to_owned())));
    variables
}

/// What compiles and collects in threads of its own costs more than it gives.
pub(crate) const SHORT_LIVED: &str = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kind_is_in_the_name() {
        let kind = |name| Kind::of(name).ok();
        assert_eq!(
            kind("docker.redpanda.com/redpandadata/redpanda:v25.3.9"),
            Some(Kind::Redpanda)
        );
        assert_eq!(kind("apache/kafka:4.1.0"), Some(Kind::Kafka));
        assert_eq!(kind("postrider-local/kafka:0a"), Some(Kind::Kafka));
        assert_eq!(kind("rabbitmq:4"), None);
    }

    #[test]
    fn clients_of_a_slot_are_sent_to_its_proxy_and_others_to_the_broker() {
        let listeners = listeners(10_000);
        let arguments = redpanda(&listeners);
        let starts = |with: &str| arguments.iter().any(|argument| argument.starts_with(with));
        assert!(starts(
            "--kafka-addr=PLAIN://0.0.0.0:10000,SLOT0://0.0.0.0:10008,SLOT1://0.0.0.0:10009"
        ));
        assert!(starts(
            "--advertise-kafka-addr=PLAIN://127.0.0.1:10000,SLOT0://127.0.0.1:10016,"
        ));
        let variables = kafka(&listeners);
        let advertised = variables
            .iter()
            .find(|(name, _)| *name == "KAFKA_ADVERTISED_LISTENERS");
        let (_, advertised) = advertised.unwrap();
        assert!(advertised.starts_with("PLAIN://127.0.0.1:10000,SLOT0://127.0.0.1:10016,"));
        assert!(!advertised.contains("CONTROLLER"));
        let broker = Broker {
            kind: Kind::Kafka,
            image: "kafka".to_owned(),
            first: 10_000,
        };
        let proxies = &broker.environment()[1].1;
        assert!(proxies.starts_with("10016-10008 10017-10009 "), "{proxies}");
    }
}
