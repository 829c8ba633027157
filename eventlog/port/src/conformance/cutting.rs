//! Writers cut off in mid-stream.

use std::collections::BTreeMap;
use std::time::Duration;

use super::steps::{
    DEADLINE, append, append_numbers, number, numbered, one_partition, read_all, spec, writer,
};
use super::{Cut, Fixture};
use crate::error::{AppendError, Outcome};
use crate::log::EventLog;
use crate::record::TopicPartition;
use crate::writer::{Appended, Writer, WriterKind};

/// What came of a numbered append; `None`: it was not accepted.
type Answers = BTreeMap<u64, Option<Result<Appended, AppendError>>>;

/// Appends numbers from `first` on and cuts the writer off in their midst: half-way they are on
/// their way when the cut comes. Heals, and returns every answer.
async fn cut_in_mid_stream(
    fixture: &dyn Fixture,
    writer: &dyn Writer,
    to: &[TopicPartition],
    first: u64,
) -> Answers {
    let mut accepted = BTreeMap::new();
    for n in first..first + 200 {
        if n == first + 100 {
            fixture.cut(Cut::Break).await;
        }
        let partition = &to[(n % to.len() as u64) as usize];
        // At its bound a writer that is cut off waits: what it would take is not tried.
        let tried = tokio::time::timeout(
            Duration::from_secs(2),
            writer.append(partition, numbered(n)),
        );
        match tried.await {
            Ok(Ok(answer)) => drop(accepted.insert(n, Some(answer))),
            Ok(Err(_refused)) => drop(accepted.insert(n, None)),
            Err(_waits) => break,
        }
    }
    let mut answers = Answers::new();
    let mut open = Vec::new();
    for (n, answer) in accepted {
        match answer {
            Some(answer) => open.push((n, answer)),
            None => drop(answers.insert(n, None)),
        }
    }
    // A writer without a time limit answers only once it is healed; one with a limit, before.
    for (n, mut answer) in open {
        let known = match tokio::time::timeout(Duration::from_secs(10), &mut answer).await {
            Ok(known) => known,
            Err(_not_yet) => {
                fixture.heal().await;
                tokio::time::timeout(DEADLINE, answer)
                    .await
                    .expect("every append has an answer")
            }
        };
        answers.insert(n, Some(known));
    }
    fixture.heal().await;
    answers
}

/// What landed of a stream, per partition, once nothing more can land.
async fn landed(log: &dyn EventLog, partition: &TopicPartition, first: u64) -> Vec<u64> {
    // A record appended after the cut is healed lies behind all that can still land in order.
    append_numbers(log, partition, 1_000_000..1_000_001).await;
    let numbers = read_all(log, partition).await;
    numbers
        .iter()
        .map(number)
        .filter(|n| (first..first + 200).contains(n))
        .collect()
}

fn check_answers(answers: &Answers, landed: &[u64]) {
    for (n, answer) in answers {
        match answer {
            Some(Ok(_)) => assert!(landed.contains(n), "{n} was confirmed and is not there"),
            Some(Err(error)) if error.outcome() == Outcome::NotAppended => {
                assert!(
                    !landed.contains(n),
                    "{n} was said not to be appended: {error}"
                );
            }
            None => assert!(!landed.contains(n), "{n} was not accepted and is there"),
            Some(Err(_unknown)) => {}
        }
    }
}

fn some_failed(answers: &Answers) -> bool {
    answers
        .values()
        .any(|answer| !matches!(answer, Some(Ok(_))))
}

/// After a failure none that was accepted later lands, in any partition where one failed; what was
/// confirmed is there, what was said not to be is not.
pub async fn a_prefix_writer_leaves_a_prefix(fixture: &dyn Fixture) {
    let log = fixture.log().await;
    let topic = fixture.topic("prefix");
    log.ensure(&[spec(&topic, 2)]).await.unwrap();
    let partitions = [
        TopicPartition::new(topic.as_str(), 0),
        TopicPartition::new(topic.as_str(), 1),
    ];
    for round in 0..5 {
        let first = round * 1_000;
        let writer = writer(&*log, WriterKind::Prefix).await;
        let answers = cut_in_mid_stream(fixture, &*writer, &partitions, first).await;
        drop(writer);
        if fixture.breaks(WriterKind::Prefix) {
            assert!(
                some_failed(&answers),
                "nothing failed: the case shows nothing"
            );
        }
        let mut all = Vec::new();
        for (residue, partition) in partitions.iter().enumerate() {
            let landed = landed(&*log, partition, first).await;
            let accepted = answers
                .iter()
                .filter(|(n, a)| **n % 2 == residue as u64 && a.is_some());
            let accepted: Vec<u64> = accepted.map(|(n, _)| *n).collect();
            assert_eq!(
                landed,
                accepted[..landed.len()],
                "what landed is a prefix of what was accepted"
            );
            all.extend(landed);
        }
        check_answers(&answers, &all);
    }
}

/// Gaps there may be, another order never; what was confirmed is there, once.
pub async fn an_ordered_writer_never_reorders(fixture: &dyn Fixture) {
    let log = fixture.log().await;
    let partition = one_partition(fixture, "ordered").await;
    for round in 0..3 {
        let first = round * 1_000;
        let writer = writer(&*log, WriterKind::Ordered).await;
        let answers =
            cut_in_mid_stream(fixture, &*writer, std::slice::from_ref(&partition), first).await;
        drop(writer);
        if fixture.breaks(WriterKind::Ordered) {
            assert!(
                some_failed(&answers),
                "nothing failed: the case shows nothing"
            );
        }
        let landed = landed(&*log, &partition, first).await;
        assert!(
            landed.is_sorted_by(|a, b| a < b),
            "in order, each once: {landed:?}"
        );
        check_answers(&answers, &landed);
    }
}

/// A prefix writer that failed once takes nothing more, healed or not; a new one goes on.
pub async fn a_broken_writer_stays_broken(fixture: &dyn Fixture) {
    if !fixture.breaks(WriterKind::Prefix) {
        return;
    }
    let log = fixture.log().await;
    let partition = one_partition(fixture, "broken").await;
    let broken = writer(&*log, WriterKind::Prefix).await;
    cut_in_mid_stream(fixture, &*broken, std::slice::from_ref(&partition), 0).await;
    for _ in 0..3 {
        let refused = append(&*broken, &partition, numbered(500))
            .await
            .unwrap_err();
        assert!(matches!(refused, AppendError::Broken), "{refused}");
        assert!(refused.is_retryable(), "with a new writer");
    }
    let fresh = writer(&*log, WriterKind::Prefix).await;
    append(&*fresh, &partition, numbered(501))
        .await
        .expect("a new writer goes on");
    let numbers: Vec<u64> = read_all(&*log, &partition)
        .await
        .iter()
        .map(number)
        .collect();
    assert_eq!(numbers.last(), Some(&501));
    assert!(!numbers.contains(&500));
}

/// A writer dropped with appends on their way: what lands of them is a prefix, each once.
pub async fn a_dropped_writer_leaves_a_prefix(fixture: &dyn Fixture) {
    let log = fixture.log().await;
    let partition = one_partition(fixture, "dropped").await;
    for round in 0..5 {
        let first = round * 1_000;
        let writer = writer(&*log, WriterKind::Prefix).await;
        let mut answers = Vec::new();
        for n in first..first + 100 {
            answers.push(writer.append(&partition, numbered(n)).await.unwrap());
        }
        drop(writer);
        let mut confirmed = 0;
        for answer in answers {
            let known = tokio::time::timeout(DEADLINE, answer)
                .await
                .expect("answered all the same");
            confirmed += usize::from(known.is_ok());
        }
        let landed = landed(&*log, &partition, first).await;
        let accepted: Vec<u64> = (first..first + 100).collect();
        assert_eq!(landed, accepted[..landed.len()]);
        assert!(landed.len() >= confirmed);
    }
}
