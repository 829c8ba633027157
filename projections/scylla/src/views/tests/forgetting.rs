//! What is past retention, and what a kill leaves of it.

use super::*;

/// Rows that were found old are forgotten once: a turn that was committed has moved the counts, whether its
/// process lived to see it or not; and a process forgets nothing of a claim that it lost.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_forgotten_is_counted_once() {
    let config = config("forgotten");
    let views = open(&config).await;
    views.write(first()).await.unwrap();
    let generation = views.counting().await.unwrap();
    let claim = Claim::of(&first());
    let deliveries: Vec<_> = first().deliveries.into_iter().map(|d| d.row).collect();
    let old = || Old {
        deliveries: deliveries[2..].to_vec(),
        ..Old::default()
    };
    let never = Timestamp::from_millis(i64::MIN);
    let forget = |old| views.forget(&generation, &claim, old, never);
    forget(old()).await.unwrap();
    assert_eq!(views.totals().await.unwrap().0.deliveries, 2);
    // Another sweep had found the same before.
    forget(old()).await.unwrap();
    assert_eq!(views.totals().await.unwrap().0.deliveries, 2);
    let next = open(&config).await;
    next.write(second()).await.unwrap();
    assert!(forget(old()).await.is_err());
    assert_eq!(views.ours(), []);
    forget(old()).await.unwrap();
    assert_eq!(views.totals().await.unwrap().0.deliveries, 2);
    next.write(Batch {
        progress: vec![advance(Topic::Events, 4, 5)],
        ..Batch::default()
    })
    .await
    .unwrap();
}

/// Of a partition to which nothing new comes, what is old is forgotten by whoever has it now; and what was committed of it is
/// finished at once.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_old_is_forgotten_though_nothing_new_comes() {
    let config = config("idle");
    let dies = open(&config).await;
    dies.write(first()).await.unwrap();
    commit_only(&dies, second()).await;
    drop(dies);
    let next = open(&config).await;
    let later = Timestamp::from_millis(24 * 3_600_000);
    let sweep = async || while next.expire(later, 100).await.unwrap() {};
    sweep().await;
    let left = async || next.totals().await.unwrap().0.deliveries;
    assert_eq!(left().await, 3, "nobody's yet");
    next.take(Topic::Inbox, 0).await.unwrap();
    next.take(Topic::Events, 1).await.unwrap();
    assert_eq!(next.ours(), [], "nothing is there of these");
    next.take(Topic::Events, 0).await.unwrap();
    assert_both(&next).await;
    sweep().await;
    assert_eq!(left().await, 0);
}

/// Buckets that are listed: table, owner, bucket.
async fn listed(views: &ScyllaViews) -> Vec<(i8, Vec<u8>, i64)> {
    let buckets = format!(
        "SELECT kind, owner, bucket FROM {}.buckets_g1",
        views.keyspace
    );
    views.cql.ask(&buckets, ()).await.unwrap()
}

fn has_endpoint(listed: &[(i8, Vec<u8>, i64)]) -> bool {
    let code = Table::ByEndpoint.code();
    listed.iter().any(|(kind, ..)| *kind == code)
}

/// One was killed between forgetting rows and taking the lists off that lead to them: who takes over takes them off.
#[tokio::test(flavor = "multi_thread")]
async fn lists_that_a_kill_left_empty_are_taken_off() {
    let config = config("emptied");
    let dies = open(&config).await;
    dies.write(first()).await.unwrap();
    let generation = dies.counting().await.unwrap();
    let later = Timestamp::from_millis(24 * 3_600_000);
    let values = (micros(&Wall), state::encode_moment(later), EXPIRED);
    dies.cql.run(&generation.show, values).await.unwrap();
    let slot = dies.slot(&Claim::of(&first()));
    let mut owned = slot.lock().await.take().unwrap();
    let mut turn = claim::Turn::default();
    for change in first().deliveries {
        write::drop_delivery(&mut owned, &mut turn, &change.row);
    }
    let forgotten = owned.turn(&dies.cql, &generation, &dies.clock, turn);
    forgotten.await.unwrap();
    assert!(has_endpoint(&listed(&dies).await));
    let next = open(&config).await;
    next.take(Topic::Events, 0).await.unwrap();
    assert!(!has_endpoint(&listed(&next).await));
    assert_eq!(next.totals().await.unwrap().0.deliveries, 0);
}

/// Of what was forgotten nothing stays listed: no list walks through empty minutes.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_forgotten_is_listed_no_more() {
    let config = config("unlisted");
    let views = open(&config).await;
    let mut batch = first();
    let minute = Timestamp::from_millis(0);
    batch
        .minutes
        .push((endpoint(1), minute, MinuteRow::default()));
    views.write(batch).await.unwrap();
    assert!(has_endpoint(&listed(&views).await));
    // As sweeps come: the last rows of a day are old before it has ended.
    let day = 24 * 3_600_000;
    for before in [day - 1_000, day, 10 * day, 10 * day] {
        let before = Timestamp::from_millis(before);
        while views.expire(before, 100).await.unwrap() {}
    }
    assert_eq!(listed(&views).await, []);
}
