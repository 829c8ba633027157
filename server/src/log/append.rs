//! `postrider log append`

use std::fs;
use std::io::{self, IsTerminal, Read};

use anyhow::{Context, Error, Result, anyhow};
use bytes::Bytes;
use eventlog_port::{
    AppendError, Appended, EventLog, Header, NewRecord, Outcome, TopicPartition, WriterKind,
    WriterSpec,
};
use schemas::topics::Topic;
use serde::Serialize;

use super::open::Opening;
use super::{lines, wanted, which};
use crate::cli::AppendArgs;
use crate::output::{Output, rfc3339};

const HOLDER: &str = "postrider log append";

/// Appends that may be accepted and not yet durable. On the embedded log they fill an fsync's batch.
const IN_FLIGHT: u32 = 4_096;

/// Where a record came to lie, for programs.
#[derive(Serialize)]
struct AppendedLine<'a> {
    topic: &'a str,
    partition: u32,
    offset: u64,
    time: String,
}

pub(super) async fn run(
    opening: Opening<'_>,
    args: AppendArgs,
    json: bool,
    output: &mut Output,
) -> Result<()> {
    let log = if args.create {
        let log = opening.any(HOLDER).await?;
        create(&*log, &args, &opening).await?;
        log
    } else {
        opening.existing(HOLDER).await?
    };
    let info = which::topic(&*log, &args.topic).await?;
    let to = which::partitions(&info, Some(args.partition))?.remove(0);
    warn_of_trespass(&args.topic);
    // Ordered: what a broker that is away leaves unknown is told within its time limit.
    let spec = WriterSpec {
        kind: WriterKind::Ordered,
        name: "postrider-log-append".to_owned(),
        max_in_flight: IN_FLIGHT,
    };
    let writer = log.writer(spec).await?;
    let template = template(&args)?;
    let outcome = if args.lines {
        lines::append(&*writer, &to, &template, json, output).await
    } else {
        let record = NewRecord {
            value: Some(value(&args)?),
            ..template
        };
        let appended = async { writer.append(&to, record).await?.await }.await;
        appended
            .map_err(failed)
            .and_then(|appended| told(&to, appended, json, output))
    };
    writer.close().await;
    outcome
}

async fn create(log: &dyn EventLog, args: &AppendArgs, opening: &Opening<'_>) -> Result<()> {
    let is_there = |info: &eventlog_port::TopicInfo| info.spec.name == args.topic;
    if log.topics().await?.iter().any(is_there) {
        return Ok(());
    }
    let target = &opening.args.target.log;
    let ours = wanted::topics(&args.topics, target)?;
    let ours = ours.into_iter().find(|spec| spec.name == args.topic);
    let spec = ours.unwrap_or_else(|| wanted::other(&args.topic, &args.topics, target));
    Ok(log.ensure(&[spec]).await?)
}

/// Every topic of Postrider's but one has one writer, and a record by hand is none of its.
fn warn_of_trespass(topic: &str) {
    match topic.parse() {
        Ok(Topic::Inbox) | Err(_) => {}
        Ok(
            Topic::Routed
            | Topic::Events
            | Topic::Retry(_)
            | Topic::Attempts
            | Topic::DeadLetters
            | Topic::Requests
            | Topic::Progress
            | Topic::Control
            | Topic::Quarantine,
        ) => tracing::warn!(
            topic,
            "only postrider itself writes this topic; others write inbox"
        ),
    }
}

/// The record that is to be appended, but for its value.
fn template(args: &AppendArgs) -> Result<NewRecord> {
    let header = |(name, value): &(String, String)| {
        Header::from_parts(name.clone().into(), Some(value.clone().into()))
    };
    let headers: Result<Vec<_>, _> = args.header.iter().map(header).collect();
    let key = args.key.clone().map(Bytes::from);
    Ok(NewRecord {
        key,
        headers: headers?,
        value: None,
    })
}

fn value(args: &AppendArgs) -> Result<Bytes> {
    if let Some(value) = &args.value {
        return Ok(value.clone().into());
    }
    if let Some(file) = &args.file {
        return Ok(fs::read(file)
            .with_context(|| file.display().to_string())?
            .into());
    }
    if io::stdin().is_terminal() {
        eprintln!("The value, then Ctrl-D:");
    }
    let mut value = Vec::new();
    io::stdin()
        .read_to_end(&mut value)
        .context("reading standard input")?;
    Ok(value.into())
}

/// Says where a record came to lie.
pub(super) fn told(
    to: &TopicPartition,
    appended: Appended,
    json: bool,
    output: &mut Output,
) -> Result<()> {
    let Appended {
        offset,
        appended_at,
    } = appended;
    let time = rfc3339(appended_at);
    if json {
        let (topic, partition) = (to.topic(), to.partition());
        return output.json(&AppendedLine {
            topic,
            partition,
            offset,
            time,
        });
    }
    output.line(&format!("{to} offset {offset} at {time}"))
}

fn failed(error: AppendError) -> Error {
    let known = known(error.outcome());
    anyhow!(error).context(known)
}

/// What is known of a record whose append failed.
pub(super) const fn known(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::NotAppended => "the record was not appended",
        Outcome::Unknown => "it is not known whether the record was appended",
    }
}
