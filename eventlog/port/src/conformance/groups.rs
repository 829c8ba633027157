//! Groups: assignment, revocation, commits.

use std::time::Duration;

use super::Fixture;
use super::steps::{
    DEADLINE, Holding, append_numbers, event, join, join_for, numbers, read_from, settle, spec,
};
use crate::error::GroupError;
use crate::group::{Claim, Commit, GroupEvent};
use crate::record::TopicPartition;

async fn topic(fixture: &dyn Fixture, name: &str, partitions: u32) -> String {
    let topic = fixture.topic(name);
    fixture
        .log()
        .await
        .ensure(&[spec(&topic, partitions)])
        .await
        .unwrap();
    topic
}

fn commit(partition: u32, offset: u64, metadata: &str) -> Commit {
    Commit {
        partition,
        offset,
        metadata: metadata.to_owned(),
    }
}

async fn claimed(holding: &mut Holding) -> Vec<Claim> {
    let listened = async {
        loop {
            if let Some(GroupEvent::Assigned(claims)) = holding.listen(Duration::from_secs(1)).await
            {
                return claims;
            }
        }
    };
    tokio::time::timeout(DEADLINE, listened)
        .await
        .expect("a claim is told")
}

/// What `a` is told to give up once `b` has come. Both are listened to.
async fn revoked(a: &mut Holding, b: &mut Holding) -> Vec<u32> {
    let told = async {
        loop {
            b.listen(Duration::from_millis(50)).await;
            if let Some(GroupEvent::Revoked(revoked)) = a.listen(Duration::from_millis(50)).await {
                break revoked;
            }
        }
    };
    tokio::time::timeout(DEADLINE, told)
        .await
        .expect("a revocation is told")
}

/// Alone, a member is given every partition.
pub async fn one_member_holds_everything(fixture: &dyn Fixture) {
    let topic = topic(fixture, "alone", 4).await;
    let mut alone = Holding::new(join(fixture, &topic, "alone", "a").await);
    alone.until_holding(4).await;
    assert_eq!(alone.held.into_iter().collect::<Vec<_>>(), [0, 1, 2, 3]);
    alone.member.leave().await;
}

/// Partitions move to a second member only after the first was told and asked again; they come
/// back when it leaves.
pub async fn a_second_member_gets_its_share(fixture: &dyn Fixture) {
    let topic = topic(fixture, "share", 4).await;
    let mut a = Holding::new(join(fixture, &topic, "share", "a").await);
    a.until_holding(4).await;
    let mut b = Holding::new(join(fixture, &topic, "share", "b").await);
    let revoked = revoked(&mut a, &mut b).await;
    b.listen(Duration::from_millis(300)).await;
    assert!(
        b.held.iter().all(|p| !revoked.contains(p)),
        "given to b before a gave it up"
    );
    settle((&mut a, 2), (&mut b, 2)).await;
    assert!(a.held.is_disjoint(&b.held));
    b.member.leave().await;
    a.until_holding(4).await;
    a.member.leave().await;
}

/// Nothing committed is told as nothing; what is committed, with its words, to whoever comes next.
pub async fn the_first_commit_is_explicit(fixture: &dyn Fixture) {
    let log = fixture.log().await;
    let topic = topic(fixture, "first-commit", 1).await;
    append_numbers(&*log, &TopicPartition::new(topic.as_str(), 0), 0..10).await;
    let mut a = Holding::new(join(fixture, &topic, "first-commit", "a").await);
    assert_eq!(
        claimed(&mut a).await,
        [Claim {
            partition: 0,
            committed: None
        }]
    );
    let words = "x".repeat(3_000);
    a.member.commit(&[commit(0, 7, &words)]).await.unwrap();
    a.member.leave().await;
    let mut b = Holding::new(join(fixture, &topic, "first-commit", "b").await);
    let claims = claimed(&mut b).await;
    assert_eq!(
        claims,
        [Claim {
            partition: 0,
            committed: Some(commit(0, 7, &words))
        }]
    );
    b.member.leave().await;
}

/// Who does not hold a partition, or is asked to give it up, can't commit for it.
pub async fn commits_are_refused_to_others(fixture: &dyn Fixture) {
    let topic = topic(fixture, "refused", 2).await;
    let mut a = Holding::new(join(fixture, &topic, "refused", "a").await);
    a.until_holding(2).await;
    a.member
        .commit(&[commit(0, 1, ""), commit(1, 1, "")])
        .await
        .unwrap();
    let mut b = Holding::new(join(fixture, &topic, "refused", "b").await);
    settle((&mut a, 1), (&mut b, 1)).await;
    let of_b = *b.held.first().expect("one partition");
    let of_a = *a.held.first().expect("one partition");
    let refused = a
        .member
        .commit(&[commit(of_a, 5, ""), commit(of_b, 9, "")])
        .await
        .unwrap_err();
    assert!(
        matches!(&refused, GroupError::NotHeld(p) if p.partition() == of_b),
        "{refused}"
    );
    b.member.commit(&[commit(of_b, 2, "b")]).await.unwrap();
    a.member.leave().await;
    let claims = claimed(&mut b).await;
    assert_eq!(
        claims,
        [Claim {
            partition: of_a,
            committed: Some(commit(of_a, 1, ""))
        }]
    );
    b.member.leave().await;
}

/// While a partition moves, the old holder and the new one may both read it: the same records at
/// the same offsets. From the revocation on the old one's commit is refused, and the new one's counts.
pub async fn two_read_one_partition_during_a_rebalance(fixture: &dyn Fixture) {
    let log = fixture.log().await;
    let topic = topic(fixture, "both-read", 2).await;
    let mut a = Holding::new(join(fixture, &topic, "both-read", "a").await);
    a.until_holding(2).await;
    for partition in 0..2 {
        append_numbers(
            &*log,
            &TopicPartition::new(topic.as_str(), partition),
            0..20,
        )
        .await;
    }
    a.member
        .commit(&[commit(0, 3, "a"), commit(1, 3, "a")])
        .await
        .unwrap();
    let mut b = Holding::new(join(fixture, &topic, "both-read", "b").await);
    let revoked = revoked(&mut a, &mut b).await;
    let moved = TopicPartition::new(topic.as_str(), revoked[0]);
    let refused = a
        .member
        .commit(&[commit(moved.partition(), 9, "late")])
        .await
        .unwrap_err();
    assert!(
        matches!(&refused, GroupError::NotHeld(p) if *p == moved),
        "{refused}"
    );
    let of_a = read_from(&*log, &moved, 0);
    let of_b = async {
        let found = claimed(&mut b).await;
        let found = found
            .into_iter()
            .find(|claim| claim.partition == moved.partition());
        (found, read_from(&*log, &moved, 0).await)
    };
    let on = async {
        loop {
            a.listen(Duration::from_millis(50)).await;
        }
    };
    let both = async { tokio::join!(of_a, of_b) };
    let (of_a, (found, of_b)) = tokio::select! {
        biased;
        read = both => read,
        () = on => unreachable!("listens for ever"),
    };
    assert_eq!(of_a, of_b);
    assert_eq!(numbers(&of_a), (0..20).collect::<Vec<_>>());
    let committed = found
        .and_then(|claim| claim.committed)
        .expect("what a had committed");
    assert_eq!(
        committed,
        commit(moved.partition(), 3, "a"),
        "not what was refused"
    );
    b.member
        .commit(&[commit(moved.partition(), 20, "")])
        .await
        .unwrap();
    a.member.leave().await;
    b.member.leave().await;
}

/// A member that gives no sign of life for a session loses what it held, and is told when it wakes.
pub async fn a_silent_member_loses_its_claims(fixture: &dyn Fixture) {
    let topic = topic(fixture, "silent", 1).await;
    let session = fixture.session();
    let mut frozen = Holding::new(join_for(fixture, &topic, "silent", "a", session).await);
    frozen.until_holding(1).await;
    let mut heir = Holding::new(join(fixture, &topic, "silent", "b").await);
    heir.until_holding(1).await;
    let refused = frozen.member.commit(&[commit(0, 5, "")]).await;
    assert!(refused.is_err(), "what was lost can't be committed for");
    heir.member.commit(&[commit(0, 6, "")]).await.unwrap();
    let told = event(&mut *frozen.member).await;
    assert_eq!(told, GroupEvent::Lost(vec![0]));
    frozen.member.leave().await;
    heir.member.leave().await;
}

/// A second member under one instance name takes its place; the first is out for good.
pub async fn a_name_taken_again_fences(fixture: &dyn Fixture) {
    let topic = topic(fixture, "fenced", 2).await;
    let mut first = Holding::new(join(fixture, &topic, "fenced", "a").await);
    first.until_holding(2).await;
    let mut second = Holding::new(join(fixture, &topic, "fenced", "a").await);
    second.until_holding(2).await;
    let ousted = async {
        loop {
            match first.member.next().await {
                Ok(GroupEvent::Lost(_) | GroupEvent::Revoked(_)) => {}
                Ok(GroupEvent::Assigned(claims)) => {
                    panic!("given {claims:?} to the one that is out")
                }
                Err(fenced) => break fenced,
            }
        }
    };
    let fenced = tokio::time::timeout(DEADLINE, ousted)
        .await
        .expect("it is told");
    assert!(
        matches!(&fenced, GroupError::Fenced(name) if name == "a"),
        "{fenced}"
    );
    assert!(!fenced.is_retryable());
    assert!(matches!(
        first.member.next().await,
        Err(GroupError::Fenced(_))
    ));
    assert!(first.member.commit(&[commit(0, 1, "")]).await.is_err());
    second.member.commit(&[commit(0, 2, "")]).await.unwrap();
    second.member.leave().await;
}

/// A member that vanished and comes back under its name finds its partitions and its commits.
pub async fn a_returning_member_finds_its_commits(fixture: &dyn Fixture) {
    let topic = topic(fixture, "returning", 2).await;
    let mut before = Holding::new(join(fixture, &topic, "returning", "a").await);
    before.until_holding(2).await;
    before
        .member
        .commit(&[commit(0, 3, "x"), commit(1, 4, "y")])
        .await
        .unwrap();
    drop(before);
    let mut after = Holding::new(join(fixture, &topic, "returning", "a").await);
    let mut claims = Vec::new();
    while claims.len() < 2 {
        claims.extend(claimed(&mut after).await);
    }
    claims.sort_by_key(|claim| claim.partition);
    let found: Vec<Option<Commit>> = claims.into_iter().map(|claim| claim.committed).collect();
    assert_eq!(found, [Some(commit(0, 3, "x")), Some(commit(1, 4, "y"))]);
    after.member.leave().await;
}

/// A group on a topic that is not there is refused at once, or at its first call.
pub async fn a_group_needs_its_topic(fixture: &dyn Fixture) {
    let spec = crate::group::GroupSpec {
        group: fixture.topic("no-topic"),
        topic: fixture.topic("no-such-topic"),
        instance: "a".to_owned(),
        session: fixture.session(),
    };
    let refused = match fixture.log().await.join(spec).await {
        Ok(mut member) => member.next().await.unwrap_err(),
        Err(refused) => refused,
    };
    assert!(matches!(refused, GroupError::NoSuchTopic(_)), "{refused}");
}
