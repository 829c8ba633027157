//! What is appended and what is read back.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use bytestring::ByteString;
use domain::time::Timestamp;
use schemas::Parts;
use schemas::topics::Topic;

/// A record's place in its partition: ascending, never used twice, not always without gaps.
pub type Offset = u64;

/// One partition of one topic.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicPartition {
    topic: Arc<str>,
    partition: u32,
}

impl TopicPartition {
    /// Partition `partition` (from 0) of `topic`.
    #[must_use]
    pub fn new(topic: impl Into<Arc<str>>, partition: u32) -> Self {
        Self {
            topic: topic.into(),
            partition,
        }
    }

    /// Partition `partition` of one of the protocol's topics. Makes the name: whoever appends often
    /// keeps it.
    #[must_use]
    pub fn of(topic: Topic, partition: u32) -> Self {
        Self::new(topic.to_string(), partition)
    }

    /// The topic's name.
    #[must_use]
    pub fn topic(&self) -> &str {
        &self.topic
    }

    /// The partition's number, from 0.
    #[must_use]
    pub const fn partition(&self) -> u32 {
        self.partition
    }
}

impl fmt::Display for TopicPartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}[{}]", self.topic, self.partition)
    }
}

/// One header: a name and bytes. Names may repeat; order is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    name: Bytes,
    /// The value, opaque; `None` is Kafka's null, which is not the same as empty.
    pub value: Option<Bytes>,
}

impl Header {
    /// A header with a name known when the program is compiled: nothing is copied.
    #[must_use]
    pub fn new(name: &'static str, value: impl Into<Bytes>) -> Self {
        Self {
            name: Bytes::from_static(name.as_bytes()),
            value: Some(value.into()),
        }
    }

    /// A header as an adapter finds it.
    ///
    /// # Errors
    /// When `name` is not UTF-8.
    pub fn from_parts(name: Bytes, value: Option<Bytes>) -> Result<Self, std::str::Utf8Error> {
        std::str::from_utf8(&name)?;
        Ok(Self { name, value })
    }

    /// The name's bytes, which are UTF-8, and the value: nothing is copied.
    #[must_use]
    pub fn into_parts(self) -> (Bytes, Option<Bytes>) {
        (self.name, self.value)
    }

    /// The header's name.
    #[must_use]
    pub fn name(&self) -> &str {
        // Both constructors take UTF-8 only; a slice that is not would be a bug here, shown empty.
        std::str::from_utf8(&self.name).unwrap_or_default()
    }
}

/// A record to append. Its time is not the writer's to choose: the log stamps it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewRecord {
    /// The key, opaque. It never decides the partition: placement is explicit.
    pub key: Option<Bytes>,
    /// The headers, in order.
    pub headers: Vec<Header>,
    /// The value, opaque; `None` is a tombstone, which only others write.
    pub value: Option<Bytes>,
}

impl NewRecord {
    /// The bytes that count against a topic's limit: key, value, and each header's name and value.
    #[must_use]
    pub fn size(&self) -> usize {
        size(self.key.as_ref(), &self.headers, self.value.as_ref())
    }
}

impl From<Parts> for NewRecord {
    fn from(parts: Parts) -> Self {
        let header = |header: schemas::Header| Header {
            name: header.name.into_bytes(),
            value: header.value,
        };
        Self {
            key: parts.key,
            headers: parts.headers.into_iter().map(header).collect(),
            value: parts.value,
        }
    }
}

/// A record as the log holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its place in the partition.
    pub offset: Offset,
    /// When the log appended it, by the log's own clock.
    pub appended_at: Timestamp,
    /// The key.
    pub key: Option<Bytes>,
    /// The headers, in the writer's order.
    pub headers: Vec<Header>,
    /// The value.
    pub value: Option<Bytes>,
}

impl Record {
    /// As [`NewRecord::size`].
    #[must_use]
    pub fn size(&self) -> usize {
        size(self.key.as_ref(), &self.headers, self.value.as_ref())
    }

    /// What the record holds, in the words of the codecs. Nothing is copied.
    #[must_use]
    pub fn into_parts(self) -> Parts {
        let header = |header: Header| schemas::Header {
            // As in `Header::name`.
            name: ByteString::try_from(header.name).unwrap_or_default(),
            value: header.value,
        };
        Parts {
            key: self.key,
            headers: self.headers.into_iter().map(header).collect(),
            value: self.value,
        }
    }

    /// The value of the last header called `name` (as Kafka's own clients look one up).
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&Bytes> {
        self.headers
            .iter()
            .rev()
            .find(|h| h.name() == name)
            .and_then(|h| h.value.as_ref())
    }
}

fn size(key: Option<&Bytes>, headers: &[Header], value: Option<&Bytes>) -> usize {
    let optional = |bytes: Option<&Bytes>| bytes.map_or(0, Bytes::len);
    let of_header = |header: &Header| header.name.len() + optional(header.value.as_ref());
    optional(key) + optional(value) + headers.iter().map(of_header).sum::<usize>()
}
