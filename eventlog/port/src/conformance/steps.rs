//! Steps that the cases share.

use std::time::Duration;

use bytes::Bytes;

use super::Fixture;
use crate::error::AppendError;
use crate::group::{GroupEvent, GroupSpec, Member};
use crate::log::EventLog;
use crate::reader::ReadLimit;
use crate::record::{Header, NewRecord, Offset, Record, TopicPartition};
use crate::topic::TopicSpec;
use crate::writer::{Appended, Writer, WriterKind, WriterSpec};

/// How long a case waits for what must happen; far above what it takes on a busy machine.
pub(super) const DEADLINE: Duration = Duration::from_secs(60);

/// A session that passes on no machine that is only busy. What a group is told may take a tenth of it.
const SESSION: Duration = Duration::from_secs(15);

pub(super) const LIMIT: ReadLimit = ReadLimit {
    records: 1_000,
    bytes: 1 << 20,
    wait: DEADLINE,
};

pub(super) const QUICK: ReadLimit = ReadLimit {
    records: 1_000,
    bytes: 1 << 20,
    wait: Duration::from_millis(100),
};

pub(super) fn spec(name: &str, partitions: u32) -> TopicSpec {
    TopicSpec {
        name: name.to_owned(),
        partitions,
        retention: None,
        retention_bytes: None,
        max_record_bytes: 1 << 20,
    }
}

/// A new topic, and its partition 0.
pub(super) async fn one_partition(fixture: &dyn Fixture, name: &str) -> TopicPartition {
    let topic = fixture.topic(name);
    fixture
        .log()
        .await
        .ensure(&[spec(&topic, 1)])
        .await
        .unwrap();
    TopicPartition::new(topic, 0)
}

pub(super) async fn writer(log: &dyn EventLog, kind: WriterKind) -> Box<dyn Writer> {
    let spec = WriterSpec {
        kind,
        name: "conformance".to_owned(),
        max_in_flight: 256,
    };
    log.writer(spec).await.unwrap()
}

pub(super) fn numbered(number: u64) -> NewRecord {
    NewRecord {
        key: Some(Bytes::from(number.to_be_bytes().to_vec())),
        headers: vec![Header::new("n", number.to_string())],
        value: Some(Bytes::from(format!("value {number}"))),
    }
}

pub(super) fn number(record: &Record) -> u64 {
    let text = std::str::from_utf8(record.header("n").expect("a numbered record")).unwrap();
    text.parse().unwrap()
}

pub(super) async fn append(
    writer: &dyn Writer,
    to: &TopicPartition,
    record: NewRecord,
) -> Result<Appended, AppendError> {
    writer.append(to, record).await?.await
}

/// Appends records with these numbers, all durable when it returns.
pub(super) async fn append_numbers(
    log: &dyn EventLog,
    to: &TopicPartition,
    numbers: std::ops::Range<u64>,
) -> Vec<Appended> {
    let writer = writer(log, WriterKind::Ordered).await;
    let mut accepted = Vec::new();
    for number in numbers {
        accepted.push(writer.append(to, numbered(number)).await.unwrap());
    }
    let mut appended = Vec::new();
    for answer in accepted {
        appended.push(answer.await.unwrap());
    }
    writer.close().await;
    appended
}

/// Everything in `[from, end)`, as it is at the call.
pub(super) async fn read_from(
    log: &dyn EventLog,
    partition: &TopicPartition,
    from: Offset,
) -> Vec<Record> {
    let end = log.bounds(partition).await.unwrap().end;
    let mut reader = log.reader(partition, from).await.unwrap();
    let mut records = Vec::new();
    tokio::time::timeout(DEADLINE, async {
        while reader.position() < end {
            records.extend(reader.next(LIMIT).await.unwrap());
        }
    })
    .await
    .expect("everything below the durable end can be read");
    records
}

pub(super) async fn read_all(log: &dyn EventLog, partition: &TopicPartition) -> Vec<Record> {
    let start = log.bounds(partition).await.unwrap().start;
    read_from(log, partition, start).await
}

pub(super) fn numbers(records: &[Record]) -> Vec<u64> {
    records.iter().map(number).collect()
}

/// Joins with a session that no busy machine lets pass.
pub(super) async fn join(
    fixture: &dyn Fixture,
    topic: &str,
    group: &str,
    instance: &str,
) -> Box<dyn Member> {
    join_for(fixture, topic, group, instance, SESSION).await
}

pub(super) async fn join_for(
    fixture: &dyn Fixture,
    topic: &str,
    group: &str,
    instance: &str,
    session: Duration,
) -> Box<dyn Member> {
    let spec = GroupSpec {
        group: fixture.topic(group),
        topic: topic.to_owned(),
        instance: instance.to_owned(),
        session,
    };
    fixture.log().await.join(spec).await.unwrap()
}

/// A member's next event.
pub(super) async fn event(member: &mut dyn Member) -> GroupEvent {
    let event = tokio::time::timeout(DEADLINE, member.next()).await;
    event.expect("a change of the group is told").unwrap()
}

/// What a member holds, kept by listening to it.
pub(super) struct Holding {
    pub(super) member: Box<dyn Member>,
    pub(super) held: std::collections::BTreeSet<u32>,
}

impl Holding {
    pub(super) const fn new(member: Box<dyn Member>) -> Self {
        Self {
            member,
            held: std::collections::BTreeSet::new(),
        }
    }

    /// Listens for `time`, taking and giving up what it is told.
    pub(super) async fn listen(&mut self, time: Duration) -> Option<GroupEvent> {
        let event = tokio::time::timeout(time, self.member.next())
            .await
            .ok()?
            .unwrap();
        match &event {
            GroupEvent::Assigned(claims) => self.held.extend(claims.iter().map(|c| c.partition)),
            GroupEvent::Revoked(gone) | GroupEvent::Lost(gone) => {
                self.held.retain(|partition| !gone.contains(partition));
            }
        }
        Some(event)
    }

    /// Listens until it holds `count` partitions.
    pub(super) async fn until_holding(&mut self, count: usize) {
        let settled = async {
            while self.held.len() != count {
                self.listen(Duration::from_secs(1)).await;
            }
        };
        tokio::time::timeout(DEADLINE, settled)
            .await
            .expect("the group settles");
    }
}

/// Two members take turns listening until they hold `a` and `b` partitions.
pub(super) async fn settle(one: (&mut Holding, usize), two: (&mut Holding, usize)) {
    let ((a, of_a), (b, of_b)) = (one, two);
    let settled = async {
        while a.held.len() != of_a || b.held.len() != of_b {
            a.listen(Duration::from_millis(100)).await;
            b.listen(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(DEADLINE, settled)
        .await
        .expect("the group settles");
}

/// Tries until `done` says so, a hundred times a second.
pub(super) async fn eventually<F, R>(what: &str, mut done: F)
where
    F: FnMut() -> R,
    R: Future<Output = bool>,
{
    let tried = async {
        while !done().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(DEADLINE, tried)
        .await
        .unwrap_or_else(|_| panic!("never came: {what}"));
}
