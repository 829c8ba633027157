//! Which generation counts, whoever else starts, stalls or is newer.

use super::*;
use crate::{counting, making};

/// Has it look at once which generation counts.
fn look_again(views: &ScyllaViews) {
    let mut current = views.current.lock();
    current.1 = current.1.checked_sub(LOOK_EVERY).unwrap();
}

async fn let_count(views: &ScyllaViews, number: i64) {
    let raised = views.meta.raise(&views.cql, GENERATION, number).await;
    assert_eq!(raised.unwrap(), number);
    look_again(views);
}

/// A running server does not go over to rows that a newer program folds, and says what is to be done; nor does
/// a start.
#[tokio::test(flavor = "multi_thread")]
async fn rows_of_a_newer_version_are_left_alone() {
    let config = config("newer");
    let views = open(&config).await;
    views.write(first()).await.unwrap();
    let newer = making::VERSION + 1;
    let raised = views.meta.raise(&views.cql, VERSION, newer).await;
    assert_eq!(raised.unwrap(), newer);
    let_count(&views, 2).await;
    making::make_rows(&views.cql, &config.keyspace, 2)
        .await
        .unwrap();
    let wanted = format!("have version {newer}, and this program knows up to");
    for refused in [
        views.totals().await.map(drop),
        views.write(second()).await,
        views.expire(Timestamp::from_millis(1), 1).await.map(drop),
    ] {
        let refused = refused.unwrap_err();
        assert!(matches!(refused, ViewError::Unusable(_)), "{refused:?}");
        assert!(refused.to_string().contains(&wanted), "{refused}");
    }
    assert_eq!(views.generation(), 1);
    let opened = Store::open(&config, Arc::new(Wall)).await;
    let refused = opened.err().unwrap().to_string();
    assert!(refused.contains(&wanted), "{refused}");
    let rows = format!("SELECT claim FROM {}.claims_g2", config.keyspace);
    let rows: Vec<(String,)> = views.cql.ask(&rows, ()).await.unwrap();
    assert!(rows.is_empty(), "{rows:?}");
}

/// Who goes over to another generation makes none of its tables: they may have been dropped again.
#[tokio::test(flavor = "multi_thread")]
async fn who_follows_makes_nothing() {
    let config = config("follow");
    let views = open(&config).await;
    views.write(first()).await.unwrap();
    let_count(&views, 2).await;
    let failed = views.totals().await.unwrap_err();
    assert!(matches!(failed, ViewError::Unavailable(_)), "{failed:?}");
    assert_eq!(generations(&views.cql, &config).await, [1]);
    making::make_rows(&views.cql, &config.keyspace, 2)
        .await
        .unwrap();
    assert_eq!(views.totals().await.unwrap().0.deliveries, 0);
    assert_eq!(views.generation(), 2);
}

/// One that began to migrate and stalled, while another did so and a rebuild came after it, sets nothing back and leaves
/// no tables.
#[tokio::test(flavor = "multi_thread")]
async fn a_start_that_stalled_sets_nothing_back() {
    let config = config("stalled");
    let views = open(&config).await;
    let (meta, cql) = (&views.meta, &views.cql);
    meta.put(cql, VERSION, 1, micros(&Wall)).await.unwrap();
    let found = views.tables().look().await.unwrap();
    assert_eq!(open(&config).await.generation(), 2);
    let rebuilding = crate::store::Rebuilding::begin(&config, Arc::new(Wall));
    rebuilding.await.unwrap().finish().await.unwrap();
    assert_eq!(generations(cql, &config).await, [3]);
    let stalled = views.tables().go_on(found, micros(&Wall)).await;
    let failed = stalled.err().unwrap();
    assert!(matches!(failed, ViewError::Unavailable(_)), "{failed:?}");
    assert_eq!(meta.get(cql, GENERATION).await.unwrap(), Some(3));
    assert_eq!(generations(cql, &config).await, [3]);
    assert_eq!(open(&config).await.generation(), 3);
}

/// One that was killed between noting the version and letting its generation count is gone on with.
#[tokio::test(flavor = "multi_thread")]
async fn a_migration_that_was_killed_is_finished() {
    let config = config("killed");
    let views = open(&config).await;
    let (meta, cql) = (&views.meta, &views.cql);
    let migrating = meta.raise(cql, &counting::migrating(), 2).await;
    assert_eq!(migrating.unwrap(), 2);
    assert_eq!(open(&config).await.generation(), 2);
    assert_eq!(generations(cql, &config).await, [2]);
}

/// A number that only grows: neither a writer that stalled since it looked sets it back, nor one at the same time.
#[tokio::test(flavor = "multi_thread")]
async fn what_grows_is_not_set_back() {
    let config = config("grows");
    let views = open(&config).await;
    let (meta, cql) = (&views.meta, &views.cql);
    let found = meta.written(cql, GENERATION).await.unwrap();
    assert_eq!(meta.raise(cql, GENERATION, 4).await.unwrap(), 4);
    // At the same time.
    let raised = meta.raise_from(cql, GENERATION, found, 3).await;
    assert_eq!(raised.unwrap(), 4);
    let raised = meta.raise_from(cql, GENERATION, found, 5).await;
    assert_eq!(raised.unwrap(), 5);
    assert_eq!(meta.raise(cql, GENERATION, 6).await.unwrap(), 6);
    // Stalled.
    let raised = meta.raise_from(cql, GENERATION, found, 9).await;
    assert_eq!(raised.unwrap(), 6);
    assert_eq!(meta.raise(cql, GENERATION, 2).await.unwrap(), 6);
}

/// A new generation is filled beside the old one, which goes on; left half-way it is gone on with; and
/// who has the old one goes over to it.
#[tokio::test(flavor = "multi_thread")]
async fn a_new_generation_takes_over() {
    use crate::store::Rebuilding;
    let config = config("rebuild");
    let store = Store::open(&config, Arc::new(Wall)).await.unwrap();
    let (live, keys) = (store.views(), store.keys());
    let mut wrong = first();
    wrong.deliveries[2].row.state = DeliveryState::Cancelled;
    live.write(wrong).await.unwrap();
    let (scope, row) = a_key();
    keys.put(&[(scope.clone(), row.clone())]).await.unwrap();
    let left = Rebuilding::begin(&config, Arc::new(Wall)).await.unwrap();
    left.views().write(first()).await.unwrap();
    drop(left);
    assert_eq!(live.totals().await.unwrap().0.cancelled, 1);
    let again = Rebuilding::begin(&config, Arc::new(Wall)).await.unwrap();
    let progress = again.views().progress().await.unwrap();
    assert_eq!(progress[&(Topic::Events, 0)].offset, 3, "it goes on");
    again.views().write(second()).await.unwrap();
    let number = live.generation();
    again.finish().await.unwrap();
    live.replaced(number).await;
    let until = Instant::now() + Duration::from_secs(20);
    loop {
        let found = live.totals().await;
        if found.is_ok_and(|(counts, _)| counts.cancelled == 0) {
            break;
        }
        assert!(Instant::now() < until, "it does not go over");
        tokio::time::sleep(POLL_EVERY).await;
    }
    assert_both(&live).await;
    // What was folded on the old rows is not written to the new ones.
    let late = Batch {
        progress: vec![advance(Topic::Events, 4, 5)],
        generation: Some(number),
        ..Batch::default()
    };
    assert!(live.write(late).await.is_err());
    assert_both(&live).await;
    let found = keys.firsts(&[(scope, 9)]).await.unwrap();
    assert_eq!(found, [Some(row)]);
}

/// Rows of an older version give way to an empty generation, once, whoever starts at the same time.
#[tokio::test(flavor = "multi_thread")]
async fn rows_of_an_older_version_are_folded_anew() {
    let config = config("older");
    let views = open(&config).await;
    views.write(first()).await.unwrap();
    let (meta, cql) = (&views.meta, &views.cql);
    let later = micros(&Wall);
    meta.put(cql, "version", 1, later).await.unwrap();
    // One was being filled.
    meta.put(cql, "rebuilding", 2, later).await.unwrap();
    let (a, b, c) = tokio::join!(open(&config), open(&config), open(&config));
    for views in [a, b, c, open(&config).await] {
        assert_eq!(views.generation(), 3);
        assert_eq!(views.totals().await.unwrap().0.deliveries, 0);
    }
    assert_eq!(
        meta.get(cql, "version").await.unwrap(),
        Some(making::VERSION)
    );
    assert_eq!(meta.get(cql, "rebuilding").await.unwrap(), Some(0));
    assert_eq!(generations(cql, &config).await, [3]);
    let views = open(&config).await;
    views.write(first()).await.unwrap();
    // Another was killed, or is slow, before it had noted the version.
    meta.put(cql, "version", 1, later).await.unwrap();
    let views = open(&config).await;
    assert_eq!(views.generation(), 3);
    views.write(second()).await.unwrap();
    assert_both(&views).await;
}

/// The generations whose tables are there.
async fn generations(cql: &Cql, config: &Config) -> Vec<i64> {
    let named = "SELECT table_name FROM system_schema.tables WHERE keyspace_name = ?";
    let tables: Vec<(String,)> = cql.ask(named, (&config.keyspace,)).await.unwrap();
    let of = |(name,): &(String,)| name.strip_prefix("events_g")?.parse().ok();
    tables.iter().filter_map(of).collect()
}

/// Tables that were left by one who was killed between the switch and their end are dropped by the next; and a
/// switch counts though the clock of whoever switched before was ahead.
#[tokio::test(flavor = "multi_thread")]
async fn a_switch_is_finished_and_is_the_last() {
    let config = config("switch");
    let views = open(&config).await;
    let (meta, cql) = (&views.meta, &views.cql);
    let tomorrow = micros(&Wall) + 24 * 3_600_000_000;
    meta.put(cql, GENERATION, 2, tomorrow).await.unwrap();
    assert_eq!(generations(cql, &config).await, [1]);
    let next = open(&config).await;
    assert_eq!(next.generation(), 2);
    assert_eq!(generations(cql, &config).await, [2]);
    next.clear().await.unwrap();
    assert_eq!(open(&config).await.generation(), 3);
    assert_eq!(generations(cql, &config).await, [3]);
}

/// Several that start at once on nothing make one set of tables, and all can write.
#[tokio::test(flavor = "multi_thread")]
async fn several_may_start_at_once() {
    for round in 0..3 {
        let config = config(&format!("start{round}"));
        let mut opening = tokio::task::JoinSet::new();
        for _ in 0..4 {
            let config = config.clone();
            opening.spawn(async move { open(&config).await });
        }
        let all = opening.join_all().await;
        for (partition, views) in (0..).zip(&all) {
            let mut batch = first();
            batch.progress[0].partition = partition;
            if partition > 0 {
                batch.events.clear();
                batch.deliveries.clear();
            }
            views.write(batch).await.unwrap();
        }
        for views in &all {
            assert_eq!(views.progress().await.unwrap().len(), 4);
            assert_eq!(views.totals().await.unwrap().0.deliveries, 3);
        }
    }
}
