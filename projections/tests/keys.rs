//! A keyed store that was lost is folded out of the log, as routers would have it.
#![allow(
    clippy::unwrap_used,
    unreachable_pub,
    missing_docs,
    dead_code,
    reason = "a failed case panics; the world serves other tests too"
)]

mod silence;
mod world;

use std::sync::Arc;
use std::time::Duration;

use projections::rebuild_keys;
use projections_embedded::{Config, Rebuilding, Store};
use projections_port::memory::MemoryKeys;
use projections_port::{KeyScope, Keys};

use schemas::topics::Topic;
use silence::Silence;
use world::World;

#[tokio::test(start_paused = true)]
async fn every_first_has_its_row_and_no_repeat() {
    for seed in 0..20 {
        let mut world = World::new(seed).await;
        for _ in 0..300 {
            world.step().await;
        }
        let keys: Arc<dyn Keys> = Arc::new(MemoryKeys::new());
        let rows = rebuild_keys(&world.log, &keys).await.unwrap();
        let expected = &world.truth.firsts;
        assert_eq!(rows, expected.len() as u64, "seed {seed}");
        for (partition, offset, key) in expected {
            let scope = KeyScope {
                tenant: "default".parse().unwrap(),
                partition: *partition,
                key: key.parse().unwrap(),
            };
            let found = keys.firsts(&[(scope, u64::MAX)]).await.unwrap();
            assert_eq!(found[0].as_ref().map(|row| row.offset), Some(*offset));
        }
        assert_eq!(
            rebuild_keys(&world.log, &keys).await.unwrap(),
            rows,
            "again"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_says_nothing_for_a_while_has_said_all_in_the_end() {
    for topic in [Topic::Inbox, Topic::Routed] {
        let mut world = World::new(5).await;
        for _ in 0..300 {
            world.step().await;
        }
        let silence = Silence::default();
        let log = silence.over(&world.log, topic);
        let keys: Arc<dyn Keys> = Arc::new(MemoryKeys::new());
        silence.begin();
        let speaks = async {
            tokio::time::sleep(Duration::from_secs(5)).await;
            silence.end();
        };
        let (rows, ()) = tokio::join!(rebuild_keys(&log, &keys), speaks);
        let expected = world.truth.firsts.len();
        assert_eq!(rows.unwrap(), expected as u64, "{topic}");
    }
}

#[tokio::test]
async fn whether_keys_are_whole_is_known_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let config = Config::new(folder.path().join("views"));
    let store = Store::open(&config).unwrap();
    assert!(!store.keys_are_whole().unwrap(), "made at this start");
    store.close();
    let store = Store::open(&config).unwrap();
    assert!(
        !store.keys_are_whole().unwrap(),
        "a fold may have been cut short"
    );
    store.keys_were_folded().unwrap();
    store.close();
    Rebuilding::begin(&config).unwrap().finish().unwrap();
    let store = Store::open(&config).unwrap();
    assert!(
        store.keys_are_whole().unwrap(),
        "a rebuild of rows leaves keys"
    );
}
