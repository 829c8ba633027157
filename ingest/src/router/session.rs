//! One life of a router on one partition: from its commit to the first error (`docs/protocol.md`, R4).

use std::future::poll_fn;
use std::sync::Arc;

use eventlog_port::{
    AppendError, Appending, ReadLimit, Reader, Record, TopicPartition, WriterKind, WriterSpec,
};
use schemas::error::DecodeError;
use schemas::inbox::InboxEvent;
use schemas::routed::Routed;
use schemas::topics::Topic;

use super::decide::{Incoming, Terms, Verdict, settle, wave};
use super::decisions::Decisions;
use super::error::Failure;
use super::outputs::Outputs;
use super::partition::{Place, Shared};
use super::progress::Progress;
use super::records::foreign_decision;
use crate::limits::{OPEN_RECORDS, READ_BYTES, READ_RECORDS, READ_WAIT};

const READ: ReadLimit = ReadLimit {
    records: READ_RECORDS,
    bytes: READ_BYTES,
    wait: READ_WAIT,
};

pub(super) struct Session {
    out: Outputs,
    inbox: Box<dyn Reader>,
    routed: Box<dyn Reader>,
    /// Where decisions go.
    routed_in: TopicPartition,
    decisions: Decisions,
    progress: Progress<Appending>,
}

impl Session {
    /// Begins at `from` with a new writer, and reads what is decided from there on.
    pub(super) async fn begin(
        shared: Arc<Shared>,
        terms: Terms,
        from: Place,
    ) -> Result<Self, Failure> {
        let log = Arc::clone(&shared.log);
        let inbox_in = TopicPartition::of(Topic::Inbox, terms.partition);
        let routed_in = TopicPartition::of(Topic::Routed, terms.partition);
        let bounds = log.bounds(&routed_in).await?;
        // Decisions that retention has taken are about records that it has taken before.
        let place = from.routed.max(bounds.start);
        let spec = WriterSpec {
            kind: WriterKind::Prefix,
            name: format!("router-{}", terms.partition),
            max_in_flight: shared.config.max_in_flight,
        };
        let mut session = Self {
            inbox: log.reader(&inbox_in, from.inbox).await?,
            routed: log.reader(&routed_in, place).await?,
            decisions: Decisions::new(from.inbox, place),
            progress: Progress::new(from.inbox),
            out: Outputs {
                writer: log.writer(spec).await?,
                shared,
                terms,
            },
            routed_in,
        };
        // What is not found now, in a gap or by a log that is slow, is found when it is asked for.
        while session.decisions.read_to() < bounds.end && session.read_decisions().await? {}
        Ok(session)
    }

    /// What may be committed now.
    pub(super) fn place(&mut self) -> Place {
        let inbox = self.progress.commit();
        Place {
            inbox,
            routed: self.decisions.commit(inbox),
        }
    }

    /// One step: answers that came, or records to route. Whatever it is dropped in, what it says is
    /// durable is so.
    pub(super) async fn step(&mut self) -> Result<(), Failure> {
        let (progress, inbox) = (&mut self.progress, &mut self.inbox);
        let may_read = progress.open() < OPEN_RECORDS;
        let records = tokio::select! {
            biased;
            answers = poll_fn(|cx| progress.poll_answers(cx)) => return Ok(answers?),
            records = inbox.next(READ), if may_read => records?,
        };
        self.route(records).await
    }

    /// Waits until everything that was accepted has its answer.
    pub(super) async fn drain(&mut self) -> Result<(), AppendError> {
        while self.progress.open() > 0 {
            poll_fn(|cx| self.progress.poll_answers(cx)).await?;
        }
        Ok(())
    }

    async fn route(&mut self, records: Vec<Record>) -> Result<(), Failure> {
        let (mut batch, newer) = read(records, &self.out.terms);
        while !batch.is_empty() {
            let rest = batch.split_off(wave(&batch, &self.out.terms).max(1));
            self.route_wave(&batch).await?;
            batch = rest;
        }
        match newer {
            None => Ok(()),
            // What came before it is done first.
            Some(newer) => {
                self.drain().await?;
                Err(newer)
            }
        }
    }

    /// Routes records that have nothing to wait for from one another.
    async fn route_wave(&mut self, wave: &[Incoming]) -> Result<(), Failure> {
        let verdicts = self.out.judge(wave).await?;
        self.ask(wave, &verdicts).await?;
        self.out.write_rows(wave, &verdicts, &self.decisions).await;
        for (incoming, verdict) in wave.iter().zip(&verdicts) {
            let decided = match verdict {
                Verdict::Says(_) => None,
                Verdict::Ask(_) => {
                    let found = self.decisions.of(incoming.offset);
                    Some(found.ok_or(Failure::Undecided(incoming.offset))?)
                }
            };
            let settled = settle(incoming, decided);
            let appends = self.out.append_settled(incoming, settled).await?;
            self.progress.routed(incoming.offset, appends);
        }
        Ok(())
    }

    /// Has `routed` decide what it must, in the order of the inbox, and reads back what holds.
    async fn ask(&mut self, wave: &[Incoming], verdicts: &[Verdict]) -> Result<(), Failure> {
        let mut asked = Vec::new();
        for (incoming, verdict) in wave.iter().zip(verdicts) {
            if let Verdict::Ask(decision) = verdict
                && self.decisions.of(incoming.offset).is_none()
            {
                let record = decision.encode().into();
                asked.push(self.out.writer.append(&self.routed_in, record).await?);
            }
        }
        let mut end = None;
        for appending in asked {
            end = Some(appending.await?.offset + 1);
        }
        while end.is_some_and(|end| self.decisions.read_to() < end) {
            self.read_decisions().await?;
        }
        Ok(())
    }

    /// Reads on in `routed`. False when nothing came.
    async fn read_decisions(&mut self) -> Result<bool, Failure> {
        let records = self.routed.next(READ).await?;
        let any = !records.is_empty();
        for record in records {
            self.read_decision(record).await?;
        }
        self.decisions.pass(self.routed.position());
        Ok(any)
    }

    async fn read_decision(&mut self, record: Record) -> Result<(), Failure> {
        let (place, appended_at) = (record.offset, record.appended_at);
        let parts = record.into_parts();
        match Routed::decode(&parts) {
            Ok(decision) => {
                let origin = decision.origin();
                if origin.topic == Topic::Inbox && origin.partition == self.out.terms.partition {
                    self.decisions.see(place, decision);
                }
                Ok(())
            }
            Err(DecodeError::UnknownVersion { found }) => Err(Failure::NewerVersion {
                topic: "routed",
                offset: place,
                found,
            }),
            Err(DecodeError::Malformed(malformed)) => {
                tracing::warn!(place, %malformed, "somebody else wrote to routed");
                let kept =
                    foreign_decision(&parts, place, appended_at, &malformed, &self.out.terms);
                self.out.quarantine(kept).await?.await?;
                Ok(())
            }
        }
    }
}

/// Reads records up to the first that a newer program wrote.
fn read(records: Vec<Record>, terms: &Terms) -> (Vec<Incoming>, Option<Failure>) {
    let mut batch = Vec::with_capacity(records.len());
    for record in records {
        let (offset, appended_at) = (record.offset, record.appended_at);
        let parts = record.into_parts();
        let event = match InboxEvent::decode(&parts) {
            Ok(event) => Ok(event),
            Err(DecodeError::Malformed(malformed)) => Err(malformed),
            Err(DecodeError::UnknownVersion { found }) => {
                let topic = "inbox";
                let newer = Failure::NewerVersion {
                    topic,
                    offset,
                    found,
                };
                return (batch, Some(newer));
            }
        };
        batch.push(Incoming::new(offset, appended_at, parts, event, terms));
    }
    (batch, None)
}
