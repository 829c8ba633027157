//! Everything that can be seen of a world, as the checker takes it.

use checker::history::{
    AttemptRow, DeliveryRow, Ending, EventRow, MinuteRow, Record, Totals, Undelivered, Views,
};
use domain::time::Timestamp;
use eventlog_port::{EventLog, ReadLimit, TopicPartition};
use projections_port::{DeliveryState, Row, ViewError, ViewWriter};
use serde_json::{Value, to_value};
use std::collections::BTreeMap;
use std::time::Duration;

/// Every record of every partition.
pub async fn log(log: &dyn EventLog) -> BTreeMap<(String, u32), Vec<Record>> {
    let mut partitions = BTreeMap::new();
    for topic in log.topics().await.unwrap_or_default() {
        for partition in 0..topic.spec.partitions {
            let of = TopicPartition::new(topic.spec.name.as_str(), partition);
            let records = records(log, &of, 0).await;
            partitions.insert((topic.spec.name.clone(), partition), records);
        }
    }
    partitions
}

/// The records of a partition from `from` on.
pub async fn records(log: &dyn EventLog, of: &TopicPartition, from: u64) -> Vec<Record> {
    let everything = ReadLimit {
        records: usize::MAX,
        bytes: usize::MAX,
        wait: Duration::ZERO,
    };
    let Ok(mut reader) = log.reader(of, from).await else {
        return Vec::new();
    };
    let records = reader.next(everything).await.unwrap_or_default();
    records.into_iter().map(record).collect()
}

fn record(record: eventlog_port::Record) -> Record {
    let header = |header: &eventlog_port::Header| {
        let value = header.value.as_ref().map(|value| value.to_vec());
        (header.name().to_owned(), value)
    };
    Record {
        offset: record.offset,
        appended_at: record.appended_at.as_millis(),
        key: record.key.as_ref().map(|key| key.to_vec()),
        headers: record.headers.iter().map(header).collect(),
        value: record.value.as_ref().map(|value| value.to_vec()),
    }
}

/// Every row of `store`.
///
/// # Errors
/// When the store can't be read.
pub async fn views(name: &str, store: &dyn ViewWriter) -> Result<Views, ViewError> {
    let mut views = Views {
        name: name.to_owned(),
        ..Views::default()
    };
    let mut after = None;
    loop {
        let rows = store.dump(after.as_ref(), 1_000).await?;
        let Some(last) = rows.last() else {
            return Ok(views);
        };
        after = Some(last.key());
        for row in rows {
            add(&mut views, row);
        }
    }
}

fn add(views: &mut Views, row: Row) {
    match row {
        Row::Event(row) => views.events.push(event(&row)),
        Row::Delivery(row) => views.deliveries.push(delivery(row)),
        Row::Minute(endpoint, minute, row) => views.minutes.push(MinuteRow {
            endpoint: endpoint.to_string(),
            minute: minute.as_millis(),
            succeeded: row.succeeded,
            failed: row.failed,
            delivered: row.delivered,
            dead_lettered: row.dead_lettered,
        }),
        Row::Endpoint(..) => {}
        Row::Accounting(_, endpoint, counts) => {
            for name in [String::new(), endpoint.to_string()] {
                let totals = views.totals.entry(name).or_default();
                count(totals, &counts);
            }
        }
        Row::Undelivered(_, counts) => {
            views.undelivered = Undelivered {
                no_route: counts.no_route,
                duplicate: counts.duplicate,
                conflict: counts.conflict,
            };
        }
    }
}

fn count(totals: &mut Totals, counts: &projections_port::Accounting) {
    totals.deliveries += counts.deliveries;
    totals.pending += counts.pending;
    totals.retrying += counts.retrying;
    totals.delivered += counts.delivered;
    totals.dead_lettered += counts.dead_lettered;
    totals.discarded += counts.discarded;
    totals.cancelled += counts.cancelled;
}

fn event(row: &projections_port::EventRow) -> EventRow {
    use projections_port::Ending as Stored;
    EventRow {
        id: row.id.to_string(),
        tenant: row.tenant.to_string(),
        acceptance: row.acceptance.to_string(),
        accepted_at: row.accepted_at.as_millis(),
        event_type: row.event_type.to_string(),
        ending: match &row.ending {
            Stored::Routed(to) => Ending::Routed(to.iter().map(ToString::to_string).collect()),
            Stored::Duplicate(first) => Ending::Duplicate(first.to_string()),
            Stored::Conflict(first) => Ending::Conflict(first.to_string()),
        },
    }
}

fn delivery(row: projections_port::DeliveryRow) -> DeliveryRow {
    let (next_attempt_at, reason) = match row.state {
        DeliveryState::Retrying { next_attempt_at } => (Some(next_attempt_at), None),
        DeliveryState::DeadLettered(reason) => (None, Some(word(&reason))),
        DeliveryState::Pending
        | DeliveryState::Delivering
        | DeliveryState::Delivered
        | DeliveryState::Discarded
        | DeliveryState::Cancelled => (None, None),
    };
    DeliveryRow {
        id: row.id.to_string(),
        tenant: row.tenant.to_string(),
        endpoint: row.endpoint.to_string(),
        event: row.event.to_string(),
        event_type: row.event_type.to_string(),
        acceptance: row.acceptance.to_string(),
        accepted_at: row.accepted_at.as_millis(),
        step: u64::from(row.step),
        state: row.state.name().to_owned(),
        reason,
        next_attempt_at: next_attempt_at.map(Timestamp::as_millis),
        place: row.place.to_string(),
        since: row.since.as_millis(),
        attempts: row.attempts.iter().map(attempt).collect(),
    }
}

fn attempt(row: &projections_port::AttemptRow) -> AttemptRow {
    AttemptRow {
        number: u64::from(row.attempt.number),
        result: word(&row.attempt.result),
        status: row.attempt.status.map(u64::from),
        has_outcome: row.has_outcome,
    }
}

/// How JSON calls a value that is one word.
fn word(value: &impl serde::Serialize) -> String {
    match to_value(value) {
        Ok(Value::String(word)) => word,
        Ok(_) | Err(_) => String::new(),
    }
}
