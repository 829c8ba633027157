//! A topic's settings in Kafka's words: what is asked of a new one, and what one that is there
//! lacks.

use std::collections::BTreeMap;
use std::time::Duration;

use eventlog_port::topic::Mismatch;
use eventlog_port::{TopicInfo, TopicSpec};

use crate::writer_settings::BATCH_BYTES;

/// What a record batch may have beyond the record as the port measures it: 92 bytes of its own, and
/// ten for each of up to 400 headers.
const ROOM_FOR_FRAMING: u32 = 4_096;

/// Kafka's own default of `max.message.bytes`. No topic gets less: a producer's batches are bounded
/// once, not for each topic, and one that is too large for its topic is refused whole.
const LEAST_MESSAGE_BYTES: u32 = 1_048_588;
const _: () = assert!(BATCH_BYTES < LEAST_MESSAGE_BYTES);

/// Bounds of `segment.bytes`. Retention removes whole segments: a few make up what is kept.
const SEGMENTS_KEPT: u64 = 8;
const LEAST_SEGMENT: u64 = 1 << 20;
const LARGEST_SEGMENT: u64 = 1 << 30;

/// Bounds of `segment.ms`; the upper one is Kafka's default.
const SHORTEST_SEGMENT: Duration = Duration::from_secs(60);
const LONGEST_SEGMENT: Duration = Duration::from_secs(7 * 86_400);

/// From so many replicas on, two must have a record before it is durable.
const SAFE_REPLICATION: u32 = 3;

/// The largest batch that a topic for this spec must take.
pub(crate) fn max_message_bytes(spec: &TopicSpec) -> u32 {
    spec.max_record_bytes
        .saturating_add(ROOM_FOR_FRAMING)
        .max(LEAST_MESSAGE_BYTES)
}

const fn min_insync(replication: u32) -> u32 {
    if replication >= SAFE_REPLICATION {
        2
    } else {
        1
    }
}

fn millis(kept: Option<Duration>) -> i64 {
    kept.map_or(-1, |kept| {
        i64::try_from(kept.as_millis()).unwrap_or(i64::MAX)
    })
}

fn bytes(kept: Option<u64>) -> i64 {
    kept.map_or(-1, |kept| i64::try_from(kept).unwrap_or(i64::MAX))
}

/// The settings of a new topic.
pub(crate) fn wanted(spec: &TopicSpec, replication: u32) -> BTreeMap<&'static str, String> {
    let message = max_message_bytes(spec);
    let mut wanted = BTreeMap::from([
        ("cleanup.policy", "delete".to_owned()),
        ("message.timestamp.type", "LogAppendTime".to_owned()),
        ("retention.ms", millis(spec.retention).to_string()),
        ("retention.bytes", bytes(spec.retention_bytes).to_string()),
        ("max.message.bytes", message.to_string()),
        ("min.insync.replicas", min_insync(replication).to_string()),
        ("unclean.leader.election.enable", "false".to_owned()),
    ]);
    if let Some(kept) = spec.retention_bytes {
        let least = LEAST_SEGMENT.max(u64::from(message));
        let segment = (kept / SEGMENTS_KEPT).clamp(least, LARGEST_SEGMENT.max(least));
        wanted.insert("segment.bytes", segment.to_string());
    }
    if let Some(kept) = spec.retention {
        let eighth = kept / u32::try_from(SEGMENTS_KEPT).unwrap_or(1);
        let segment = eighth.clamp(SHORTEST_SEGMENT, LONGEST_SEGMENT);
        wanted.insert("segment.ms", segment.as_millis().to_string());
    }
    wanted
}

/// A topic as the cluster has it.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) full_name: String,
    /// For each partition, in order, the brokers that keep it.
    pub(crate) replicas: Vec<Vec<i32>>,
    pub(crate) settings: BTreeMap<String, String>,
}

impl Found {
    pub(crate) fn partitions(&self) -> u32 {
        u32::try_from(self.replicas.len()).unwrap_or(u32::MAX)
    }

    /// On how many brokers every partition is kept at least.
    pub(crate) fn replication(&self) -> u32 {
        let least = self.replicas.iter().map(Vec::len).min().unwrap_or(0);
        u32::try_from(least).unwrap_or(u32::MAX)
    }

    fn text(&self, setting: &str) -> &str {
        self.settings.get(setting).map_or("", String::as_str)
    }

    /// A number; `None` where the setting says *unlimited*.
    fn number(&self, setting: &str) -> Option<u64> {
        self.text(setting).parse().ok()
    }

    pub(crate) fn max_message_bytes(&self) -> u32 {
        let found = self
            .number("max.message.bytes")
            .unwrap_or(u64::from(LEAST_MESSAGE_BYTES));
        u32::try_from(found).unwrap_or(u32::MAX)
    }

    /// The topic in the port's words.
    pub(crate) fn info(&self, name: &str) -> TopicInfo {
        TopicInfo {
            spec: TopicSpec {
                name: name.to_owned(),
                partitions: self.partitions(),
                retention: self.number("retention.ms").map(Duration::from_millis),
                retention_bytes: self.number("retention.bytes"),
                max_record_bytes: self.max_message_bytes().saturating_sub(ROOM_FOR_FRAMING),
            },
            replication: self.replication(),
            stamps_append_time: self.text("message.timestamp.type") == "LogAppendTime",
            compacted: self.text("cleanup.policy").contains("compact"),
        }
    }
}

/// What is there beside what is wanted of it.
pub(crate) struct Comparison<'a> {
    pub(crate) found: &'a Found,
    pub(crate) spec: &'a TopicSpec,
    /// The brokers of the cluster.
    pub(crate) brokers: &'a [i32],
    pub(crate) replication: u32,
    pub(crate) bootstrap: &'a str,
}

impl Comparison<'_> {
    /// Everything that would break a promise. More partitions and longer retention break none.
    pub(crate) fn mismatches(&self) -> Vec<Mismatch> {
        let mut all = Vec::new();
        all.extend(self.partitions());
        all.extend(self.replicas());
        let wanted = wanted(self.spec, self.found.replication());
        for (setting, fits) in [
            (
                "cleanup.policy",
                !self.found.text("cleanup.policy").contains("compact"),
            ),
            (
                "message.timestamp.type",
                self.equals(&wanted, "message.timestamp.type"),
            ),
            (
                "retention.ms",
                self.keeps("retention.ms", millis(self.spec.retention)),
            ),
            (
                "retention.bytes",
                self.keeps("retention.bytes", bytes(self.spec.retention_bytes)),
            ),
            (
                "max.message.bytes",
                self.found.max_message_bytes() >= max_message_bytes(self.spec),
            ),
            ("min.insync.replicas", self.in_sync()),
            (
                "unclean.leader.election.enable",
                self.equals(&wanted, "unclean.leader.election.enable"),
            ),
        ] {
            if !fits {
                all.push(self.setting(setting, &wanted[setting]));
            }
        }
        all
    }

    fn equals(&self, wanted: &BTreeMap<&str, String>, setting: &str) -> bool {
        self.found.text(setting) == wanted[setting]
    }

    /// Whether a limit of retention is at least as wide as wanted; negative: unlimited.
    fn keeps(&self, setting: &str, wanted: i64) -> bool {
        match (self.found.number(setting), u64::try_from(wanted)) {
            (None, _) => true,
            (Some(_), Err(_unlimited)) => false,
            (Some(found), Ok(wanted)) => found >= wanted,
        }
    }

    /// As many in-sync replicas as make a record durable, and no more than can be there.
    fn in_sync(&self) -> bool {
        let replication = u64::from(self.found.replication());
        let found = self.found.number("min.insync.replicas").unwrap_or(1);
        (u64::from(min_insync(self.found.replication()))..=replication).contains(&found)
    }

    fn setting(&self, setting: &str, wanted: &str) -> Mismatch {
        let Self {
            bootstrap, found, ..
        } = self;
        let name = &found.full_name;
        Mismatch {
            setting: setting.to_owned(),
            found: found.text(setting).to_owned(),
            wanted: wanted.to_owned(),
            remedy: format!(
                "kafka-configs.sh --bootstrap-server {bootstrap} --alter --entity-type topics \
                 --entity-name {name} --add-config {setting}={wanted}"
            ),
        }
    }

    fn partitions(&self) -> Option<Mismatch> {
        let (found, wanted) = (self.found.partitions(), self.spec.partitions);
        let Self { bootstrap, .. } = self;
        let name = &self.found.full_name;
        (found < wanted).then(|| Mismatch {
            setting: "partitions".to_owned(),
            found: found.to_string(),
            wanted: wanted.to_string(),
            remedy: format!(
                "kafka-topics.sh --bootstrap-server {bootstrap} --alter --topic {name} \
                 --partitions {wanted}"
            ),
        })
    }

    fn replicas(&self) -> Option<Mismatch> {
        let found = self.found.replication();
        let Self {
            bootstrap,
            replication,
            ..
        } = self;
        (found < *replication).then(|| Mismatch {
            setting: "replication".to_owned(),
            found: found.to_string(),
            wanted: replication.to_string(),
            remedy: format!(
                "kafka-reassign-partitions.sh --bootstrap-server {bootstrap} --execute \
                 --reassignment-json-file <(echo '{}')",
                self.reassignment()
            ),
        })
    }

    /// Every partition where it is, and on further brokers, taken in turn, until it is on enough.
    fn reassignment(&self) -> String {
        let partition = |(number, there): (usize, &Vec<i32>)| {
            let mut brokers: Vec<i32> = self.brokers.to_vec();
            brokers.rotate_left(number % self.brokers.len().max(1));
            brokers.retain(|broker| !there.contains(broker));
            let all: Vec<String> = there
                .iter()
                .chain(&brokers)
                .map(ToString::to_string)
                .collect();
            let enough = &all[..all.len().min(self.replication as usize)];
            format!(
                r#"{{"topic":"{}","partition":{number},"replicas":[{}]}}"#,
                self.found.full_name,
                enough.join(",")
            )
        };
        let partitions: Vec<String> = self
            .found
            .replicas
            .iter()
            .enumerate()
            .map(partition)
            .collect();
        format!(r#"{{"version":1,"partitions":[{}]}}"#, partitions.join(","))
    }
}
