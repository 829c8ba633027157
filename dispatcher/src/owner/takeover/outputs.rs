//! What an owner's outputs say of its inputs, up to the fences.

use std::collections::BTreeMap;

use eventlog_port::{Offset, Record, TopicPartition};
use futures_util::future::try_join_all;
use schemas::attempts::{AttemptsRecord, Circuit};
use schemas::dead_letter::DeadLetterRecord;
use schemas::delivery::Link;
use schemas::ids::EndpointId;
use schemas::retry::RetryRecord;
use schemas::topics::Topic;

use super::super::reads::scan;
use super::super::{Failure, Shared, at};
use super::{Set, ours};
use crate::input::Input;
use crate::output::Output;

/// What the outputs say.
#[derive(Default)]
pub(super) struct Told {
    pub(super) done: BTreeMap<Input, EndpointId>,
    pub(super) outputs: BTreeMap<Topic, Output>,
    pub(super) circuits: Vec<Circuit>,
}

/// Reads each output from where the set says up to its fence (O8): all at once, since on a cluster each first
/// fetch takes its time.
pub(super) async fn read_outputs(
    shared: &Shared,
    partition: u32,
    set: &Set,
    ends: &BTreeMap<Topic, Offset>,
) -> Result<Told, Failure> {
    let reading = shared.outputs.iter().map(|topic| {
        let end = ends.get(topic).copied().unwrap_or(0);
        read_output(shared, at(*topic, partition), *topic, set, end)
    });
    let mut all = Told::default();
    for told in try_join_all(reading).await? {
        all.done.extend(told.done);
        all.outputs.extend(told.outputs);
        all.circuits.extend(told.circuits);
    }
    Ok(all)
}

async fn read_output(
    shared: &Shared,
    to: TopicPartition,
    topic: Topic,
    set: &Set,
    end: Offset,
) -> Result<Told, Failure> {
    let marks = set
        .checkpoint
        .iter()
        .flat_map(|checkpoint| &checkpoint.outputs);
    let mark = marks.into_iter().find(|mark| mark.topic == topic);
    let (from, epoch) = match mark {
        Some(mark) => (mark.from, mark.epoch),
        None => (shared.log.bounds(&to).await?.start, 0),
    };
    let mut told = Told::default();
    let mut output = Output::new(from, epoch);
    scan(&*shared.log, &to, (from, end), |record| {
        told.take(topic, record, &mut output)
    })
    .await?;
    told.outputs.insert(topic, output);
    Ok(told)
}

impl Told {
    fn take(&mut self, topic: Topic, record: Record, output: &mut Output) -> Result<(), Failure> {
        let offset = record.offset;
        let parts = record.into_parts();
        match topic {
            Topic::Attempts => {
                if let Some(record) = ours(AttemptsRecord::decode(&parts), topic, offset)?
                    && output.read(offset, record.epoch())
                {
                    self.attempts(offset, record, output);
                }
            }
            Topic::DeadLetters => {
                if let Some(record) = ours(DeadLetterRecord::decode(&parts), topic, offset)?
                    && output.read(offset, record.epoch())
                    && let DeadLetterRecord::DeadLetter(dead) = record
                {
                    self.outcome(offset, &dead.end.link, dead.addressed.endpoint, output);
                }
            }
            Topic::Retry(_)
            | Topic::Inbox
            | Topic::Routed
            | Topic::Events
            | Topic::Requests
            | Topic::Progress
            | Topic::Control
            | Topic::Quarantine => {
                if let Some(record) = ours(RetryRecord::decode(&parts), topic, offset)?
                    && output.read(offset, record.epoch())
                    && let RetryRecord::Retry(retry) = record
                {
                    self.outcome(offset, &retry.wait.link, retry.addressed.endpoint, output);
                }
            }
        }
        Ok(())
    }

    /// A record of `attempts` that counts.
    fn attempts(&mut self, offset: Offset, record: AttemptsRecord, output: &mut Output) {
        match record {
            AttemptsRecord::Succeeded(outcome) => {
                self.outcome(offset, &outcome.link, outcome.subject.endpoint, output);
            }
            AttemptsRecord::Cancelled(outcome) => {
                self.outcome(offset, &outcome.link, outcome.subject.endpoint, output);
            }
            AttemptsRecord::Circuit(note) => self.circuits.push(note),
            AttemptsRecord::Fence(_)
            | AttemptsRecord::Starts(_)
            | AttemptsRecord::Answered(_)
            | AttemptsRecord::Discarded(_)
            | AttemptsRecord::HeadFailed(_) => {}
        }
    }

    /// An outcome that counts: its input is done.
    fn outcome(&mut self, offset: Offset, link: &Link, id: EndpointId, output: &mut Output) {
        if let Some(input) = Input::at(link.origin) {
            output.found(offset, input);
            self.done.insert(input, id);
        }
    }
}
