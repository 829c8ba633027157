//! The index on disk passes the suite that every adapter passes; and what a start, a damaged file
//! and a full disk do to it.
#![allow(clippy::unwrap_used, reason = "a test that can't go on panics")]

use std::fs;
use std::path::Path;

use eventlog_embedded::{EmbeddedLaneIndexes, IndexConfig};
use eventlog_port::Offset;
use eventlog_port::conformance::lane_index::Fixture;
use eventlog_port::lane_index::{IndexError, LaneIndex, LaneIndexes, LaneNumber, Note};
use tempfile::TempDir;

/// Stored bytes of a note without a record.
const NOTE: u64 = 16;

struct OnDisk {
    indexes: EmbeddedLaneIndexes,
    directory: TempDir,
}

impl OnDisk {
    fn new(change: impl FnOnce(&mut IndexConfig)) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut config = IndexConfig::new(directory.path());
        change(&mut config);
        Self {
            indexes: EmbeddedLaneIndexes::new(config),
            directory,
        }
    }
}

#[async_trait::async_trait]
impl LaneIndexes for OnDisk {
    async fn open(&self, partition: u32) -> Result<Box<dyn LaneIndex>, IndexError> {
        self.indexes.open(partition).await
    }
}

async fn on_disk() -> Fixture<OnDisk> {
    Fixture {
        indexes: OnDisk::new(|config| config.lane_bytes = 1_000 * NOTE),
        room: 1_000,
    }
}

eventlog_port::lane_index_suite!([], on_disk());

fn notes(lane: LaneNumber, offsets: impl IntoIterator<Item = Offset>) -> Vec<(LaneNumber, Note)> {
    let note = |offset| Note {
        offset,
        record: None,
    };
    let of_lane = |offset| (lane, note(offset));
    offsets.into_iter().map(of_lane).collect()
}

async fn count(index: &dyn LaneIndex, lane: LaneNumber) -> usize {
    index.read(lane, 0, usize::MAX).await.unwrap().len()
}

/// Files in `folder` and below.
fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found
}

#[tokio::test]
async fn nothing_is_made_before_a_lane_lags_and_nothing_stays() {
    let disk = OnDisk::new(|_| ());
    let folder = disk.directory.path();
    let index = disk.indexes.open(0).await.unwrap();
    index.add(Vec::new()).await.unwrap();
    index.forget(1, 5).await.unwrap();
    assert_eq!(count(&*index, 1).await, 0);
    assert!(files(folder).is_empty());
    index.add(notes(1, 0..10)).await.unwrap();
    assert!(!files(folder).is_empty());
    let OnDisk { indexes, directory } = disk;
    drop((index, indexes));
    assert_eq!(files(directory.path()), Vec::<std::path::PathBuf>::new());
}

#[tokio::test]
async fn what_a_kill_left_is_not_read() {
    let disk = OnDisk::new(|_| ());
    let index = disk.indexes.open(0).await.unwrap();
    index.add(notes(1, 0..10)).await.unwrap();
    let killed = tempfile::tempdir().unwrap();
    copy(disk.directory.path(), killed.path());
    let again = EmbeddedLaneIndexes::new(IndexConfig::new(killed.path()));
    let index = again.open(0).await.unwrap();
    assert_eq!(count(&*index, 1).await, 0);
    index.add(notes(1, [3])).await.unwrap();
    assert_eq!(count(&*index, 1).await, 1);
}

fn copy(from: &Path, to: &Path) {
    for file in files(from) {
        let copied = to.join(file.strip_prefix(from).unwrap());
        fs::create_dir_all(copied.parent().unwrap()).unwrap();
        fs::copy(file, copied).unwrap();
    }
}

/// Enough notes for tables, not only for memory.
const MANY: u64 = 200_000;

async fn add_many(index: &dyn LaneIndex, lane: LaneNumber) {
    for first in (0..MANY).step_by(10_000) {
        let added = index.add(notes(lane, first..first + 10_000)).await;
        added.unwrap();
    }
}

fn tables(folder: &Path) -> Vec<std::path::PathBuf> {
    let is_table = |path: &std::path::PathBuf| path.components().any(|c| c.as_os_str() == "tables");
    files(folder).into_iter().filter(is_table).collect()
}

#[tokio::test]
async fn a_damaged_file_fails_the_index_until_a_new_one_is_opened() {
    let disk = OnDisk::new(|config| config.cache_bytes = 0);
    let index = disk.indexes.open(0).await.unwrap();
    add_many(&*index, 1).await;
    let tables = tables(disk.directory.path());
    assert!(!tables.is_empty());
    for table in tables {
        let mut bytes = fs::read(&table).unwrap();
        let middle = bytes.len() / 4;
        bytes[middle..middle * 2].fill(7);
        fs::write(table, bytes).unwrap();
    }
    let failed = |error| matches!(error, IndexError::Failed(_));
    let read = index.read(1, 0, usize::MAX).await;
    assert!(failed(read.unwrap_err()));
    let added = index.add(notes(1, [MANY])).await;
    assert!(failed(added.unwrap_err()), "what is held can't be told");
    let index = disk.indexes.open(0).await.unwrap();
    assert_eq!(count(&*index, 1).await, 0);
    index.add(notes(1, 0..10)).await.unwrap();
    assert_eq!(count(&*index, 1).await, 10);
}

#[tokio::test]
async fn what_was_noted_comes_back_from_tables_and_goes_with_its_owner() {
    let disk = OnDisk::new(|_| ());
    let index = disk.indexes.open(0).await.unwrap();
    add_many(&*index, 1).await;
    add_many(&*index, 2).await;
    let folder = disk.directory.path();
    let held = tables(folder);
    assert!(!held.is_empty());
    assert_eq!(count(&*index, 1).await as u64, MANY);
    index.forget(1, MANY - 5).await.unwrap();
    assert_eq!(count(&*index, 1).await, 5);
    assert_eq!(count(&*index, 2).await as u64, MANY);
    drop(index);
    let left = tables(folder);
    assert!(held.iter().all(|table| !left.contains(table)), "{left:?}");
}

#[tokio::test]
async fn a_disk_below_its_reserve_takes_no_note() {
    let disk = OnDisk::new(|config| config.reserve_bytes = u64::MAX);
    let index = disk.indexes.open(0).await.unwrap();
    let added = index.add(notes(1, [1])).await;
    assert!(matches!(added, Err(IndexError::Full)));
    assert_eq!(count(&*index, 1).await, 0);
}
