//! The index in memory passes the suite that every adapter passes.
#![cfg(feature = "conformance")]

use eventlog_port::conformance::lane_index::Fixture;
use eventlog_port::memory::MemoryLaneIndexes;
use eventlog_port::{IndexError, LaneIndexes, Note};

async fn in_memory() -> Fixture<MemoryLaneIndexes> {
    Fixture {
        indexes: MemoryLaneIndexes::new(100),
        room: 100,
    }
}

eventlog_port::lane_index_suite!([start_paused = true], in_memory());

#[tokio::test]
async fn an_index_that_has_failed_stays_so_and_a_new_one_is_empty() {
    let indexes = MemoryLaneIndexes::new(10);
    let note = Note {
        offset: 1,
        record: None,
    };
    let index = indexes.open(0).await.unwrap();
    index.add(vec![(1, note)]).await.unwrap();
    indexes.set_failing(true);
    let failed = |read| matches!(read, Err(IndexError::Failed(_)));
    assert!(failed(index.read(1, 0, 1).await));
    assert!(matches!(indexes.open(1).await, Err(IndexError::Failed(_))));
    indexes.set_failing(false);
    assert!(failed(index.read(1, 0, 1).await));
    let index = indexes.open(0).await.unwrap();
    assert_eq!(index.read(1, 0, 1).await.unwrap(), []);
}
