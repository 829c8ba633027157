//! What is appended from now on.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use eventlog_port::{EventLog, Offset, ReadError, ReadLimit, Record, TopicPartition};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::tail::Printer;

const BATCH: ReadLimit = ReadLimit {
    records: 1_000,
    bytes: 1 << 20,
    wait: Duration::from_secs(1),
};

/// Batches that may have been read and not printed yet.
const BATCHES: usize = 16;

/// How long a reader rests after an error that may pass.
const REST: Duration = Duration::from_secs(1);

type Batch = (TopicPartition, Vec<Record>);

/// Prints records as they come, in the order of time where several came at once. Ends when enough
/// were printed; the readers end with it.
pub(super) async fn run(
    log: &Arc<dyn EventLog>,
    from: Vec<(TopicPartition, Offset)>,
    printer: &mut Printer<'_>,
) -> Result<()> {
    let (batches, mut read) = mpsc::channel(BATCHES);
    let mut readers = JoinSet::new();
    for (partition, from) in from {
        readers.spawn(follow(Arc::clone(log), partition, from, batches.clone()));
    }
    drop(batches);
    while !printer.is_done() {
        tokio::select! {
            biased;
            Some(ended) = readers.join_next() => ended??,
            Some(batch) = read.recv() => print(batch, &mut read, printer)?,
            else => break,
        }
    }
    Ok(())
}

fn print(first: Batch, read: &mut mpsc::Receiver<Batch>, printer: &mut Printer<'_>) -> Result<()> {
    let more = std::iter::from_fn(|| read.try_recv().ok());
    let mut latest = BTreeMap::new();
    let mut records = Vec::new();
    for (partition, batch) in std::iter::once(first).chain(more.take(BATCHES)) {
        for record in batch {
            // A partition's order is kept where its times step back.
            let at = latest
                .entry(partition.clone())
                .or_insert(record.appended_at);
            *at = record.appended_at.max(*at);
            records.push((*at, partition.clone(), record));
        }
    }
    records.sort_by_key(|(at, _, _)| *at);
    for (_, partition, record) in records {
        printer.print(&partition, record)?;
    }
    printer.output.flush()
}

/// Reads one partition for ever. Ends with an error that does not pass, or once nobody listens.
async fn follow(
    log: Arc<dyn EventLog>,
    partition: TopicPartition,
    from: Offset,
    batches: mpsc::Sender<Batch>,
) -> Result<()> {
    let mut reader = log.reader(&partition, from).await?;
    loop {
        match reader.next(BATCH).await {
            Ok(records) if records.is_empty() => {}
            Ok(records) => {
                if batches.send((partition.clone(), records)).await.is_err() {
                    return Ok(());
                }
            }
            Err(ReadError::Corrupt { offset, source, .. }) => {
                tracing::error!(%partition, offset, error = %source, "damaged record");
                reader = log.reader(&partition, offset + 1).await?;
            }
            Err(error) if error.is_retryable() => {
                tracing::warn!(%partition, %error, "could not read, trying again");
                tokio::time::sleep(REST).await;
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// Resolves when the process is asked to end.
pub(super) async fn stopped() -> Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        biased;
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}
