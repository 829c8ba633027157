//! What becomes of a member that brokers refuse under its name; on a real broker.

use std::time::UNIX_EPOCH;

use eventlog_port::{Claim, EventLog, TopicSpec};

use super::*;
use crate::KafkaLog;

const SESSION: Duration = Duration::from_secs(6);

async fn member() -> KafkaMember {
    let address = std::env::var("POSTRIDER_TEST_KAFKA").expect("POSTRIDER_TEST_KAFKA: a broker");
    let now = UNIX_EPOCH.elapsed().unwrap().as_nanos();
    let config = Config {
        topic_prefix: format!("refused-{now:x}-{:x}.", std::process::id()),
        ..Config::new(address)
    };
    let log = KafkaLog::connect(config.clone()).await.unwrap();
    let topic = TopicSpec {
        name: "stream".to_owned(),
        partitions: 1,
        retention: None,
        retention_bytes: None,
        max_record_bytes: 1 << 20,
    };
    log.ensure(&[topic]).await.unwrap();
    let spec = GroupSpec {
        group: "owners".to_owned(),
        topic: "stream".to_owned(),
        instance: "a".to_owned(),
        session: SESSION,
    };
    let cluster = Cluster::connect(&config).unwrap();
    KafkaMember::join(&config, &cluster, spec).await.unwrap()
}

async fn next(member: &mut KafkaMember) -> Result<GroupEvent, GroupError> {
    timeout(SESSION * 5, member.next()).await.expect("an event")
}

fn commit(words: &str) -> Commit {
    Commit {
        partition: 0,
        offset: 1,
        metadata: words.to_owned(),
    }
}

fn given(committed: Option<&str>) -> GroupEvent {
    GroupEvent::Assigned(vec![Claim {
        partition: 0,
        committed: committed.map(commit),
    }])
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_was_expelled_joins_again() {
    let mut member = member().await;
    assert_eq!(next(&mut member).await.unwrap(), given(None));
    member.commit(&[commit("before")]).await.unwrap();
    member.membership().expelled.store(true, Ordering::SeqCst);
    member.standing = Standing::Refused;
    let refused = member.commit(&[commit("refused")]).await.unwrap_err();
    assert!(matches!(refused, GroupError::NotHeld(_)), "{refused}");
    let lost = next(&mut member).await.unwrap();
    assert_eq!(lost, GroupEvent::Lost(vec![0]));
    assert_eq!(next(&mut member).await.unwrap(), given(Some("before")));
    member.commit(&[commit("after")]).await.unwrap();
    Box::new(member).leave().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_was_not_expelled_has_a_namesake() {
    let mut member = member().await;
    assert_eq!(next(&mut member).await.unwrap(), given(None));
    member.standing = Standing::Refused;
    let lost = next(&mut member).await.unwrap();
    assert_eq!(lost, GroupEvent::Lost(vec![0]));
    for _ in 0..2 {
        let fenced = next(&mut member).await.unwrap_err();
        assert!(matches!(&fenced, GroupError::Fenced(name) if name == "a"));
    }
    let fenced = member.commit(&[commit("")]).await.unwrap_err();
    assert!(matches!(fenced, GroupError::Fenced(_)), "{fenced}");
}
