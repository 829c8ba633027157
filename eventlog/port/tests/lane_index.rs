//! The index in memory passes the suite that every adapter passes.
#![cfg(feature = "conformance")]

use eventlog_port::conformance::lane_index::Fixture;
use eventlog_port::memory::MemoryLaneIndexes;
use eventlog_port::{IndexError, LaneIndexes};

async fn in_memory() -> Fixture<MemoryLaneIndexes> {
    Fixture {
        indexes: MemoryLaneIndexes::new(100),
        room: 100,
    }
}

eventlog_port::lane_index_suite!([start_paused = true], in_memory());

#[tokio::test]
async fn a_broken_disk_fails_every_call_until_it_is_mended() {
    let indexes = MemoryLaneIndexes::new(10);
    let index = indexes.open(0).await.unwrap();
    indexes.set_failing(true);
    assert!(matches!(
        index.read(1, 0, 1).await,
        Err(IndexError::Failed(_))
    ));
    assert!(matches!(indexes.open(1).await, Err(IndexError::Failed(_))));
    indexes.set_failing(false);
    assert_eq!(index.read(1, 0, 1).await.unwrap(), []);
}
