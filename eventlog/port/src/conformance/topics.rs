//! Topics.

use super::Fixture;
use super::steps::spec;
use crate::error::TopicError;
use crate::topic::{Action, TopicSpec};

/// What is missing is made, what is there fits, and both are listed as they were asked for.
pub async fn are_made_checked_and_listed(fixture: &dyn Fixture) {
    let log = fixture.log().await;
    let retention = Some(std::time::Duration::from_secs(3_600));
    let specs = [
        spec(&fixture.topic("made-b"), 3),
        TopicSpec {
            retention,
            retention_bytes: Some(1 << 30),
            ..spec(&fixture.topic("made-a"), 1)
        },
    ];
    let actions = |plans: Vec<crate::Plan>| plans.into_iter().map(|plan| plan.action);
    let planned: Vec<Action> = actions(log.plan(&specs).await.unwrap()).collect();
    assert_eq!(planned, [Action::Create, Action::Create]);
    assert!(
        log.topics()
            .await
            .unwrap()
            .iter()
            .all(|t| t.spec.name != specs[0].name),
        "only planned"
    );

    log.ensure(&specs).await.unwrap();
    let planned: Vec<Action> = actions(log.plan(&specs).await.unwrap()).collect();
    assert_eq!(planned, [Action::Fits, Action::Fits]);
    log.ensure(&specs).await.unwrap();

    let topics = log.topics().await.unwrap();
    assert!(topics.is_sorted_by(|a, b| a.spec.name < b.spec.name));
    for wanted in &specs {
        let found = topics
            .iter()
            .find(|t| t.spec.name == wanted.name)
            .expect("listed");
        assert_eq!(found.spec.partitions, wanted.partitions);
        assert_eq!(found.spec.retention, wanted.retention);
        assert_eq!(found.spec.retention_bytes, wanted.retention_bytes);
        assert!(found.spec.max_record_bytes >= wanted.max_record_bytes);
        assert!(found.stamps_append_time && !found.compacted && found.replication >= 1);
    }
}

/// A malformed spec is refused, and nothing of the same call is made.
pub async fn that_cannot_be_asked_for_are_refused(fixture: &dyn Fixture) {
    let log = fixture.log().await;
    let good = spec(&fixture.topic("beside-a-bad-one"), 1);
    for bad in [spec("a/b", 1), spec("", 1), spec(&fixture.topic("none"), 0)] {
        let both = [good.clone(), bad];
        assert!(matches!(log.plan(&both).await, Err(TopicError::Bad(_))));
        assert!(matches!(log.ensure(&both).await, Err(TopicError::Bad(_))));
    }
    assert!(
        log.topics()
            .await
            .unwrap()
            .iter()
            .all(|topic| topic.spec.name != good.name)
    );
}

/// A log with too few partitions follows, or refuses with the command that mends it.
pub async fn more_partitions_are_never_silently_ignored(fixture: &dyn Fixture) {
    let log = fixture.log().await;
    let name = fixture.topic("too-few");
    log.ensure(&[spec(&name, 2)]).await.unwrap();
    log.ensure(&[spec(&name, 1)])
        .await
        .expect("more than asked for is fine");

    let wanted = spec(&name, 3);
    match log.ensure(std::slice::from_ref(&wanted)).await {
        Ok(()) => {
            let plans = log.plan(&[wanted]).await.unwrap();
            assert_eq!(plans[0].action, Action::Fits);
        }
        Err(TopicError::Mismatch { topic, mismatches }) => {
            assert_eq!(topic, name);
            let partitions = mismatches
                .iter()
                .find(|m| m.found == "2")
                .expect("what it is");
            assert_eq!(partitions.wanted, "3");
            assert!(partitions.remedy.contains(&name), "{}", partitions.remedy);
        }
        Err(other) => panic!("{other}"),
    }
}
