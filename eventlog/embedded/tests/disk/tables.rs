//! Tables that are damaged.

use std::path::PathBuf;
use std::time::Duration;

use eventlog_port::{EventLog, ReadError, ReadLimit};
use tempfile::TempDir;

use crate::support::{events, files, fill, flip, open, read_all, value};

/// A byte of a table flipped: what is in the damaged block is refused with its offset, the rest is
/// served, and no wrong byte ever is.
#[tokio::test]
async fn a_flipped_byte_is_found_and_never_served() {
    let directory = TempDir::new().unwrap();
    let log = open(directory.path());
    fill(&log, 0..40_000, 1_000).await;
    drop(log);
    let tables: Vec<PathBuf> = files(directory.path(), "")
        .into_iter()
        .filter(|path| {
            path.parent()
                .is_some_and(|folder| folder.ends_with("tables"))
        })
        .filter(|path| path.metadata().unwrap().len() > 1 << 20)
        .collect();
    assert!(!tables.is_empty(), "records have reached tables");
    let table = &tables[0];
    flip(table, table.metadata().unwrap().len() / 3);

    let log = open(directory.path());
    let end = log.bounds(&events()).await.unwrap().end;
    assert_eq!(end, 40_000);
    let mut damaged = Vec::new();
    for offset in 0..end {
        match log.read_at(&events(), offset).await {
            Ok(record) => {
                assert_eq!(
                    record.unwrap().value.unwrap(),
                    value(offset, 1_000),
                    "offset {offset}"
                );
            }
            Err(ReadError::Corrupt { offset: named, .. }) => {
                assert_eq!(named, offset);
                damaged.push(offset);
            }
            Err(other) => panic!("{other}"),
        }
    }
    assert!(
        !damaged.is_empty() && damaged.len() < 100,
        "{} records are in one block",
        damaged.len()
    );

    let stopped = match read_all(&log).await {
        Err(ReadError::Corrupt { offset, .. }) => offset,
        other => panic!(
            "read through the damage: {:?}",
            other.map(|records| records.len())
        ),
    };
    assert!(
        stopped <= damaged[0] && damaged[0] - stopped < 100,
        "{stopped}, {damaged:?}"
    );
    let behind = damaged.last().unwrap() + 1;
    let mut reader = log.reader(&events(), behind).await.unwrap();
    let limit = ReadLimit {
        records: 10,
        bytes: 1 << 20,
        wait: Duration::ZERO,
    };
    let records = reader.next(limit).await.unwrap();
    assert_eq!(records[0].value.as_ref().unwrap(), &value(behind, 1_000));
}
