//! What an owner reads beside its work.

use std::sync::Arc;
use std::time::Duration;

use eventlog_port::{EventLog, Offset, ReadError, ReadLimit, Reader, Record, TopicPartition};
use schemas::progress::ProgressRecord;

/// How much of a topic is read at once by who looks through it.
pub(super) const SCAN: ReadLimit = ReadLimit {
    records: 1_000,
    bytes: 4 << 20,
    wait: Duration::from_millis(500),
};

/// How often in a row a read below the end may bring nothing: half a minute in all.
const MOST_EMPTY: u32 = 60;

/// A log that can't be read is not asked again before.
pub(super) const AFTER_ERROR: Duration = Duration::from_millis(100);

/// Everything from `from` to `end`, block by block, given to `take` with the offset up to which it
/// was read.
pub(super) async fn scan<E: From<ReadError>>(
    log: &dyn EventLog,
    partition: &TopicPartition,
    (from, end): (Offset, Offset),
    mut take: impl FnMut(Record) -> Result<(), E>,
) -> Result<(), E> {
    if from >= end {
        return Ok(());
    }
    let mut reader = log.reader(partition, from).await?;
    let mut empty = 0;
    while reader.position() < end {
        let records = reader.next(SCAN).await?;
        // A slow log says nothing for a while. To take that for the end would leave out what is there.
        empty = if records.is_empty() { empty + 1 } else { 0 };
        if empty > MOST_EMPTY {
            let slow = format!(
                "{partition} ends at {end} and gives nothing from {}",
                reader.position()
            );
            return Err(ReadError::Unavailable(slow.into()).into());
        }
        for record in records.into_iter().filter(|record| record.offset < end) {
            take(record)?;
        }
    }
    Ok(())
}

/// Reads `progress` from `from` to its end as it is now. Returns that end, and the highest epoch.
pub(super) async fn look(
    log: Arc<dyn EventLog>,
    progress: TopicPartition,
    from: Offset,
) -> Result<(Offset, u64), ReadError> {
    let looked = look_once(&*log, &progress, from).await;
    if looked.is_err() {
        tokio::time::sleep(AFTER_ERROR).await;
    }
    looked
}

async fn look_once(
    log: &dyn EventLog,
    progress: &TopicPartition,
    from: Offset,
) -> Result<(Offset, u64), ReadError> {
    let end = log.bounds(progress).await?.end;
    let mut highest = 0;
    scan(log, progress, (from, end), |record| {
        let offset = record.offset;
        // What can't be read here is found by the next takeover, which stops at it.
        if let Ok(record) = ProgressRecord::decode(&record.into_parts()) {
            highest = highest.max(record.epoch(offset));
        }
        Ok::<(), ReadError>(())
    })
    .await?;
    Ok((end, highest))
}

/// One read of a tier.
pub(super) async fn tier(
    log: Arc<dyn EventLog>,
    partition: TopicPartition,
    from: Offset,
) -> Result<(Vec<Record>, Offset), ReadError> {
    let limit = ReadLimit {
        records: 256,
        bytes: 2 << 20,
        wait: Duration::from_millis(100),
    };
    let read = async {
        let mut reader = log.reader(&partition, from).await?;
        let records = reader.next(limit).await?;
        Ok((records, reader.position()))
    };
    let read = read.await;
    if read.is_err() {
        tokio::time::sleep(AFTER_ERROR).await;
    }
    read
}

/// One more block, with the reader that read it.
pub(super) async fn block(
    mut reader: Box<dyn Reader>,
    limit: ReadLimit,
) -> (Box<dyn Reader>, Result<Vec<Record>, ReadError>) {
    let records = reader.next(limit).await;
    if records.is_err() {
        tokio::time::sleep(AFTER_ERROR).await;
    }
    (reader, records)
}
