//! `postrider log topics`

use std::sync::Arc;

use anyhow::Result;
use eventlog_port::{Bounds, EventLog, TopicInfo};
use serde::Serialize;

use super::open::Opening;
use super::which;
use crate::cli::TopicsArgs;
use crate::output::{Output, Table, bytes, kept};

/// A topic, for programs. Times in seconds; what is absent has no limit.
#[derive(Serialize)]
struct TopicLine<'a> {
    topic: &'a str,
    records: u64,
    replication: u32,
    retention_seconds: Option<u64>,
    retention_bytes: Option<u64>,
    max_record_bytes: u32,
    partitions: Vec<PartitionLine>,
}

#[derive(Serialize)]
struct PartitionLine {
    partition: usize,
    start: u64,
    end: u64,
}

pub(super) async fn run(
    opening: Opening<'_>,
    args: &TopicsArgs,
    json: bool,
    output: &mut Output,
) -> Result<()> {
    let log = opening.existing("postrider log topics").await?;
    let mut found = Vec::new();
    for info in log.topics().await? {
        let bounds = held(&log, &info).await?;
        found.push((info, bounds));
    }
    if json {
        return found
            .iter()
            .try_for_each(|(info, bounds)| output.json(&line(info, bounds)));
    }
    if found.is_empty() {
        return output.line("There are no topics yet. `postrider log plan --apply` makes them.");
    }
    if args.by_partition {
        by_partition(&found)
    } else {
        by_topic(&found)
    }
    .print(output)
}

async fn held(log: &Arc<dyn EventLog>, info: &TopicInfo) -> Result<Vec<Bounds>> {
    which::bounds(&**log, &which::partitions(info, None)?).await
}

fn records(bounds: &[Bounds]) -> u64 {
    bounds.iter().map(|bounds| bounds.end - bounds.start).sum()
}

fn line<'a>(info: &'a TopicInfo, bounds: &[Bounds]) -> TopicLine<'a> {
    let partition = |(partition, bounds): (usize, &Bounds)| PartitionLine {
        partition,
        start: bounds.start,
        end: bounds.end,
    };
    TopicLine {
        topic: &info.spec.name,
        records: records(bounds),
        replication: info.replication,
        retention_seconds: info.spec.retention.map(|kept| kept.as_secs()),
        retention_bytes: info.spec.retention_bytes,
        max_record_bytes: info.spec.max_record_bytes,
        partitions: bounds.iter().enumerate().map(partition).collect(),
    }
}

fn by_topic(found: &[(TopicInfo, Vec<Bounds>)]) -> Table {
    let headings = [
        "TOPIC",
        ">PARTITIONS",
        ">RECORDS",
        "KEPT",
        "SIZE LIMIT",
        "LARGEST RECORD",
    ];
    let mut table = Table::new(&headings);
    for (info, bounds) in found {
        let limit = info.spec.retention_bytes;
        table.row([
            info.spec.name.clone(),
            info.spec.partitions.to_string(),
            records(bounds).to_string(),
            kept(info.spec.retention),
            limit.map_or("none".to_owned(), |limit| {
                format!("{} a partition", bytes(limit))
            }),
            bytes(info.spec.max_record_bytes.into()),
        ]);
    }
    table
}

fn by_partition(found: &[(TopicInfo, Vec<Bounds>)]) -> Table {
    let mut table = Table::new(&["TOPIC", ">PARTITION", ">START", ">END", ">RECORDS"]);
    for (info, bounds) in found {
        for (partition, bounds) in bounds.iter().enumerate() {
            table.row([
                info.spec.name.clone(),
                partition.to_string(),
                bounds.start.to_string(),
                bounds.end.to_string(),
                (bounds.end - bounds.start).to_string(),
            ]);
        }
    }
    table
}
