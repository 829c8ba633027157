//! A folder of views that is held, damaged, lost, made anew.
#![allow(clippy::unwrap_used, reason = "a failed case panics")]

use std::fs;
use std::path::Path;

use projections_embedded::{Config, Rebuilding, Scratch, Store};
use projections_port::conformance::samples::{accepted, advance, at, endpoint, tenant};
use projections_port::{First, KeyScope, Keys, ViewWriter, Views};
use schemas::topics::Topic;
use tempfile::TempDir;

fn config(folder: &TempDir) -> Config {
    Config::new(folder.path().join("views"))
}

/// Views of one delivery, and one key.
async fn filled(config: &Config) {
    let store = Store::open(config).unwrap();
    let mut batch = accepted(1, endpoint(1));
    batch.progress = vec![advance(Topic::Events, 0, 2)];
    store.views().write(batch).await.unwrap();
    store.keys().put(&[(scope(), first())]).await.unwrap();
    store.keys_were_folded().unwrap();
    store.close();
}

fn scope() -> KeyScope {
    KeyScope {
        tenant: tenant("a"),
        partition: 0,
        key: "k".parse().unwrap(),
    }
}

fn first() -> First {
    First {
        offset: 3,
        appended_at: at(3),
        payload_sha256: [7; 32],
        event: "event-3".parse().unwrap(),
    }
}

async fn deliveries(store: &Store) -> u64 {
    store.views().totals().await.unwrap().0.deliveries
}

fn error(opened: Result<Store, impl std::fmt::Display>) -> String {
    opened.err().map(|error| error.to_string()).unwrap()
}

/// Overwrites the middle of every file below `folder`.
fn damage(folder: &Path) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            damage(&path);
        } else {
            let length = fs::metadata(&path).unwrap().len();
            fs::write(&path, vec![0xa5; usize::try_from(length.max(16)).unwrap()]).unwrap();
        }
    }
}

#[tokio::test]
async fn one_process_has_them() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(&folder);
    let store = Store::open(&config).unwrap();
    let refused = error(Store::open(&config));
    assert!(
        refused.contains("in use by postrider (process "),
        "{refused}"
    );
    assert!(Rebuilding::begin(&config).is_err());
    store.close();
    assert!(store.views().progress().await.is_ok(), "what is in memory");
    assert!(store.views().dump(None, 1).await.is_err(), "closed");
    Store::open(&config).unwrap();
}

#[tokio::test]
async fn damaged_rows_say_what_helps_and_it_does() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(&folder);
    filled(&config).await;
    damage(&config.directory.join("rows-1"));
    let refused = error(Store::open(&config));
    assert!(
        refused.contains("run `postrider views rebuild`"),
        "{refused}"
    );
    Rebuilding::begin(&config).unwrap().finish().unwrap();
    let store = Store::open(&config).unwrap();
    assert_eq!(deliveries(&store).await, 0);
    assert!(store.keys_are_whole().unwrap(), "keys were not damaged");
}

#[tokio::test]
async fn damaged_keys_are_folded_anew() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(&folder);
    filled(&config).await;
    damage(&config.directory.join("keys"));
    let refused = error(Store::open(&config));
    assert!(
        refused.contains("run `postrider views rebuild`"),
        "{refused}"
    );
    Rebuilding::begin(&config).unwrap().finish().unwrap();
    assert!(!Store::open(&config).unwrap().keys_are_whole().unwrap());
}

#[tokio::test]
async fn lost_rows_are_begun_anew() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(&folder);
    filled(&config).await;
    fs::remove_dir_all(config.directory.join("rows-1")).unwrap();
    let store = Store::open(&config).unwrap();
    assert_eq!(deliveries(&store).await, 0);
    assert_eq!(store.views().progress().await.unwrap().len(), 0);
    let found = store.keys().firsts(&[(scope(), 9)]).await.unwrap();
    assert_eq!(found, [Some(first())]);
}

#[tokio::test]
async fn a_rebuild_that_is_cut_short_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(&folder);
    filled(&config).await;
    let rebuilding = Rebuilding::begin(&config).unwrap();
    let batch = accepted(5, endpoint(2));
    rebuilding.views().write(batch).await.unwrap();
    drop(rebuilding);
    let store = Store::open(&config).unwrap();
    assert_eq!(deliveries(&store).await, 1);
    store.close();
    let rebuilding = Rebuilding::begin(&config).unwrap();
    for n in 5..8 {
        let batch = accepted(n, endpoint(2));
        rebuilding.views().write(batch).await.unwrap();
    }
    rebuilding.finish().unwrap();
    assert_eq!(deliveries(&Store::open(&config).unwrap()).await, 3);
}

#[tokio::test]
async fn of_a_scratch_nothing_stays() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("scratch");
    let scratch = Scratch::make(&place, 1 << 20).unwrap();
    let batch = accepted(1, endpoint(1));
    scratch.views().write(batch).await.unwrap();
    drop(scratch);
    assert!(!place.exists());
}
