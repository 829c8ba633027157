//! Takeover: fence, read, then act (`docs/protocol.md`, "Takeover, step by step").

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use eventlog_port::{Offset, Record, Writer, WriterKind, WriterSpec};
use retry_scheduler::TierQueue;
use schemas::DecodeError;
use schemas::attempts::AttemptsRecord;
use schemas::dead_letter::DeadLetterRecord;
use schemas::delivery::Link;
use schemas::fence::Fence;
use schemas::ids::EndpointId;
use schemas::lane::{Lane as LaneRecord, LaneId};
use schemas::progress::{Checkpoint, ProgressRecord};
use schemas::retry::RetryRecord;
use schemas::topics::{Tier, Topic};
use tokio::time::Instant;

use super::reads::scan;
use super::{Failure, Life, Rest, Shared, at};
use crate::core::{Found, LastSet, Stop, lane_id};
use crate::endpoint::Endpoint;
use crate::input::{Input, LaneKey};
use crate::lane::Lane;
use crate::origins::{Highest, Origins, highest};
use crate::output::Output;

/// A writer, and everything that a new owner has to know.
pub(super) struct TakenOver {
    pub(super) writer: Arc<dyn Writer>,
    pub(super) found: Found,
}

/// The set that the partition's last record makes.
#[derive(Default)]
struct Set {
    checkpoint: Option<Checkpoint>,
    lanes: BTreeMap<LaneId, LaneRecord>,
    notes: BTreeMap<Offset, Highest>,
}

/// What the outputs say.
#[derive(Default)]
struct Told {
    done: BTreeMap<Input, EndpointId>,
    outputs: BTreeMap<Topic, Output>,
    circuits: Vec<schemas::attempts::Circuit>,
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
            let found = found(shared, (partition, epoch), set, told, &ends, rest);
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

/// Steps back from the fence to the last partition record, and reads the set that it makes.
async fn read_set(shared: &Shared, partition: u32, fence: Offset) -> Result<Set, Failure> {
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

async fn read_outputs(
    shared: &Shared,
    partition: u32,
    set: &Set,
    ends: &BTreeMap<Topic, Offset>,
) -> Result<Told, Failure> {
    let mut told = Told::default();
    for topic in &shared.outputs {
        let to = at(*topic, partition);
        let end = ends.get(topic).copied().unwrap_or(0);
        let marks = set
            .checkpoint
            .iter()
            .flat_map(|checkpoint| &checkpoint.outputs);
        let mark = marks.into_iter().find(|mark| mark.topic == *topic);
        let (from, epoch) = match mark {
            Some(mark) => (mark.from, mark.epoch),
            None => (shared.log.bounds(&to).await?.start, 0),
        };
        let mut output = Output::new(from, epoch);
        scan(&*shared.log, &to, (from, end), |record| {
            told.take(*topic, record, &mut output)
        })
        .await?;
        told.outputs.insert(*topic, output);
    }
    Ok(told)
}

impl Told {
    fn take(&mut self, topic: Topic, record: Record, output: &mut Output) -> Result<(), Failure> {
        let offset = record.offset;
        let parts = record.into_parts();
        match topic {
            Topic::Attempts => {
                if let Some(record) = ours(AttemptsRecord::decode(&parts), topic, offset)? {
                    self.attempts(offset, record, output);
                }
            }
            Topic::DeadLetters => match ours(DeadLetterRecord::decode(&parts), topic, offset)? {
                Some(DeadLetterRecord::Fence(fence)) => {
                    output.read(offset, fence.epoch.unwrap_or(0));
                }
                Some(DeadLetterRecord::DeadLetter(dead)) => {
                    self.outcome(offset, &dead.end.link, dead.addressed.endpoint, output);
                }
                None => {}
            },
            Topic::Retry(_)
            | Topic::Inbox
            | Topic::Routed
            | Topic::Events
            | Topic::Requests
            | Topic::Progress
            | Topic::Control
            | Topic::Quarantine => match ours(RetryRecord::decode(&parts), topic, offset)? {
                Some(RetryRecord::Fence(fence)) => {
                    output.read(offset, fence.epoch.unwrap_or(0));
                }
                Some(RetryRecord::Retry(retry)) => {
                    self.outcome(offset, &retry.wait.link, retry.addressed.endpoint, output);
                }
                None => {}
            },
        }
        Ok(())
    }

    fn attempts(&mut self, offset: Offset, record: AttemptsRecord, output: &mut Output) {
        match record {
            AttemptsRecord::Fence(fence) => {
                output.read(offset, fence.epoch.unwrap_or(0));
            }
            AttemptsRecord::Succeeded(outcome) => {
                self.outcome(offset, &outcome.link, outcome.subject.endpoint, output);
            }
            AttemptsRecord::Cancelled(outcome) => {
                self.outcome(offset, &outcome.link, outcome.subject.endpoint, output);
            }
            AttemptsRecord::Circuit(note) => {
                if output.read(offset, note.epoch) {
                    self.circuits.push(note);
                }
            }
            AttemptsRecord::Starts(starts) => {
                output.read(offset, starts.epoch);
            }
            AttemptsRecord::Answered(answered) => {
                output.read(offset, answered.epoch);
            }
            AttemptsRecord::Discarded(outcome) => {
                output.read(offset, outcome.link.epoch);
            }
            AttemptsRecord::HeadFailed(note) => {
                output.read(offset, note.link.epoch);
            }
        }
    }

    fn outcome(&mut self, offset: Offset, link: &Link, id: EndpointId, output: &mut Output) {
        if output.read(offset, link.epoch)
            && let Some(input) = Input::at(link.origin)
        {
            output.found(offset, input);
            self.done.insert(input, id);
        }
    }
}

/// Puts together what a new owner acts on.
fn found(
    shared: &Shared,
    (partition, epoch): (u32, u64),
    set: Set,
    told: Told,
    ends: &BTreeMap<Topic, Offset>,
    rest: Rest,
) -> Found {
    let Rest {
        mut wire,
        answers,
        mut lane_numbers,
    } = rest;
    let cursor = input_mark(&set, Topic::Events).map_or(0, |(below, _)| below);
    let requests = input_mark(&set, Topic::Requests).map_or(0, |(below, _)| below);
    let is_done = |input: &Input, lane: &LaneKey| {
        told.done.contains_key(input) || said_done(&set, input, lane)
    };
    wire.retain(|input, lane| !is_done(input, lane));
    let mut answers = answers;
    answers.retain(|(_, ticket)| !is_done(&ticket.input, &ticket.lane));
    let mut endpoints = BTreeMap::new();
    let mut marks = BTreeMap::new();
    for record in set.lanes.values() {
        recall(shared, record, cursor, &mut lane_numbers, &mut endpoints);
        let done = record.done.offsets(record.resume).unwrap_or_default();
        marks.extend(
            done.into_iter()
                .map(|offset| (offset, record.lane.endpoint)),
        );
    }
    for note in &told.circuits {
        let endpoint = known(shared, note.endpoint, &mut endpoints);
        endpoint.recall_circuit(note.state, note.probe_at.map(|at| at.0));
    }
    for (input, id) in &told.done {
        let Input::Event(offset) = input else {
            continue;
        };
        let waits = |lane: &&LaneRecord| lane.lane.endpoint == *id && *offset >= lane.resume;
        if *offset >= cursor || set.lanes.values().any(|lane| waits(&lane)) {
            marks.insert(*offset, *id);
        }
    }
    for key in wire.values() {
        known(shared, key.endpoint, &mut endpoints);
    }
    let tiers = tiers(&set, &told, ends);
    let mut outputs = told.outputs;
    outputs.insert(Topic::Progress, Output::new(epoch + 1, epoch));
    let seen = set
        .checkpoint
        .as_ref()
        .map_or_else(Highest::default, |c| highest(&c.origins));
    let answers = reissued(answers, epoch, partition);
    Found {
        epoch,
        cursor,
        endpoints,
        marks,
        tiers,
        outputs,
        origins: Origins::new(cursor, seen, set.notes),
        last_set: LastSet::taken_over(cursor),
        wire,
        answers,
        lane_numbers,
        requests,
    }
}

/// Whether the set says that an input is done, whose outcome may lie below what was read of the outputs.
fn said_done(set: &Set, input: &Input, lane: &LaneKey) -> bool {
    match *input {
        Input::Retry(tier, offset) => {
            input_mark(set, Topic::Retry(tier)).is_some_and(|(below, _)| offset < below)
        }
        Input::Event(offset) => {
            let below = input_mark(set, Topic::Events).map_or(0, |(below, _)| below);
            let record = set.lanes.get(&lane_id(*lane));
            match record {
                Some(record) => {
                    let done = record.done.offsets(record.resume).unwrap_or_default();
                    offset < record.resume || done.binary_search(&offset).is_ok()
                }
                None => offset < below,
            }
        }
    }
}

/// Answers whose outcome is nowhere, in the new epoch (O3).
fn reissued(
    answers: Vec<(Box<crate::outcome::Out>, crate::outcome::Ticket)>,
    epoch: u64,
    partition: u32,
) -> Vec<(Box<crate::outcome::Out>, crate::outcome::Ticket)> {
    let mut kept = Vec::new();
    for (mut out, ticket) in answers {
        tracing::debug!(partition, "an outcome is appended again in a new epoch");
        out.set_epoch(epoch);
        kept.push((out, ticket));
    }
    kept
}

fn input_mark(set: &Set, topic: Topic) -> Option<(Offset, u64)> {
    let inputs = &set.checkpoint.as_ref()?.inputs;
    let mark = inputs.iter().find(|mark| mark.topic == topic)?;
    Some((mark.below, mark.epoch.unwrap_or(0)))
}

/// The endpoint, as a new owner first knows it.
fn known<'a>(
    shared: &Shared,
    id: EndpointId,
    endpoints: &'a mut BTreeMap<EndpointId, Box<Endpoint>>,
) -> &'a mut Endpoint {
    endpoints.entry(id).or_insert_with(|| {
        let current = shared.control.read(|state| state.endpoint(&id).cloned());
        let tenant = current.map_or_else(
            || "default".parse().expect("the name is a tenant"),
            |current| current.endpoint.change.tenant.clone(),
        );
        Box::new(Endpoint::new(id, tenant))
    })
}

fn recall(
    shared: &Shared,
    record: &LaneRecord,
    cursor: Offset,
    numbers: &mut u64,
    endpoints: &mut BTreeMap<EndpointId, Box<Endpoint>>,
) {
    let endpoint = known(shared, record.lane.endpoint, endpoints);
    let priority = record.lane.priority.unwrap_or_default();
    endpoint.set_lane(priority, Lane::new(record.resume, cursor, *numbers));
    *numbers += 1;
    if let Some(health) = record.health {
        endpoint.recall(health);
    }
}

fn tiers(set: &Set, told: &Told, ends: &BTreeMap<Topic, Offset>) -> BTreeMap<Tier, TierQueue> {
    let mut done: BTreeMap<Tier, BTreeSet<Offset>> = BTreeMap::new();
    for input in told.done.keys() {
        if let Input::Retry(tier, offset) = input {
            done.entry(*tier).or_default().insert(*offset);
        }
    }
    let mut tiers = BTreeMap::new();
    for (topic, end) in ends {
        let Topic::Retry(tier) = topic else { continue };
        let (from, epoch) = input_mark(set, *topic).unwrap_or((0, 0));
        let mut done = done.remove(tier).unwrap_or_default();
        done.retain(|offset| *offset >= from);
        tiers.insert(*tier, TierQueue::new(*tier, from, epoch, *end, done));
    }
    tiers
}
