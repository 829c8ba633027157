//! Appending: accepted, then durable.

use std::pin::Pin;
use std::task::{Context, Poll};

use async_trait::async_trait;
use domain::time::Timestamp;

use crate::completion::Waiter;
use crate::error::AppendError;
use crate::record::{NewRecord, Offset, TopicPartition};

/// What happens behind an append that fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriterKind {
    /// Records of one partition land in the order in which they were accepted; one that fails
    /// leaves a gap, and those behind it may land. For ingest.
    Ordered,
    /// As ordered, and: in each partition, what landed is a prefix of what was accepted. Once an
    /// append has failed or its outcome is unknown, the writer is broken: every append accepted
    /// after it in that partition never lands, every later call says
    /// [`Broken`](AppendError::Broken), and work goes on with a new writer. For owners and routers.
    Prefix,
}

/// The writer that is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WriterSpec {
    /// Its kind.
    pub kind: WriterKind,
    /// A name for logs and the broker's own metrics. Not an identity: two writers may share one.
    pub name: String,
    /// How many appends may be accepted and not yet durable; [`Writer::append`] waits at the bound.
    pub max_in_flight: u32,
}

/// Where an append came to lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    /// The record's offset.
    pub offset: Offset,
    /// When the log appended it, by the log's own clock.
    pub appended_at: Timestamp,
}

/// Appends records. Any number of tasks may share one.
#[async_trait]
pub trait Writer: Send + Sync {
    /// Hands a record to the log. Returns once it is *accepted*; waits while the writer has
    /// `max_in_flight` appends that are not durable yet. This is where backpressure is felt.
    ///
    /// The order of acceptance is the order in which these calls return. Awaiting the
    /// [`Appending`] tells when the record is durable; dropping it gives up the answer, not the
    /// record. A call that is dropped before it returned has accepted nothing.
    ///
    /// # Errors
    /// What refuses the record at once: its size, a partition that is not there, or of which the log can't say now whether
    /// it is there ([`Unavailable`](AppendError::Unavailable)), a writer that is broken or closed. Nothing is appended then.
    async fn append(
        &self,
        to: &TopicPartition,
        record: NewRecord,
    ) -> Result<Appending, AppendError>;

    /// Refuses new appends and waits until each accepted one has its answer. Calling it again does
    /// no harm. A writer that is dropped without it leaves what it had accepted *unknown*.
    async fn close(&self);
}

/// An append that was accepted. Resolves when the record is durable, or can't be known to be.
///
/// Durable: on the embedded log, past an fsync; on a broker, acknowledged by every in-sync replica.
#[derive(Debug)]
#[must_use = "a record that was only accepted may still be lost"]
pub struct Appending(Waiter<Result<Appended, AppendError>>);

impl Appending {
    /// An append whose answer `waiter` will get.
    pub const fn new(waiter: Waiter<Result<Appended, AppendError>>) -> Self {
        Self(waiter)
    }
}

impl Future for Appending {
    type Output = Result<Appended, AppendError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx)
    }
}
