//! Connections that break while records are on their way, both ways.

use std::time::Duration;

use eventlog_port::{
    AppendError, Appended, EventLog, NewRecord, Outcome, ReadError, TopicPartition, Writer,
    WriterKind,
};

use crate::broker::{LIMIT, hasty, numbered, one_partition, read_numbers, writer};
use crate::proxy::{Mode, Proxy};

/// Breaks the connections a few times a second until it is dropped, then lets everything through.
async fn break_again_and_again(proxy: &Proxy, times: usize) {
    for _ in 0..times {
        tokio::time::sleep(Duration::from_millis(150)).await;
        proxy.set(Mode::SwallowAnswers);
        tokio::time::sleep(Duration::from_millis(50)).await;
        proxy.set(Mode::Refuse);
        tokio::time::sleep(Duration::from_millis(50)).await;
        proxy.set(Mode::Forward);
    }
}

async fn stream(
    writer: &dyn Writer,
    partition: &TopicPartition,
    count: u32,
) -> Vec<Result<Appended, AppendError>> {
    let mut accepted = Vec::new();
    for number in 0..count {
        accepted.push(writer.append(partition, numbered(number)).await);
        tokio::time::sleep(Duration::from_micros(500)).await;
    }
    let mut answers = Vec::new();
    for one in accepted {
        answers.push(match one {
            Ok(appending) => appending.await,
            Err(refused) => Err(refused),
        });
    }
    answers
}

/// Through thirty breaks a prefix writer confirms every record, once, in order, where it lies.
#[tokio::test(flavor = "multi_thread")]
async fn a_prefix_writer_goes_through_many_breaks_without_a_gap() {
    let proxy = Proxy::start().await;
    let (log, partition) = one_partition(hasty(proxy.bootstrap())).await;
    let writer = writer(&log, WriterKind::Prefix).await;
    let (answers, ()) = tokio::join!(
        stream(&*writer, &partition, 5_000),
        break_again_and_again(&proxy, 30)
    );
    let read = read_numbers(&log, &partition).await;
    let confirmed = answers.iter().take_while(|answer| answer.is_ok()).count();
    assert_eq!(
        read[..confirmed],
        (0..u32::try_from(confirmed).unwrap()).collect::<Vec<_>>()
    );
    assert!(
        read.is_sorted_by(|a, b| b - a == 1),
        "neither gap nor repetition"
    );
    for (number, answer) in answers.iter().enumerate() {
        match answer {
            Ok(appended) => assert_eq!(read[appended.offset as usize] as usize, number),
            Err(error) if error.outcome() == Outcome::NotAppended => {
                assert!(
                    !read.contains(&u32::try_from(number).unwrap()),
                    "{number}: {error}"
                );
            }
            Err(_unknown) => {}
        }
    }
    assert_eq!(confirmed, 5_000, "no break lasted: nothing had to fail");
}

/// An ordered writer gives up after its time limit: what it gave up may be missing, nothing else is,
/// and nothing is out of order or there twice.
#[tokio::test(flavor = "multi_thread")]
async fn an_ordered_writer_gives_up_in_time_and_goes_on() {
    let proxy = Proxy::start().await;
    let (log, partition) = one_partition(hasty(proxy.bootstrap())).await;
    let writer = writer(&log, WriterKind::Ordered).await;
    let outage = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        proxy.set(Mode::SwallowAnswers);
        tokio::time::sleep(Duration::from_millis(50)).await;
        proxy.set(Mode::Refuse);
    };
    // The outage has no end: whoever does not give up is not done at all.
    let streamed = async { tokio::join!(stream(&*writer, &partition, 400), outage) };
    let streamed = tokio::time::timeout(Duration::from_secs(60), streamed).await;
    let (mut answers, ()) = streamed.expect("it gives up");
    assert!(answers.iter().any(|answer| {
        answer
            .as_ref()
            .is_err_and(|error| error.outcome() == Outcome::Unknown && error.is_retryable())
    }));
    proxy.set(Mode::Forward);
    for number in 400..500 {
        let answer = match writer.append(&partition, numbered(number)).await {
            Ok(appending) => appending.await,
            Err(refused) => Err(refused),
        };
        answers.push(answer);
    }
    let read = read_numbers(&log, &partition).await;
    assert!(read.is_sorted_by(|a, b| a < b), "in order, each once");
    for (number, answer) in answers.iter().enumerate() {
        let there = read.contains(&u32::try_from(number).unwrap());
        match answer {
            Ok(_) => assert!(there, "{number} was confirmed"),
            Err(error) => assert!(
                !there || error.outcome() == Outcome::Unknown,
                "{number}: {error}"
            ),
        }
    }
    assert!(
        answers[499].is_ok(),
        "after the outage it goes on: {:?}",
        answers[499]
    );
}

/// A writer that is dropped, or closed, in the midst of an outage holds nobody up.
#[tokio::test(flavor = "multi_thread")]
async fn a_writer_dropped_in_an_outage_answers() {
    let proxy = Proxy::start().await;
    let (log, partition) = one_partition(hasty(proxy.bootstrap())).await;
    let writer = writer(&log, WriterKind::Prefix).await;
    writer
        .append(&partition, numbered(0))
        .await
        .unwrap()
        .await
        .unwrap();
    proxy.set(Mode::Refuse);
    let mut open = Vec::new();
    for number in 1..50 {
        open.push(writer.append(&partition, numbered(number)).await.unwrap());
    }
    let began = tokio::time::Instant::now();
    drop(writer);
    assert!(
        began.elapsed() < Duration::from_secs(10),
        "dropping waits for nobody: the outage has no end"
    );
    let mut outcomes = Vec::new();
    for appending in open {
        let known = tokio::time::timeout(Duration::from_secs(10), appending).await;
        outcomes.push(known.expect("answered").unwrap_err().outcome());
    }
    // What was on its way may land; what was held behind it is the writer's alone.
    let held = outcomes.iter().position(|it| *it == Outcome::NotAppended);
    let (sent, held) = outcomes.split_at(held.unwrap_or(outcomes.len()));
    assert!(!sent.is_empty() && sent.iter().all(|it| *it == Outcome::Unknown));
    assert!(
        held.iter().all(|it| *it == Outcome::NotAppended),
        "{held:?}"
    );
    drop(log);
}

/// Readers go on where they were, as often as connections break.
#[tokio::test(flavor = "multi_thread")]
async fn a_reader_goes_through_many_breaks() {
    let proxy = Proxy::start().await;
    let (log, partition) = one_partition(hasty(proxy.bootstrap())).await;
    let direct = writer(&log, WriterKind::Prefix).await;
    let mut reader = log.reader(&partition, 0).await.unwrap();
    let read = async {
        let mut seen = Vec::new();
        while seen.len() < 3_000 {
            for record in reader.next(LIMIT).await.unwrap() {
                seen.push(record.offset);
            }
        }
        seen
    };
    let both = async {
        tokio::join!(
            read,
            stream(&*direct, &partition, 3_000),
            break_again_and_again(&proxy, 15)
        )
    };
    let (seen, _, ()) = tokio::time::timeout(Duration::from_secs(60), both)
        .await
        .unwrap();
    assert_eq!(seen, (0..3_000).collect::<Vec<_>>());
}

/// Bytes changed on the way are found by their checksum, said, and never served.
#[tokio::test(flavor = "multi_thread")]
async fn a_changed_byte_is_never_served() {
    let proxy = Proxy::start().await;
    let (log, partition) = one_partition(hasty(proxy.bootstrap())).await;
    let writer = writer(&log, WriterKind::Ordered).await;
    let large = NewRecord {
        value: Some(vec![7; 20_000].into()),
        ..NewRecord::default()
    };
    writer
        .append(&partition, large.clone())
        .await
        .unwrap()
        .await
        .unwrap();
    let mut reader = log.reader(&partition, 0).await.unwrap();
    assert_eq!(reader.next(LIMIT).await.unwrap()[0].value, large.value);
    let mut again = log.reader(&partition, 1).await.unwrap();
    proxy.set(Mode::Corrupt);
    writer
        .append(&partition, large)
        .await
        .unwrap()
        .await
        .unwrap();
    for _ in 0..3 {
        let error = loop {
            match again.next(LIMIT).await {
                Ok(none) => assert_eq!(none, []),
                Err(error) => break error,
            }
        };
        assert!(
            matches!(&error, ReadError::Corrupt { offset: 1, .. }),
            "{error}"
        );
        assert_eq!(again.position(), 1);
    }
    proxy.set(Mode::Forward);
    let mut behind = log.reader(&partition, 2).await.unwrap();
    writer
        .append(&partition, numbered(3))
        .await
        .unwrap()
        .await
        .unwrap();
    assert_eq!(behind.next(LIMIT).await.unwrap()[0].offset, 2);
}
