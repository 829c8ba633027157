//! Several partitions as one sequence, in the order of time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use anyhow::Result;
use domain::time::Timestamp;
use eventlog_port::{Record, TopicPartition};

use super::scan::Scan;

/// Merges scans by append time. Within a partition the order is the log's, whatever its times say.
pub(super) struct Merge {
    scans: Vec<(Scan, Option<Record>)>,
    /// The time of each scan's next record, and its place in `scans`.
    next: BinaryHeap<Reverse<(Timestamp, usize)>>,
}

impl Merge {
    pub(super) async fn new(scans: impl IntoIterator<Item = Scan>) -> Result<Self> {
        let scans: Vec<_> = scans.into_iter().map(|scan| (scan, None)).collect();
        let count = scans.len();
        let mut merge = Self {
            scans,
            next: BinaryHeap::with_capacity(count),
        };
        for place in 0..count {
            merge.advance(place).await?;
        }
        Ok(merge)
    }

    /// The next record of all, and where it lies.
    pub(super) async fn next(&mut self) -> Result<Option<(TopicPartition, Record)>> {
        let Some(Reverse((_, place))) = self.next.pop() else {
            return Ok(None);
        };
        let (scan, record) = &mut self.scans[place];
        let next = record
            .take()
            .map(|record| (scan.partition().clone(), record));
        self.advance(place).await?;
        Ok(next)
    }

    async fn advance(&mut self, place: usize) -> Result<()> {
        let (scan, record) = &mut self.scans[place];
        *record = scan.next().await?;
        self.next.extend(
            record
                .as_ref()
                .map(|record| Reverse((record.appended_at, place))),
        );
        Ok(())
    }

    /// How many damaged records were left out.
    pub(super) fn damaged(&self) -> u64 {
        self.scans.iter().map(|(scan, _)| scan.damaged()).sum()
    }
}
