//! Appends that were accepted and are not known to be durable, in the order of each partition.

use std::collections::{BTreeMap, VecDeque};
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};

use eventlog_port::{AppendError, Appended, Appending};
use schemas::topics::Topic;
use tokio::time::Instant;

use crate::core::Plan;
use crate::outcome::{Out, Ticket};

/// Who waits for it.
pub(super) enum Waits {
    /// An input; with the outcome itself, where it may have to be appended again.
    Outcome(Ticket, Option<Box<Out>>),
    /// Nobody.
    Note,
    /// The last record of a checkpoint.
    Checkpoint(Box<Plan>),
}

/// An append that is durable.
pub(super) struct Acked {
    pub(super) topic: Topic,
    pub(super) sent: Instant,
    pub(super) appended: Appended,
    pub(super) waits: Waits,
}

/// Answers come in the order of the appends of one partition, so only the first of each is asked.
#[derive(Default)]
pub(super) struct Acks {
    queues: BTreeMap<Topic, VecDeque<(Appending, Instant, Waits)>>,
    open: usize,
    /// An append has failed: the epoch is over once what was durable before has been told.
    failed: Option<AppendError>,
}

impl Acks {
    /// `sent`: when it was handed over.
    pub(super) fn push(&mut self, topic: Topic, sent: Instant, appending: Appending, waits: Waits) {
        self.queues
            .entry(topic)
            .or_default()
            .push_back((appending, sent, waits));
        self.open += 1;
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.open == 0
    }

    /// Waits for the next answers; never ends while there is none to wait for.
    pub(super) async fn next(&mut self) -> Result<Vec<Acked>, AppendError> {
        poll_fn(|cx| self.poll(cx)).await
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Vec<Acked>, AppendError>> {
        if let Some(error) = &self.failed {
            return Poll::Ready(Err(error.clone()));
        }
        let mut acked = Vec::new();
        for (topic, queue) in &mut self.queues {
            while let Some((appending, ..)) = queue.front_mut() {
                let Poll::Ready(answer) = Pin::new(appending).poll(cx) else {
                    break;
                };
                let appended = match answer {
                    Ok(appended) => appended,
                    Err(error) => {
                        self.failed = Some(error.clone());
                        return Poll::Ready(if acked.is_empty() {
                            Err(error)
                        } else {
                            Ok(acked)
                        });
                    }
                };
                if let Some((_, sent, waits)) = queue.pop_front() {
                    self.open -= 1;
                    acked.push(Acked {
                        topic: *topic,
                        sent,
                        appended,
                        waits,
                    });
                }
            }
        }
        if acked.is_empty() {
            Poll::Pending
        } else {
            Poll::Ready(Ok(acked))
        }
    }

    /// The answers to requests among what is left.
    pub(super) fn into_answers(self) -> impl Iterator<Item = (Box<Out>, Ticket)> {
        let left = self.queues.into_values().flatten();
        left.filter_map(|(.., waits)| match waits {
            Waits::Outcome(ticket, Some(out)) => Some((out, ticket)),
            Waits::Outcome(_, None) | Waits::Note | Waits::Checkpoint(_) => None,
        })
    }
}
