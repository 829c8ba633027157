//! What a new owner acts on, out of what a takeover has read.

use std::collections::{BTreeMap, BTreeSet};

use eventlog_port::Offset;
use retry_scheduler::TierQueue;
use schemas::ids::EndpointId;
use schemas::lane::Lane as LaneRecord;
use schemas::topics::{Tier, Topic};

use super::super::{Rest, Shared};
use super::{Set, Told};
use crate::core::{Found, LastSet, lane_id};
use crate::endpoint::Endpoint;
use crate::input::{Input, LaneKey};
use crate::lane::Lane;
use crate::origins::{Highest, Origins, highest};
use crate::output::Output;

/// Puts together what a new owner acts on.
pub(super) fn found(
    shared: &Shared,
    epoch: u64,
    set: Set,
    told: Told,
    ends: &BTreeMap<Topic, Offset>,
    rest: Rest,
) -> Found {
    let Rest {
        mut wire,
        mut answers,
        mut lane_numbers,
    } = rest;
    let cursor = set.input(Topic::Events).map_or(0, |(below, _)| below);
    let requests = set.input(Topic::Requests).map_or(0, |(below, _)| below);
    let is_done = |input: &Input, lane: &LaneKey| {
        told.done.contains_key(input) || said_done(&set, input, lane)
    };
    wire.retain(|input, lane| !is_done(input, lane));
    // Answers whose outcome is nowhere are appended in the new epoch (O3).
    answers.retain(|(_, ticket)| !is_done(&ticket.input, &ticket.lane));
    answers.iter_mut().for_each(|(out, _)| out.set_epoch(epoch));
    let marks = marks(&set, &told, cursor);
    let mut endpoints = BTreeMap::new();
    for record in set.lanes.values() {
        recall(shared, record, cursor, &mut lane_numbers, &mut endpoints);
    }
    for note in &told.circuits {
        let endpoint = known(shared, note.endpoint, &mut endpoints);
        endpoint.recall_circuit(note.state, note.probe_at.map(|at| at.0));
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
        Input::Retry(tier, offset) => set
            .input(Topic::Retry(tier))
            .is_some_and(|(below, _)| offset < below),
        Input::Event(offset) => {
            let below = set.input(Topic::Events).map_or(0, |(below, _)| below);
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

/// Events that are done and that a reader may come to: what lanes' records say, and what was found in the
/// outputs at or above the cursor, or where a lane of the same endpoint reads on below it.
fn marks(set: &Set, told: &Told, cursor: Offset) -> BTreeMap<Offset, EndpointId> {
    let mut marks = BTreeMap::new();
    let mut resumes: BTreeMap<EndpointId, Offset> = BTreeMap::new();
    for record in set.lanes.values() {
        let id = record.lane.endpoint;
        let lowest = resumes.entry(id).or_insert(record.resume);
        *lowest = record.resume.min(*lowest);
        let done = record.done.offsets(record.resume).unwrap_or_default();
        marks.extend(done.into_iter().map(|offset| (offset, id)));
    }
    for (input, id) in &told.done {
        if let Input::Event(offset) = *input
            && offset >= resumes.get(id).map_or(cursor, |resume| cursor.min(*resume))
        {
            marks.insert(offset, *id);
        }
    }
    marks
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
        let (from, epoch) = set.input(*topic).unwrap_or((0, 0));
        let mut done = done.remove(tier).unwrap_or_default();
        done.retain(|offset| *offset >= from);
        tiers.insert(*tier, TierQueue::new(*tier, from, epoch, *end, done));
    }
    tiers
}
