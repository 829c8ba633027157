//! Removing what is no longer to be kept.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use eventlog_port::{Offset, ReadError, TopicSpec};
use tokio::sync::watch;

use crate::encoding::Stamp;
use crate::engine::Engine;
use crate::partition::Partition;
use crate::reader::first_where;
use crate::shared::Shared;
use crate::topics::{StoredStart, start_key};

/// Looks after retention until it is told to stop.
pub(crate) async fn run(shared: Arc<Shared>, mut stop: watch::Receiver<bool>) {
    loop {
        let pause = tokio::time::sleep(shared.config.retention_check);
        tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => return,
            () = pause => {}
        }
        for (spec, partition) in shared.limited_partitions() {
            if let Err(error) = trim(&shared, &spec, &partition).await {
                tracing::warn!(partition = %partition.id, error = %error, "retention is put off");
            }
        }
    }
}

async fn trim(
    shared: &Shared,
    spec: &TopicSpec,
    partition: &Partition,
) -> Result<(), eventlog_port::BoxError> {
    let before = partition.bounds().start;
    let start = shared.with_engine(|engine| new_start(shared, engine, spec, partition))?;
    if start <= before {
        return Ok(());
    }
    let stored = StoredStart::new(start, partition.tail());
    let entry = (start_key(&partition.id), serde_json::to_vec(&stored)?);
    shared.put_contents(vec![entry]).await?;
    // Only now may it be missed: after a crash before this line everything is still there.
    partition.move_start(start);
    if let Ok(engine) = &*shared.engine.read() {
        // The last record stays on disk: with no table left, the engine would hold on to every
        // journal since this partition was last written out.
        let last = partition.tail().end.saturating_sub(1);
        if engine.drop_below(partition.slot, start.min(last))? {
            shared.dropped.store(true, Ordering::Relaxed);
        }
    }
    tracing::debug!(partition = %partition.id, from = before, to = start, "retention moved the start");
    Ok(())
}

/// The first offset that is to be kept.
fn new_start(
    shared: &Shared,
    engine: &Engine,
    spec: &TopicSpec,
    partition: &Partition,
) -> Result<Offset, ReadError> {
    let mut start = partition.bounds().start;
    if let Some(retention) = spec.retention {
        let horizon = shared.config.clock.now().saturating_sub(retention);
        let young = |stamp: Stamp| stamp.appended_at >= horizon;
        start = start.max(first_where(engine, partition, young)?);
    }
    if let Some(most) = spec.retention_bytes {
        let total = partition.tail().total;
        // The first record with no more than `most` behind it is the first to stay.
        let enough = |stamp: Stamp| total.saturating_sub(stamp.total) <= most;
        start = start.max(first_where(engine, partition, enough)?);
    }
    Ok(start)
}
