//! What a crash leaves behind, on the server that `POSTRIDER_TEST_CQL` names.

mod forgetting;
mod generations;
#[path = "../../tests/wall/mod.rs"]
mod wall;

use projections_port::conformance::samples::{
    accepted, advance, change, delivered, delivery, endpoint, tenant,
};
use projections_port::{DeliveryState, First, KeyScope, Keys};
use schemas::topics::Topic;

use self::wall::Wall;
use super::*;
use crate::counting::VERSION;
use crate::expire::Old;
use crate::store::Store;

fn config(name: &str) -> Config {
    let node = std::env::var("POSTRIDER_TEST_CQL")
        .expect("POSTRIDER_TEST_CQL: `scripts/services start cassandra`, then its env");
    Config::new(vec![node], format!("c{}_{name}", std::process::id()))
}

async fn open(config: &Config) -> Arc<ScyllaViews> {
    let opened = Store::open(config, Arc::new(Wall)).await;
    opened.unwrap().views()
}

/// The first batch: events 0 to 2, accepted.
fn first() -> Batch {
    let mut batch = accepted(0, endpoint(1));
    for n in 1..3 {
        let more = accepted(n, endpoint(1));
        batch.events.extend(more.events);
        batch.deliveries.extend(more.deliveries);
    }
    batch.progress = vec![advance(Topic::Events, 0, 3)];
    batch
}

/// The second: the first of them is delivered.
fn second() -> Batch {
    let pending = Some(DeliveryState::Pending);
    Batch {
        deliveries: vec![change(pending, delivered(delivery(0, endpoint(1))))],
        progress: vec![advance(Topic::Events, 3, 4), advance(Topic::Attempts, 0, 1)],
        ..Batch::default()
    }
}

async fn commit_only(views: &ScyllaViews, batch: Batch) -> Owned {
    unshown(views, batch, false).await
}

/// A turn as a kill leaves it: committed, its rows there or not, and not shown.
async fn unshown(views: &ScyllaViews, batch: Batch, is_spread: bool) -> Owned {
    let generation = views.counting().await.unwrap();
    let slot = views.slot(&Claim::of(&batch));
    let mut owned = slot.lock().await.take().unwrap();
    check_begin(&owned, &batch).unwrap();
    let never = Timestamp::from_millis(i64::MIN);
    let turn = write::turn(&mut owned, batch, BTreeMap::new(), never);
    let committed = owned.commit(&views.cql, &generation, &views.clock, &turn);
    committed.await.unwrap();
    if is_spread {
        let spread = crate::op::spread(&views.cql, &generation, &turn.ops, owned.at);
        spread.await.unwrap();
    }
    owned
}

/// How it stands after both batches.
async fn assert_both(views: &ScyllaViews) {
    let counts = views.totals().await.unwrap().0;
    assert_eq!(
        (counts.deliveries, counts.pending, counts.delivered),
        (3, 2, 1)
    );
    let (a, row) = (tenant("a"), delivered(delivery(0, endpoint(1))));
    assert_eq!(views.delivery(&a, &row.id).await.unwrap(), Some(row));
    let progress = views.progress().await.unwrap();
    assert_eq!(progress[&(Topic::Events, 0)].offset, 4);
}

/// A turn that was committed and not spread: nobody sees it, and who takes over spreads it, once.
#[tokio::test(flavor = "multi_thread")]
async fn a_commit_without_its_rows_is_finished() {
    let config = config("commit");
    let dies = open(&config).await;
    dies.write(first()).await.unwrap();
    commit_only(&dies, second()).await;
    drop(dies);
    let next = open(&config).await;
    assert_eq!(
        next.progress().await.unwrap()[&(Topic::Events, 0)].offset,
        3
    );
    // It begins where the rows seem to end, is told, and begins again.
    let refused = next.write(second()).await.unwrap_err();
    assert!(matches!(
        refused,
        ViewError::Overtaken {
            there: 4,
            from: 3,
            ..
        }
    ));
    assert_both(&next).await;
}

/// Whoever compares rows with their progress finishes what a kill has left of a turn, with its rows or without; and takes
/// nothing from anybody where nothing is left.
#[tokio::test(flavor = "multi_thread")]
async fn a_turn_that_is_not_shown_is_settled() {
    for is_spread in [true, false] {
        let config = config(&format!("settled_{is_spread}"));
        let writes = open(&config).await;
        writes.write(first()).await.unwrap();
        let compares = open(&config).await;
        let is_half_written = async || compares.is_half_written().await.unwrap();
        assert!(!is_half_written().await);
        compares.settle().await.unwrap();
        // It has the claim still: the next turn is committed where the last one was.
        unshown(&writes, second(), is_spread).await;
        let row = delivery(0, endpoint(1));
        let found = compares.delivery(&tenant("a"), &row.id).await.unwrap();
        let is_ahead = found.unwrap().state == DeliveryState::Delivered;
        assert_eq!(is_ahead, is_spread, "what a comparison would find");
        assert!(is_half_written().await);
        compares.settle().await.unwrap();
        assert!(!is_half_written().await);
        assert_both(&compares).await;
        // Taken over and shown by another, too.
        writes.take(Topic::Events, 0).await.unwrap();
        assert!(!is_half_written().await);
    }
}

/// Who goes on in the midst of it is left alone.
#[tokio::test(flavor = "multi_thread")]
async fn a_turn_that_goes_on_is_its_writers() {
    let config = config("goes_on");
    let writes = open(&config).await;
    writes.write(first()).await.unwrap();
    let compares = open(&config).await;
    let generation = compares.counting().await.unwrap();
    let owned = unshown(&writes, second(), false).await;
    let before = compares.unfinished(&generation).await.unwrap();
    assert_eq!(before.len(), 1);
    // A second later another turn is under way.
    let (claim, epoch) = (Claim::of(&first()), owned.epoch);
    *writes.slot(&claim).lock().await = Some(owned);
    let more = Batch {
        progress: vec![advance(Topic::Events, 3, 4)],
        ..Batch::default()
    };
    unshown(&writes, more, false).await;
    compares.settle_since(&generation, &before).await.unwrap();
    let taken = format!(
        "SELECT taken FROM {}.claims_g1 WHERE shard = 0",
        config.keyspace
    );
    let taken: Vec<(Option<i64>,)> = writes.cql.ask(&taken, ()).await.unwrap();
    assert_eq!(taken, [(Some(epoch),)]);
}

/// Pieces without a commit are nothing.
#[tokio::test(flavor = "multi_thread")]
async fn pieces_without_a_commit_are_nothing() {
    let config = config("pieces");
    let dies = open(&config).await;
    dies.write(first()).await.unwrap();
    let generation = dies.counting().await.unwrap();
    let slot = dies.slot(&Claim::of(&second()));
    let mut owned = slot.lock().await.take().unwrap();
    let never = Timestamp::from_millis(i64::MIN);
    let turn = write::turn(&mut owned, second(), BTreeMap::new(), never);
    for piece in crate::op::encode(&turn.ops, owned.at + 1) {
        let name = owned.claim.name();
        let values = (
            owned.at + 1,
            piece,
            name,
            owned.epoch,
            vec![10_u8, 0, 0, 0, 0],
        );
        dies.cql.run(&generation.put_state, values).await.unwrap();
    }
    let next = open(&config).await;
    let nothing = Batch {
        progress: vec![advance(Topic::Events, 3, 3)],
        ..Batch::default()
    };
    next.write(nothing).await.unwrap();
    let row = delivery(0, endpoint(1));
    let found = next.delivery(&tenant("a"), &row.id).await.unwrap();
    assert_eq!(found, Some(row), "the row is not ahead of the offsets");
    next.write(second()).await.unwrap();
    assert_both(&next).await;
}

/// One that was overtaken changes nothing any more, whenever it wakes: before its commit, or after it.
#[tokio::test(flavor = "multi_thread")]
async fn who_was_overtaken_changes_nothing() {
    let config = config("zombie");
    let zombie = open(&config).await;
    zombie.write(first()).await.unwrap();
    let next = open(&config).await;
    next.write(second()).await.unwrap();
    // It still holds the claim, and commits another end of the same delivery.
    let mut other = second();
    other.deliveries[0].row.state = DeliveryState::Discarded;
    let failed = zombie.write(other.clone()).await.unwrap_err();
    assert!(matches!(failed, ViewError::Unavailable(_)), "{failed}");
    assert_both(&next).await;
    // It takes the claim back, and is told where the rows are.
    let failed = zombie.write(other).await.unwrap_err();
    assert!(matches!(failed, ViewError::Overtaken { there: 4, .. }));
    assert_both(&zombie).await;
}

/// A clock that is set by hand.
#[derive(Debug, Default)]
struct Set(std::sync::atomic::AtomicI64);

impl Set {
    fn to(&self, millis: i64) {
        self.0.store(millis, std::sync::atomic::Ordering::SeqCst);
    }
}

impl Clock for Set {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(std::sync::atomic::Ordering::SeqCst))
    }
}

/// Clocks differ: whoever takes over with one that is behind still writes later than all before it, also
/// when it takes the claim twice without a turn in between.
#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_behind_covers_nothing() {
    let config = config("clock");
    let now = Wall.now().as_millis();
    let (ahead, behind) = (Arc::new(Set::default()), Arc::new(Set::default()));
    ahead.to(now);
    behind.to(now);
    let clock: Arc<dyn Clock> = Arc::<Set>::clone(&ahead);
    let dies = Store::open(&config, clock).await.unwrap().views();
    let mut taking = first();
    taking.progress[0].to.offset = 2;
    dies.write(taking).await.unwrap();
    // It goes wrong behind the taking: the epoch doesn't say it.
    ahead.to(now + 3_600_000);
    let going_on = Batch {
        progress: vec![advance(Topic::Events, 2, 3)],
        ..Batch::default()
    };
    dies.write(going_on).await.unwrap();
    let store = Store::open(&config, behind as Arc<dyn Clock>)
        .await
        .unwrap();
    let next = store.views();
    for _ in 0..3 {
        let mut elsewhere = second();
        elsewhere.progress[0].from = 2;
        let refused = next.write(elsewhere).await.unwrap_err();
        assert!(matches!(refused, ViewError::Overtaken { there: 3, .. }));
    }
    next.write(second()).await.unwrap();
    assert_both(&next).await;
    let last = open(&config).await;
    assert_both(&last).await;
}

/// Two that take one claim at once: one of them has it, and nothing is lost.
#[tokio::test(flavor = "multi_thread")]
async fn of_two_takers_one_has_the_claim() {
    let config = config("takers");
    open(&config).await.write(first()).await.unwrap();
    let takers: Vec<_> = {
        let opened = (0..4).map(|_| open(&config));
        futures_util::future::join_all(opened).await
    };
    let generation = takers[0].counting().await.unwrap();
    for _ in 0..5 {
        let taken = takers.iter().map(|views| {
            let claim = Claim::of(&first());
            Owned::take(&views.cql, &generation, &views.clock, claim)
        });
        let taken = futures_util::future::join_all(taken).await;
        let epochs: Vec<_> = taken.iter().flatten().map(|owned| owned.epoch).collect();
        let all: std::collections::BTreeSet<_> = epochs.iter().collect();
        assert_eq!(all.len(), epochs.len());
        for owned in taken.iter().flatten() {
            assert_eq!(owned.progress[&(Topic::Events, 0)].offset, 3);
        }
    }
    takers[0].write(second()).await.unwrap();
    assert_both(&takers[1]).await;
}

/// A row of the keyed store.
fn a_key() -> (KeyScope, First) {
    let scope = KeyScope {
        tenant: tenant("a"),
        partition: 0,
        key: "k".parse().unwrap(),
    };
    let row = First {
        offset: 1,
        appended_at: Timestamp::from_millis(1),
        payload_sha256: [1; 32],
        event: "e".parse().unwrap(),
    };
    (scope, row)
}

/// Keys that a command folds live as long as those of the servers, which have said how long.
#[tokio::test(flavor = "multi_thread")]
async fn keys_live_as_long_as_servers_have_said() {
    let mut config = config("ttl");
    config.keys_ttl = Some(5_000);
    drop(Store::open(&config, Arc::new(Wall)).await.unwrap());
    config.keys_ttl = None;
    let command = Store::open(&config, Arc::new(Wall)).await.unwrap();
    let (scope, row) = a_key();
    command.keys().put(&[(scope, row)]).await.unwrap();
    let left = format!("SELECT TTL(value) FROM {}.keys", config.keyspace);
    let views = command.views();
    let left = views.cql.prepare(left).await.unwrap();
    let left: Vec<(Option<i32>,)> = views.cql.rows(&left, ()).await.unwrap();
    assert!(matches!(left[..], [(Some(4_900..=5_000),)]), "{left:?}");
}

/// What a server will never take is not tried again and again; and it takes what comes next.
#[tokio::test(flavor = "multi_thread")]
async fn a_value_that_is_too_large_lasts() {
    let config = config("large");
    let views = open(&config).await;
    let generation = views.counting().await.unwrap();
    let put = |value: Vec<u8>| {
        let values = (1_i64, value, "a", 1_i64, vec![1_u8]);
        views.cql.run(&generation.put_state, values)
    };
    let refused = put(vec![0; 17 << 20]).await.unwrap_err();
    assert!(matches!(refused, ViewError::Unusable(_)), "{refused:?}");
    put(vec![0; 1 << 20]).await.unwrap();
}
