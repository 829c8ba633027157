//! What a writer knows of a topic.

/// The bytes that a record batch of one record has on the wire beyond key, value and headers: the
/// batch's own 61, and at most 31 of lengths and deltas (Kafka protocol, record batch version 2).
const BATCH_OVERHEAD: usize = 61 + 31;

/// The bytes that one header has beyond its name and value: two lengths of at most five.
const HEADER_OVERHEAD: usize = 10;

/// A topic that is written to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    /// Its name in the cluster.
    pub(crate) full_name: String,
    /// How many partitions it had when it was looked up. They never get fewer.
    pub(crate) partitions: u32,
    /// The largest record that the topic was asked to take, by the port's measure.
    pub(crate) max_record_bytes: u32,
    /// The largest batch that the brokers take.
    pub(crate) max_message_bytes: u32,
}

impl Target {
    /// The limit that a record of `size` bytes with so many headers breaks, if it breaks one.
    pub(crate) fn broken_limit(&self, size: usize, headers: usize) -> Option<usize> {
        let on_the_wire = size + BATCH_OVERHEAD + headers * HEADER_OVERHEAD;
        let allowed = self.max_message_bytes as usize;
        if size > self.max_record_bytes as usize {
            Some(self.max_record_bytes as usize)
        } else if on_the_wire > allowed {
            Some(allowed.saturating_sub(on_the_wire - size))
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_the_topics_and_never_more_than_the_brokers() {
        let target = Target {
            full_name: "t".to_owned(),
            partitions: 1,
            max_record_bytes: 1_000,
            max_message_bytes: 5_096,
        };
        assert_eq!(target.broken_limit(1_000, 3), None);
        assert_eq!(target.broken_limit(1_001, 3), Some(1_000));
        let many_headers = 500;
        assert_eq!(
            target.broken_limit(900, many_headers),
            Some(5_096 - 92 - 5_000)
        );
    }
}
