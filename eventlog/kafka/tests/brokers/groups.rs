//! Commits with words, and groups of two installations.

use std::time::Duration;

use eventlog_kafka::KafkaLog;
use eventlog_port::{Claim, Commit, EventLog, GroupError, GroupEvent, GroupSpec, Member};

use crate::broker::{address, config, spec};

fn membership(instance: &str) -> GroupSpec {
    GroupSpec {
        group: "owners".to_owned(),
        topic: "stream".to_owned(),
        instance: instance.to_owned(),
        session: Duration::from_secs(15),
    }
}

async fn claims(member: &mut dyn Member, count: usize) -> Vec<Claim> {
    let mut claims = Vec::new();
    while claims.len() < count {
        match tokio::time::timeout(Duration::from_secs(30), member.next())
            .await
            .unwrap()
            .unwrap()
        {
            GroupEvent::Assigned(more) => claims.extend(more),
            other @ (GroupEvent::Revoked(_) | GroupEvent::Lost(_)) => panic!("{other:?}"),
        }
    }
    claims
}

fn commit(metadata: String) -> Commit {
    Commit {
        partition: 0,
        offset: 42,
        metadata,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn three_thousand_bytes_of_words_come_back() {
    let log = KafkaLog::connect(config(&address())).await.unwrap();
    log.ensure(&[spec("stream", 1)]).await.unwrap();
    let mut member = log.join(membership("a")).await.unwrap();
    assert_eq!(claims(&mut *member, 1).await[0].committed, None);
    let words = commit("é{\"lanes\":".repeat(300)[..3_000].to_owned());
    member.commit(std::slice::from_ref(&words)).await.unwrap();
    let most = commit("x".repeat(4_096));
    member.commit(std::slice::from_ref(&most)).await.unwrap();
    let over = member
        .commit(&[commit("x".repeat(4_097))])
        .await
        .unwrap_err();
    assert!(matches!(over, GroupError::Unavailable(_)), "{over}");
    member.commit(std::slice::from_ref(&words)).await.unwrap();
    member.leave().await;
    let mut heir = log.join(membership("b")).await.unwrap();
    let began = tokio::time::Instant::now();
    assert_eq!(claims(&mut *heir, 1).await[0].committed, Some(words));
    assert!(
        began.elapsed() < Duration::from_secs(10),
        "who leaves is not waited for"
    );
    heir.leave().await;
}

/// Two installations on one cluster, with topics and groups of the same names.
#[tokio::test(flavor = "multi_thread")]
async fn installations_do_not_meet() {
    let mut members = Vec::new();
    for _ in 0..2 {
        let log = KafkaLog::connect(config(&address())).await.unwrap();
        log.ensure(&[spec("stream", 2)]).await.unwrap();
        let mut member = log.join(membership("a")).await.unwrap();
        assert_eq!(claims(&mut *member, 2).await.len(), 2);
        member.commit(&[commit(String::new())]).await.unwrap();
        members.push(member);
    }
    for member in members {
        member.leave().await;
    }
}

/// Whoever comes and goes at once, in whatever state the group is by then: nobody waits a session for it.
#[tokio::test(flavor = "multi_thread")]
async fn one_that_comes_and_goes_at_once_is_not_waited_for() {
    let log = KafkaLog::connect(config(&address())).await.unwrap();
    log.ensure(&[spec("stream", 4)]).await.unwrap();
    let mut staying = log.join(membership("a")).await.unwrap();
    claims(&mut *staying, 4).await;
    let mut stays = tokio::task::JoinSet::new();
    stays.spawn(async move { while staying.next().await.is_ok() {} });
    for after in [0, 20, 50, 100, 200, 400, 600] {
        let mut passing = log.join(membership("b")).await.unwrap();
        let passes = async { while passing.next().await.is_ok() {} };
        let stay = Duration::from_millis(after);
        let () = tokio::select! {
            biased;
            () = passes => {}
            () = tokio::time::sleep(stay) => {}
        };
        let began = tokio::time::Instant::now();
        passing.leave().await;
        let took = began.elapsed();
        // A session has fifteen; the one that stays hears of a change within 1.5.
        assert!(took < Duration::from_secs(10), "after {after} ms: {took:?}");
    }
    assert!(stays.try_join_next().is_none());
}
