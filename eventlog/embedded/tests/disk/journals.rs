//! Journals that end too early, or are damaged.

use std::fs;
use std::io::{Seek, SeekFrom, Write};

use eventlog_embedded::{EmbeddedLog, OpenError};
use eventlog_port::{EventLog, NewRecord, TopicPartition, TopicSpec};
use tempfile::TempDir;

use crate::support::{
    append, config, fill, flip, journals, open, read_all, topic, value, writer, written,
};

/// What a kill leaves: a batch of which only a part was written. It was never acknowledged, so it is
/// dropped, and what was acknowledged is all there.
#[tokio::test]
async fn a_torn_tail_is_dropped() {
    let directory = TempDir::new().unwrap();
    let log = open(directory.path());
    fill(&log, 0..50, 100).await;
    let before = read_all(&log).await.unwrap();
    drop(log);
    let journal = journals(directory.path()).pop().unwrap();
    let bytes = fs::read(&journal).unwrap();
    let end = written(&journal);
    for torn in [1, 5, 30, 90, 300] {
        // The beginning of a batch as the journal's own first one has it, cut off.
        let mut file = bytes[..end].to_vec();
        file.extend_from_slice(&bytes[..torn]);
        fs::write(&journal, &file).unwrap();
        let log = open(directory.path());
        assert_eq!(
            read_all(&log).await.unwrap(),
            before,
            "torn after {torn} bytes"
        );
        drop(log);
    }
    let log = open(directory.path());
    fill(&log, 50..60, 100).await;
    let after = read_all(&log).await.unwrap();
    assert_eq!(after.len(), 60);
    assert!(
        after
            .iter()
            .zip(0..)
            .all(|(record, offset)| record.offset == offset)
    );
}

/// A journal that lost its end, or whose middle is damaged, is not a torn tail: records that were
/// acknowledged are missing, and the log says so instead of going on without them.
#[tokio::test]
async fn a_damaged_journal_is_never_taken_for_a_torn_tail() {
    let directory = TempDir::new().unwrap();
    let log = open(directory.path());
    let writer = writer(&log).await;
    for number in 0..20 {
        append(&*writer, number, 100).await.unwrap();
    }
    drop((writer, log));
    let journal = journals(directory.path()).pop().unwrap();
    let good = fs::read(&journal).unwrap();
    let end = written(&journal);

    let mut found = 0;
    for at in (0..end as u64).step_by(61) {
        flip(&journal, at);
        match EmbeddedLog::open(config(directory.path())) {
            Err(error) => {
                assert!(
                    matches!(
                        error,
                        OpenError::Lost { .. }
                            | OpenError::Engine { .. }
                            | OpenError::Damaged { .. }
                    ),
                    "byte {at}: {error}"
                );
                found += 1;
            }
            Ok(log) => {
                // A bit that carries no meaning, as in a length that nothing uses: then all is there.
                let records = read_all(&log).await.unwrap();
                let values = records.iter().map(|record| record.value.clone().unwrap());
                assert!(
                    values.eq((0..20).map(|number| value(number, 100))),
                    "byte {at}"
                );
            }
        }
        fs::write(&journal, &good).unwrap();
    }
    assert!(found > 0);

    let cut = fs::OpenOptions::new().write(true).open(&journal).unwrap();
    cut.set_len(end as u64 - 150).unwrap();
    let lost = EmbeddedLog::open(config(directory.path()))
        .map(drop)
        .unwrap_err();
    assert!(matches!(lost, OpenError::Lost { .. }), "{lost}");
    assert!(lost.to_string().contains("acknowledged"), "{lost}");
}

/// An older journal was complete before the next was begun. Cut short, it is found too, though the
/// newest one says that everything acknowledged is there.
#[tokio::test]
async fn a_damaged_older_journal_is_found() {
    let directory = TempDir::new().unwrap();
    let log = open(directory.path());
    // A record that is never written out keeps the first journal back.
    let idle = TopicSpec {
        name: "idle".to_owned(),
        ..topic()
    };
    log.ensure(&[idle]).await.unwrap();
    let alone = writer(&log).await;
    let idle = TopicPartition::new("idle", 0);
    alone
        .append(&idle, NewRecord::default())
        .await
        .unwrap()
        .await
        .unwrap();
    fill(&log, 0..90_000, 1_000).await;
    drop(alone);
    drop(log);
    let mut journals = journals(directory.path());
    journals.sort();
    assert_eq!(journals.len(), 2, "an older journal and a newer one");
    let older = &journals[0];
    let middle = written(older) as u64 / 2;
    let mut damaged = fs::OpenOptions::new().write(true).open(older).unwrap();
    damaged.seek(SeekFrom::Start(middle)).unwrap();
    damaged.write_all(&[0xff; 3_000]).unwrap();
    drop(damaged);
    let found = EmbeddedLog::open(config(directory.path()))
        .map(drop)
        .unwrap_err();
    let said = found.to_string();
    assert!(
        matches!(found, OpenError::Damaged { .. } | OpenError::Engine { .. }),
        "{said}"
    );
}
