//! Reads one stretch of a partition.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, anyhow};
use eventlog_port::{EventLog, Offset, ReadError, ReadLimit, Reader, Record, TopicPartition};

use super::which::Range;

/// What one read may return. A scan of many partitions holds this much of each.
const BATCH: ReadLimit = ReadLimit {
    records: 1_000,
    bytes: 1 << 20,
    wait: Duration::from_secs(1),
};

/// How many offsets are asked for one by one where a reader finds nothing: a transaction's markers.
const GAP: u64 = 100;

/// How many waits without a record are borne in the middle of a stretch.
const PATIENCE: u32 = 30;

/// Hands out what a stretch holds, record by record. Damaged records are told of and left out.
pub(super) struct Scan {
    log: Arc<dyn EventLog>,
    range: Range,
    reader: Option<Box<dyn Reader>>,
    records: VecDeque<Record>,
    damaged: u64,
}

impl Scan {
    pub(super) fn new(log: Arc<dyn EventLog>, range: Range) -> Self {
        Self {
            log,
            range,
            reader: None,
            records: VecDeque::new(),
            damaged: 0,
        }
    }

    pub(super) fn partition(&self) -> &TopicPartition {
        &self.range.partition
    }

    /// How many damaged records were left out.
    pub(super) fn damaged(&self) -> u64 {
        self.damaged
    }

    /// The next record; `None` at the end.
    pub(super) async fn next(&mut self) -> Result<Option<Record>> {
        let mut silent = 0;
        loop {
            if let Some(record) = self.records.pop_front() {
                return Ok((record.offset < self.range.to).then_some(record));
            }
            if self.range.from >= self.range.to {
                return Ok(None);
            }
            self.read().await?;
            if self.records.is_empty() && self.range.from < self.range.to {
                silent += 1;
                self.bear(silent).await?;
            }
        }
    }

    async fn read(&mut self) -> Result<()> {
        let reader = match &mut self.reader {
            Some(reader) => reader,
            None => {
                let opened = self
                    .log
                    .reader(&self.range.partition, self.range.from)
                    .await?;
                self.reader.insert(opened)
            }
        };
        match reader.next(BATCH).await {
            Ok(records) => {
                self.range.from = reader.position();
                self.records.extend(records);
            }
            Err(ReadError::Corrupt { offset, source, .. }) => self.step_over(offset, &*source),
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    fn step_over(&mut self, offset: Offset, why: &dyn std::error::Error) {
        tracing::error!(partition = %self.range.partition, offset, error = %why, "damaged record");
        self.damaged += 1;
        self.range.from = offset + 1;
        self.reader = None;
    }

    /// A reader that finds nothing may stand before offsets that hold no record; then the stretch
    /// has been read.
    async fn bear(&mut self, silent: u32) -> Result<()> {
        let Range {
            partition,
            from,
            to,
        } = &self.range;
        if to - from <= GAP {
            for offset in *from..*to {
                if self.log.read_at(partition, offset).await?.is_some() {
                    return Ok(());
                }
            }
            self.range.from = *to;
        } else if silent >= PATIENCE {
            return Err(anyhow!(
                "{partition} shows no record at offset {from}, though it ends at {to}"
            ));
        }
        Ok(())
    }
}
