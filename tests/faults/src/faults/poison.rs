//! Fault 11: What others write into topics.

use std::collections::BTreeSet;

use anyhow::{Context as _, ensure};
use checker::history::{Record, Request};
use end_to_end::until::until;
use rdkafka::types::RDKafkaErrorCode;
use serde_json::Value;

use super::Played;
use crate::brokers::Foreign;
use crate::journal::Line;
use crate::times::now;
use crate::world::{SOON, World};

/// The key of what nobody can read: by it the record is known again.
pub const KEY: &str = "poison";

/// More than quarantine keeps of one.
const OVERSIZE: usize = 1_200_000;

/// More than any topic takes.
const TOO_LARGE: usize = 1_700_000;

fn foreign(headers: &[(&str, &str)], value: Option<Vec<u8>>) -> Foreign {
    let headers = headers.iter();
    Foreign {
        key: Some(KEY.to_owned()),
        headers: headers
            .map(|(name, value)| ((*name).to_owned(), Some((*value).to_owned())))
            .collect(),
        value,
    }
}

/// In `inbox`: no form, or one that is not kept to.
fn inbox() -> Vec<Foreign> {
    let structured = [("content-type", "application/cloudevents+json")];
    let plain = [("event-type", "load.all")];
    vec![
        foreign(&[], Some(b"nobody knows what this is".to_vec())),
        foreign(&[], Some(vec![0xff, 0, 0xfe, 0x80])),
        foreign(&structured, Some(b"{\"specversion\":\"1.0\",".to_vec())),
        foreign(
            &structured,
            Some(b"{\"specversion\":\"9.9\",\"id\":\"x\"}".to_vec()),
        ),
        foreign(
            &[("ce_specversion", "1.0"), ("ce_id", "x")],
            Some(b"{\"no\":\"type\"}".to_vec()),
        ),
        foreign(&[], Some(vec![b'x'; OVERSIZE])),
        foreign(&[("event-type", "")], Some(b"{}".to_vec())),
        foreign(&plain, None),
        foreign(&[], None),
    ]
}

/// Elsewhere: neither headers nor JSON of ours, and no version.
fn elsewhere() -> Vec<Foreign> {
    vec![
        foreign(&[], Some(b"nobody knows what this is".to_vec())),
        foreign(&[("postrider", "{\"kind\":")], Some(b"{".to_vec())),
        foreign(&[], None),
    ]
}

/// The topics of one system that others have no business in, and how many partitions of each are written to.
const TOPICS: [(&str, i32); 8] = [
    ("events", 4),
    ("retry.1s", 4),
    ("attempts", 4),
    ("dead-letters", 4),
    ("requests", 4),
    ("routed", 4),
    ("progress", 4),
    ("control", 1),
];

/// Writes all of it, under load, and beside it what a Kafka producer may write; that arrives.
pub(super) async fn written(world: &mut World, rounds: u64) -> anyhow::Result<Played> {
    let (mut there, mut refused) = (0, 0);
    for round in 0..rounds {
        for partition in 0..4 {
            there += poisoned(world, "inbox", partition, &inbox())?;
            good(world, round, partition)?;
        }
        for (topic, partitions) in TOPICS {
            for partition in 0..partitions {
                there += poisoned(world, topic, partition, &elsewhere())?;
            }
        }
        for (topic, partitions) in TOPICS.into_iter().chain([("inbox", 4)]) {
            for partition in 0..partitions {
                is_refused(world, topic, partition)?;
                refused += 1;
            }
        }
        world.load.more(40, SOON).await?;
        world.arrives(40).await?;
    }
    Ok(Played {
        seen: format!(
            "{there} records that nobody can read are in the log, {refused} that are too large were refused"
        ),
        stops: 0,
    })
}

/// Each of them is in the log then, and it is written down where. How many there are.
fn poisoned(
    world: &World,
    topic: &str,
    partition: i32,
    records: &[Foreign],
) -> anyhow::Result<usize> {
    for record in records {
        let offset = append(world, topic, partition, record)?;
        let line = Line::Foreign(topic.to_owned(), u32::try_from(partition)?, offset);
        world.journal().write(&line)?;
    }
    Ok(records.len())
}

/// What is larger than a topic takes the broker refuses, and it says why.
fn is_refused(world: &World, topic: &str, partition: i32) -> anyhow::Result<()> {
    let record = foreign(&[], Some(vec![b'x'; TOO_LARGE]));
    let told = tokio::task::block_in_place(|| world.brokers.append(topic, partition, &record))?;
    ensure!(
        told == Err(RDKafkaErrorCode::MessageSizeTooLarge),
        "{TOO_LARGE} bytes to {topic}/{partition}: {told:?}"
    );
    Ok(())
}

/// The offset that the broker says it has.
fn append(world: &World, topic: &str, partition: i32, record: &Foreign) -> anyhow::Result<u64> {
    let told = tokio::task::block_in_place(|| world.brokers.append(topic, partition, record))?;
    told.with_context(|| format!("{topic}/{partition} takes what is small enough"))
}

/// An event in the plain form, and a line about it as of a client who is never told.
fn good(world: &World, round: u64, partition: i32) -> anyhow::Result<()> {
    let payload = format!("{{\"producer\": {round}.{partition}1}}").into_bytes();
    let journal = world.journal();
    let request = Request {
        sent_at: now(),
        payload: payload.clone(),
        event_type: "load.all".to_owned(),
        ..Request::default()
    };
    journal.write(&Line::Sends(journal.next_request(), request))?;
    let record = Foreign {
        key: Some(format!("order-{round}")),
        ..foreign(&[("event-type", "load.all")], Some(payload))
    };
    append(world, "inbox", partition, &record).map(drop)
}

/// What is in quarantine once all has been judged: every record of which the log says so, once however often it
/// was written there.
fn quarantined(world: &World) -> usize {
    let records = world.brokers.records().get(&("quarantine".to_owned(), 0));
    let origin = |record: &Record| {
        let mut headers = record.headers.iter();
        let (_, value) = headers.find(|(name, _)| name == "postrider")?;
        let said: Value = serde_json::from_slice(value.as_deref()?).ok()?;
        Some(said["origin"].as_str()?.to_owned())
    };
    let origins: BTreeSet<String> = records.into_iter().flatten().filter_map(origin).collect();
    origins.len()
}

/// A record of a newer program's in one partition of `events`: that partition stops, and says so; each other goes on.
pub(super) async fn newer_version(world: &mut World) -> anyhow::Result<String> {
    let kept = quarantined(world);
    let places = world.everywhere().await?;
    let (stuck, partition) = places.first().context("there is an endpoint")?.clone();
    let record = Foreign {
        key: Some(stuck.clone()),
        ..foreign(&[("postrider-v", "2")], Some(b"{}".to_vec()))
    };
    append(world, "events", i32::try_from(partition)?, &record)?;
    let words = "dispatching a partition has stopped; the others go on";
    until("the partition says that it has stopped", SOON, async || {
        let said: usize = ["d1", "d2"]
            .iter()
            .map(|name| said(world, name, words))
            .sum();
        Ok(if said > 0 { Ok(()) } else { Err(String::new()) })
    })
    .await?;
    world.all_go_on_but(&places, partition).await?;
    let ready = world
        .api()?
        .call(http::Method::GET, "/health/ready", &Value::Null)
        .await?;
    Ok(format!(
        ", {kept} of them in quarantine; events/{partition} stopped at version 2 and said so, each of the {} others went on \
         (/health/ready of ingest: {})",
        world.partitions() - 1,
        ready.status
    ))
}

fn said(world: &World, name: &str, words: &str) -> usize {
    world
        .server(name)
        .map_or(0, |server| server.has_said(words))
}
