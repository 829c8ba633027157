//! Takeover: fence, read, then act (`docs/protocol.md`, "Takeover, step by step").

mod found;
mod outputs;
mod set;

use std::collections::BTreeMap;
use std::sync::Arc;

use eventlog_port::{Offset, Writer, WriterKind, WriterSpec};
use schemas::DecodeError;
use schemas::attempts::AttemptsRecord;
use schemas::dead_letter::DeadLetterRecord;
use schemas::fence::Fence;
use schemas::progress::ProgressRecord;
use schemas::retry::RetryRecord;
use schemas::topics::Topic;
use tokio::time::Instant;

use self::found::found;
use self::outputs::{Told, read_outputs};
use self::set::{Set, read_set};
use super::{Failure, Life, Rest, Shared, at};
use crate::core::{Found, Stop};

/// A writer, and everything that a new owner has to know.
pub(super) struct TakenOver {
    pub(super) writer: Arc<dyn Writer>,
    pub(super) found: Found,
}

/// Takes the partition over, under the lease. `rest` is what an earlier epoch of this process has left.
pub(super) async fn take_over(
    shared: &Shared,
    partition: u32,
    life: &mut Life,
    rest: Rest,
) -> Result<TakenOver, (Failure, Rest)> {
    match fence_and_read(shared, partition, life).await {
        Ok((writer, epoch, set, told, ends)) => {
            let found = found(shared, epoch, set, told, &ends, rest);
            Ok(TakenOver { writer, found })
        }
        Err(failure) => Err((failure, rest)),
    }
}

type Fenced = (Arc<dyn Writer>, u64, Set, Told, BTreeMap<Topic, Offset>);

async fn fence_and_read(
    shared: &Shared,
    partition: u32,
    life: &mut Life,
) -> Result<Fenced, Failure> {
    let spec = WriterSpec {
        kind: WriterKind::Prefix,
        name: format!("owner-{partition}"),
        max_in_flight: shared.config.limits.max_appends,
    };
    let writer: Arc<dyn Writer> = shared.log.writer(spec).await?.into();
    let (epoch, ends) = fence(shared, partition, &*writer, life).await?;
    // What lanes need to know of their endpoints was written before their records.
    shared.control.read_to_end().await?;
    let set = read_set(shared, partition, epoch).await?;
    if let Some(checkpoint) = &set.checkpoint {
        life.log_time.not_below(checkpoint.log_time.0);
    }
    let told = read_outputs(shared, partition, &set, &ends).await?;
    Ok((writer, epoch, set, told, ends))
}

/// Fences in `progress`, awaited, then in each other output (O4). Returns the epoch, and one past
/// each fence.
async fn fence(
    shared: &Shared,
    partition: u32,
    writer: &dyn Writer,
    life: &mut Life,
) -> Result<(u64, BTreeMap<Topic, Offset>), Failure> {
    let owner = shared.config.instance.clone();
    let mut fence = Fence { epoch: None, owner };
    let progress = at(Topic::Progress, partition);
    let first = ProgressRecord::Fence(fence.clone()).encode();
    // Making the writer may have taken long.
    if !life.lease.holds(shared.config.session) {
        return Err(Failure::NoLease);
    }
    let sent = Instant::now();
    let appended = writer.append(&progress, first.into()).await?.await?;
    life.log_time.appended(appended.appended_at, sent);
    let epoch = appended.offset;
    let mut ends = BTreeMap::from([(Topic::Progress, epoch + 1)]);
    fence.epoch = Some(epoch);
    if !life.lease.holds(shared.config.session) {
        return Err(Failure::NoLease);
    }
    let mut appending = Vec::new();
    let sent = Instant::now();
    for topic in &shared.outputs {
        let record = match topic {
            Topic::Attempts => AttemptsRecord::Fence(fence.clone()).encode(),
            Topic::DeadLetters => DeadLetterRecord::Fence(fence.clone()).encode(),
            Topic::Retry(_)
            | Topic::Inbox
            | Topic::Routed
            | Topic::Events
            | Topic::Requests
            | Topic::Progress
            | Topic::Control
            | Topic::Quarantine => RetryRecord::Fence(fence.clone()).encode(),
        };
        let to = at(*topic, partition);
        appending.push((*topic, writer.append(&to, record.into()).await?));
    }
    for (topic, fence) in appending {
        let appended = fence.await?;
        life.log_time.appended(appended.appended_at, sent);
        ends.insert(topic, appended.offset + 1);
    }
    Ok((epoch, ends))
}

/// A record of ours; `None` for what somebody else wrote into a topic of the owner's.
fn ours<T>(
    decoded: Result<T, DecodeError>,
    topic: Topic,
    offset: Offset,
) -> Result<Option<T>, Failure> {
    match decoded {
        Ok(record) => Ok(Some(record)),
        Err(DecodeError::Malformed(_)) => Ok(None),
        Err(DecodeError::UnknownVersion { found }) => Err(Failure::Stop(Stop::Version {
            topic,
            offset,
            version: found,
        })),
    }
}
