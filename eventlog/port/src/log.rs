//! The port itself.

use async_trait::async_trait;
use domain::time::Timestamp;

use crate::error::{GroupError, ReadError, TopicError};
use crate::group::{GroupSpec, Member};
use crate::reader::{Bounds, Reader};
use crate::record::{Offset, Record, TopicPartition};
use crate::topic::{Plan, TopicInfo, TopicSpec};
use crate::writer::{Writer, WriterSpec};

/// A durable, partitioned, append-only log.
///
/// Every adapter MUST hold to these, and the conformance suite checks each:
///
/// - **Durable** means that the record survives the loss of power on one machine, or of all but one
///   in-sync replica of a cluster.
/// - Nothing at or above the durable end is ever readable, and nothing durable is ever unreadable
///   below it, but by retention.
/// - An offset names one record for ever: it is never given out twice, not after retention has
///   removed everything, nor after a restart.
/// - In one partition, records of one writer lie in the order in which they were accepted.
/// - A record comes back as it was appended, byte for byte, or as
///   [`Corrupt`](ReadError::Corrupt).
/// - Retention removes from the start only, never a record younger than the topic's `retention`
///   unless `retention_bytes` asks for it, and never compacts.
/// - Append times are the log's own. In one partition they ascend, as far as the engine's clock does.
#[async_trait]
pub trait EventLog: Send + Sync {
    /// Every topic there is, in the order of names, the engine's own left out.
    ///
    /// # Errors
    /// When the log can't be asked.
    async fn topics(&self) -> Result<Vec<TopicInfo>, TopicError>;

    /// What [`ensure`](Self::ensure) would do. Changes nothing.
    ///
    /// # Errors
    /// When a spec is malformed or the log can't be asked.
    async fn plan(&self, specs: &[TopicSpec]) -> Result<Vec<Plan>, TopicError>;

    /// Makes the topics that are missing and checks the others. When it returns, every one of
    /// them can be written and read.
    ///
    /// # Errors
    /// [`Mismatch`](TopicError::Mismatch), before anything is made, when a topic is there with a
    /// setting that would break a promise. Only a log that says [`Update`](crate::Action::Update)
    /// ever changes what is there.
    async fn ensure(&self, specs: &[TopicSpec]) -> Result<(), TopicError>;

    /// A new writer.
    ///
    /// # Errors
    /// When the log can't be written at all.
    async fn writer(&self, spec: WriterSpec) -> Result<Box<dyn Writer>, TopicError>;

    /// A reader whose first record is the one at `from`, or the next above it where offsets have a
    /// gap. `from` may be the durable end, not more. To read back from the end, take
    /// [`bounds`](Self::bounds) and start that much lower.
    ///
    /// # Errors
    /// When `from` is gone or beyond the end, or the partition isn't there. An adapter that can't
    /// know yet says so at the first [`next`](Reader::next).
    async fn reader(
        &self,
        partition: &TopicPartition,
        from: Offset,
    ) -> Result<Box<dyn Reader>, ReadError>;

    /// A reader as [`reader`](Self::reader) gives, for who would rather be handed many records together than each as it
    /// comes: one may be handed out later by a small part of a second. An engine may answer fewer requests then.
    ///
    /// # Errors
    /// As for a reader.
    async fn patient_reader(
        &self,
        partition: &TopicPartition,
        from: Offset,
    ) -> Result<Box<dyn Reader>, ReadError> {
        self.reader(partition, from).await
    }

    /// The record at `offset`: `None` in a gap or at and above the end.
    ///
    /// # Errors
    /// As for a reader.
    async fn read_at(
        &self,
        partition: &TopicPartition,
        offset: Offset,
    ) -> Result<Option<Record>, ReadError>;

    /// What the partition holds now. Everything that was durable before the call lies below `end`.
    ///
    /// # Errors
    /// When the partition isn't there or can't be asked.
    async fn bounds(&self, partition: &TopicPartition) -> Result<Bounds, ReadError>;

    /// The first offset whose record was appended at or after `time`; the durable end when there is
    /// none.
    ///
    /// # Errors
    /// As for [`bounds`](Self::bounds).
    async fn offset_at(
        &self,
        partition: &TopicPartition,
        time: Timestamp,
    ) -> Result<Offset, ReadError>;

    /// Joins a group.
    ///
    /// # Errors
    /// When the topic isn't there or the group can't be reached.
    async fn join(&self, spec: GroupSpec) -> Result<Box<dyn Member>, GroupError>;
}
