//! Brokers that have not heard yet of a topic, while others have.

use std::fmt::Debug;
use std::time::Duration;

use eventlog_port::{AppendError, EventLog, GroupEvent, GroupSpec, ReadError, WriterKind};

use crate::broker::{LIMIT, append, config, hasty, numbered, one_partition, writer};
use crate::proxy::{Mode, Proxy};

/// How often brokers deny the topic before they know it.
const DENIALS: usize = 5;

/// What is asked while the brokers lag behind ends only when they know the topic.
async fn waits_for_the_brokers<T: Debug>(proxy: &Proxy, asked: impl Future<Output = T>) -> T {
    let mut asked = std::pin::pin!(asked);
    proxy.set(Mode::Lag);
    tokio::select! {
        biased;
        ended = &mut asked => panic!("no broker knew the topic, and it ended: {ended:?}"),
        () = proxy.denies(DENIALS) => {}
    }
    proxy.set(Mode::Forward);
    asked.await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_one_broker_knows_is_waited_for_at_the_others() {
    let proxy = Proxy::start().await;
    let (log, partition) = one_partition(config(proxy.bootstrap())).await;
    let bounds = waits_for_the_brokers(&proxy, log.bounds(&partition)).await;
    assert_eq!(bounds.unwrap().end, 0);
    let writer = writer(&log, WriterKind::Prefix).await;
    let appended = append(&*writer, &partition, numbered(1));
    let appended = waits_for_the_brokers(&proxy, appended).await;
    assert_eq!(appended.unwrap().offset, 0);
    let reading = async {
        let mut reader = log.reader(&partition, 0).await?;
        reader.next(LIMIT).await
    };
    let read = waits_for_the_brokers(&proxy, reading).await;
    assert_eq!(read.unwrap().len(), 1);
    let listed = waits_for_the_brokers(&proxy, log.topics()).await;
    assert_eq!(listed.unwrap().len(), 1);
    let group = GroupSpec {
        group: "readers".to_owned(),
        topic: partition.topic().to_owned(),
        instance: "one".to_owned(),
        session: Duration::from_secs(6),
    };
    let joining = async { log.join(group).await?.next().await };
    let assigned = waits_for_the_brokers(&proxy, joining).await.unwrap();
    assert!(matches!(&assigned, GroupEvent::Assigned(claims) if claims.len() == 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_no_broker_knows_any_more_is_missed_in_the_end() {
    let proxy = Proxy::start().await;
    let (log, partition) = one_partition(hasty(proxy.bootstrap())).await;
    proxy.set(Mode::Lag);
    let listed = loop {
        match log.topics().await {
            Err(error) if error.is_retryable() => {}
            ended => break ended.unwrap(),
        }
    };
    assert_eq!(listed, Vec::new());
    let missed = log.bounds(&partition).await.unwrap_err();
    assert!(matches!(missed, ReadError::NoSuchPartition(of) if of == partition));
    let writer = writer(&log, WriterKind::Prefix).await;
    let refused = append(&*writer, &partition, numbered(1)).await.unwrap_err();
    assert!(matches!(refused, AppendError::NoSuchPartition(of) if of == partition));
}

/// What a writer has seen it doesn't call missing when the leader does.
#[tokio::test(flavor = "multi_thread")]
async fn a_record_for_a_leader_that_lags_may_be_there() {
    let proxy = Proxy::start().await;
    let (log, partition) = one_partition(hasty(proxy.bootstrap())).await;
    let writer = writer(&log, WriterKind::Ordered).await;
    append(&*writer, &partition, numbered(1)).await.unwrap();
    proxy.set(Mode::Lag);
    let error = append(&*writer, &partition, numbered(2)).await.unwrap_err();
    assert!(error.is_retryable(), "{error}");
    proxy.set(Mode::Forward);
    append(&*writer, &partition, numbered(3)).await.unwrap();
}
