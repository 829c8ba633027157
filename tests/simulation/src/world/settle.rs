//! Whether a world has come to rest: every delivery that the log owes has an outcome that may be its end.
//! Only for knowing when to look: whether that is so, the checker says.

use std::collections::{BTreeMap, BTreeSet};

use checker::history::Record;
use eventlog_port::{EventLog, TopicPartition};
use serde_json::Value;

use super::dump::records;

/// What is owed and what has ended, as far as the log was read.
#[derive(Default)]
pub struct Rest {
    read: BTreeMap<(String, u32), u64>,
    /// Acceptance and endpoint.
    owed: BTreeSet<(String, String)>,
    repeats: BTreeSet<String>,
    ended: BTreeSet<(String, String)>,
}

impl Rest {
    /// Reads on to the end, and says how many deliveries have yet to end.
    pub async fn open(&mut self, log: &dyn EventLog) -> usize {
        for topic in log.topics().await.unwrap_or_default() {
            let name = topic.spec.name;
            if !matches!(
                &*name,
                "inbox" | "routed" | "events" | "attempts" | "dead-letters"
            ) {
                continue;
            }
            for partition in 0..topic.spec.partitions {
                let of = TopicPartition::new(name.as_str(), partition);
                let from = self.read.entry((name.clone(), partition)).or_default();
                let records = records(log, &of, *from).await;
                *from += records.len() as u64;
                for record in &records {
                    self.take(&name, partition, record);
                }
            }
        }
        self.left()
    }

    /// How many deliveries have yet to end, as far as was read.
    #[must_use]
    pub fn left(&self) -> usize {
        let is_open = |(acceptance, endpoint): &&(String, String)| {
            !self.repeats.contains(acceptance)
                && !self.ended.contains(&(acceptance.clone(), endpoint.clone()))
        };
        self.owed.iter().filter(is_open).count()
    }

    /// Takes in a record.
    pub fn take(&mut self, topic: &str, partition: u32, record: &Record) {
        let place = format!("{topic}/{partition}/{}", record.offset);
        let key = text(record.key.as_deref());
        match topic {
            "inbox" => {
                let routes: Value = header(record, "routes")
                    .and_then(|routes| serde_json::from_str(routes).ok())
                    .unwrap_or_default();
                for route in routes.as_array().into_iter().flatten() {
                    let to = member(route, "endpoint");
                    self.owed.insert((place.clone(), to.to_owned()));
                }
            }
            "events" => {
                let acceptance = header(record, "origin").unwrap_or(&place);
                self.owed.insert((acceptance.to_owned(), key.to_owned()));
            }
            _ => self.outcome(topic, key, record),
        }
    }

    fn outcome(&mut self, topic: &str, key: &str, record: &Record) {
        let json = match topic {
            "dead-letters" => header(record, "postrider").unwrap_or_default(),
            _ => text(record.value.as_deref()),
        };
        let json: Value = serde_json::from_str(json).unwrap_or_default();
        match member(&json, "kind") {
            "duplicate" | "conflict" => {
                self.repeats.insert(member(&json, "origin").to_owned());
            }
            "succeeded" | "cancelled" | "dead_letter" => {
                let acceptance = json.pointer("/delivery/acceptance").and_then(Value::as_str);
                let acceptance = acceptance.unwrap_or_default().to_owned();
                self.ended.insert((acceptance, key.to_owned()));
            }
            _ => {}
        }
    }
}

fn text(bytes: Option<&[u8]>) -> &str {
    bytes
        .and_then(|bytes| std::str::from_utf8(bytes).ok())
        .unwrap_or_default()
}

fn header<'a>(record: &'a Record, name: &str) -> Option<&'a str> {
    let found = record.headers.iter().find(|(found, _)| found == name);
    found.map(|(_, value)| text(value.as_deref()))
}

fn member<'a>(json: &'a Value, name: &str) -> &'a str {
    json.get(name).and_then(Value::as_str).unwrap_or_default()
}
