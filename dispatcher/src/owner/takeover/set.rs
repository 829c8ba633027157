//! The set of a checkpoint, as the last owner left it in `progress`.

use std::collections::BTreeMap;

use eventlog_port::Offset;
use schemas::lane::{Lane as LaneRecord, LaneId};
use schemas::progress::{Checkpoint, ProgressRecord};
use schemas::topics::Topic;

use super::super::reads::scan;
use super::super::{Failure, Shared, at};
use super::ours;
use crate::origins::{Highest, highest};

/// The set that the partition's last record makes.
#[derive(Default)]
pub(super) struct Set {
    pub(super) checkpoint: Option<Checkpoint>,
    pub(super) lanes: BTreeMap<LaneId, LaneRecord>,
    pub(super) notes: BTreeMap<Offset, Highest>,
}

impl Set {
    /// How far the set says that an input is done, and the highest epoch below that.
    pub(super) fn input(&self, topic: Topic) -> Option<(Offset, u64)> {
        let inputs = &self.checkpoint.as_ref()?.inputs;
        let mark = inputs.iter().find(|mark| mark.topic == topic)?;
        Some((mark.below, mark.epoch.unwrap_or(0)))
    }
}

/// Steps back from the fence to the last partition record, and reads the set that it makes.
pub(super) async fn read_set(
    shared: &Shared,
    partition: u32,
    fence: Offset,
) -> Result<Set, Failure> {
    const STEP: Offset = 256;
    let progress = at(Topic::Progress, partition);
    let bounds = shared.log.bounds(&progress).await?;
    let mut set = Set::default();
    let mut end = fence;
    let mut last = None;
    while end > bounds.start && last.is_none() {
        let from = end.saturating_sub(STEP).max(bounds.start);
        let mut found = None;
        read_progress(shared, partition, (from, end), |offset, record| {
            if let ProgressRecord::Checkpoint(checkpoint) = record {
                found = Some((offset, checkpoint));
            }
        })
        .await?;
        last = found;
        end = from;
    }
    if let Some((offset, checkpoint)) = last {
        let from = checkpoint.set_from.max(bounds.start);
        let of = checkpoint.epoch;
        read_progress(
            shared,
            partition,
            (from, offset),
            |_, record| match record {
                ProgressRecord::Lane(lane) if lane.epoch == of => {
                    set.lanes.insert(lane.lane.clone(), lane);
                }
                ProgressRecord::LaneReleased(released) if released.epoch == of => {
                    set.lanes.remove(&released.lane);
                }
                ProgressRecord::Fence(_)
                | ProgressRecord::Lane(_)
                | ProgressRecord::LaneReleased(_)
                | ProgressRecord::Checkpoint(_)
                | ProgressRecord::Origins(_) => {}
            },
        )
        .await?;
        set.checkpoint = Some(checkpoint);
    }
    read_notes(shared, partition, fence, bounds.start, &mut set).await?;
    Ok(set)
}

/// The notes of the routers' origins that lanes of the set may need: back to the last one at or
/// below the lowest resume offset (R9, R11).
async fn read_notes(
    shared: &Shared,
    partition: u32,
    fence: Offset,
    start: Offset,
    set: &mut Set,
) -> Result<(), Failure> {
    const STEP: Offset = 1_000;
    let needed = set.lanes.values().map(|lane| lane.resume).min();
    let Some(needed) = needed else { return Ok(()) };
    let events = shared.log.bounds(&at(Topic::Events, partition)).await?;
    let mut end = fence;
    while end > start && set.notes.range(..=needed).next().is_none() {
        let from = end.saturating_sub(STEP).max(start);
        let notes = &mut set.notes;
        read_progress(shared, partition, (from, end), |_, record| {
            if let ProgressRecord::Origins(note) = record
                && note.offset >= events.start
            {
                notes.insert(note.offset, highest(&note.origins));
            }
        })
        .await?;
        end = from;
    }
    // Everything that was ever routed here is there: before it there was nothing.
    if events.start == 0 {
        set.notes.entry(0).or_default();
    }
    Ok(())
}

async fn read_progress(
    shared: &Shared,
    partition: u32,
    range: (Offset, Offset),
    mut take: impl FnMut(Offset, ProgressRecord),
) -> Result<(), Failure> {
    let progress = at(Topic::Progress, partition);
    scan(&*shared.log, &progress, range, |record| {
        let offset = record.offset;
        let decoded = ProgressRecord::decode(&record.into_parts());
        if let Some(record) = ours(decoded, Topic::Progress, offset)? {
            take(offset, record);
        }
        Ok(())
    })
    .await
}
