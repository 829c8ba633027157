//! Which partition a key goes to, as Kafka's own producers have it: an event that comes in over HTTP
//! and one that a Kafka producer writes under the same key meet in one partition of `inbox`.

use eventlog_port::{EventLog, TopicInfo, TopicPartition, TopicSpec};
use schemas::topics::Topic;

use crate::accept::BuildError;

/// The partition of a keyed record among `partitions`, as Kafka's default partitioner has it:
/// `toPositive(murmur2(key)) % partitions`. Zero when there are none.
#[must_use]
pub fn partition_of(key: &[u8], partitions: u32) -> u32 {
    (murmur2(key) & 0x7fff_ffff)
        .checked_rem(partitions)
        .unwrap_or(0)
}

/// MurmurHash2 by Austin Appleby, 32 bits, as `org.apache.kafka.common.utils.Utils.murmur2` has it.
#[must_use]
pub fn murmur2(data: &[u8]) -> u32 {
    const SEED: u32 = 0x9747_b28c;
    const M: u32 = 0x5bd1_e995;
    const R: u32 = 24;
    // Kafka's lengths are Java's ints; no key of ours comes near their end.
    let mut hash = SEED ^ (data.len() as u32);
    let (words, rest) = data.as_chunks::<4>();
    for word in words {
        let mixed = u32::from_le_bytes(*word).wrapping_mul(M);
        let mixed = (mixed ^ (mixed >> R)).wrapping_mul(M);
        hash = hash.wrapping_mul(M) ^ mixed;
    }
    if !rest.is_empty() {
        let low_first = rest.iter().rev();
        hash ^= low_first.fold(0, |word, byte| (word << 8) | u32::from(*byte));
        hash = hash.wrapping_mul(M);
    }
    hash = (hash ^ (hash >> 13)).wrapping_mul(M);
    hash ^ (hash >> 15)
}

/// The partitions of one topic, each by its number: their names are made once.
#[derive(Clone, Debug)]
pub struct Partitions {
    all: Vec<TopicPartition>,
    max_record_bytes: u32,
}

impl Partitions {
    /// The partitions that `topic` has in `log`.
    ///
    /// # Errors
    /// When the log can't say, or has no such topic.
    pub async fn read(log: &dyn EventLog, topic: Topic) -> Result<Self, BuildError> {
        let found = Self::info(log, topic).await?;
        Ok(Self::of(topic, &found.spec))
    }

    pub(crate) async fn info(log: &dyn EventLog, topic: Topic) -> Result<TopicInfo, BuildError> {
        let name = topic.to_string();
        let topics = log.topics().await?;
        let found = topics.into_iter().find(|info| info.spec.name == name);
        found.ok_or(BuildError::NoTopic(topic))
    }

    fn of(topic: Topic, spec: &TopicSpec) -> Self {
        let all = (0..spec.partitions).map(|number| TopicPartition::of(topic, number));
        Self {
            all: all.collect(),
            max_record_bytes: spec.max_record_bytes,
        }
    }

    /// The largest record that one takes, in bytes.
    #[must_use]
    pub const fn max_record_bytes(&self) -> u32 {
        self.max_record_bytes
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.all.len() as u32
    }

    /// Partition `number`, if there is one.
    #[must_use]
    pub fn get(&self, number: u32) -> Option<&TopicPartition> {
        self.all.get(number as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `UtilsTest.testMurmur2` of Apache Kafka 3.9.
    #[test]
    fn hashes_are_those_of_kafkas_own_test() {
        let cases: [(&[u8], i32); 6] = [
            (b"21", -973_932_308),
            (b"foobar", -790_332_482),
            (b"a-little-bit-long-string", -985_981_536),
            (b"a-little-bit-longer-string", -1_486_304_829),
            (
                b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8",
                -58_897_971,
            ),
            (b"abc", 479_470_107),
        ];
        for (key, hash) in cases {
            assert_eq!(murmur2(key).cast_signed(), hash, "{key:?}");
        }
    }

    #[test]
    fn a_partition_is_one_of_those_there_are() {
        // The sign bit is cleared, not the absolute value taken.
        assert_eq!(
            partition_of(b"21", 8),
            ((-973_932_308_i32).cast_unsigned() & 0x7fff_ffff) % 8
        );
        assert_eq!(partition_of(b"anything", 1), 0);
        assert_eq!(partition_of(b"anything", 0), 0);
        assert!((0..100_u32).all(|n| partition_of(&n.to_be_bytes(), 7) < 7));
    }

    #[test]
    fn partitions_are_found_by_number() {
        let spec = TopicSpec {
            name: "inbox".to_owned(),
            partitions: 3,
            retention: None,
            retention_bytes: None,
            max_record_bytes: 1,
        };
        let partitions = Partitions::of(Topic::Inbox, &spec);
        assert_eq!(partitions.count(), 3);
        assert_eq!(
            partitions.get(2).unwrap(),
            &TopicPartition::of(Topic::Inbox, 2)
        );
        assert!(partitions.get(3).is_none());
    }
}
