//! Until everything has ended, and what there is to read then.

use std::time::Duration;

use checker::history::Record;
use end_to_end::until::until;
use tokio::time::Instant;

use super::World;
use crate::faults::POISON;
use crate::journal::Line;

/// Whether nobody else has written it.
fn is_ours(record: &Record) -> bool {
    record.key.as_deref() != Some(POISON.as_bytes())
}

impl World {
    /// Reads the log on. Whoever reads it has to take in all of it: what came of a record may be read before the record is,
    /// and is not read again.
    ///
    /// # Errors
    /// As [`Brokers::read_on`](crate::brokers::Brokers::read_on).
    pub fn read_log(&mut self) -> anyhow::Result<()> {
        let new = tokio::task::block_in_place(|| self.brokers.read_on())?;
        for (topic, partition, record) in new.iter().filter(|(_, _, record)| is_ours(record)) {
            self.settled.take(topic, *partition, record);
        }
        Ok(())
    }

    /// Ends the clients, and waits until everything accepted has ended. How long that took since they did.
    ///
    /// # Errors
    /// When it does not within that time.
    pub async fn settle(&mut self, within: Duration) -> anyhow::Result<Duration> {
        self.load.end().await?;
        let begun = Instant::now();
        until("everything accepted has ended", within, async || {
            self.read_log()?;
            Ok(match self.settled.left() {
                0 => Ok(()),
                left => Err(format!("{left} have not")),
            })
        })
        .await?;
        Ok(begun.elapsed())
    }

    /// Dumps the log and the views anew into the journal.
    ///
    /// # Errors
    /// When either can't be read.
    pub async fn dump(&mut self) -> anyhow::Result<()> {
        self.journal.forget_dumps()?;
        self.read_log()?;
        for ((topic, partition), records) in self.brokers.records() {
            for record in records {
                let line = Line::Record(topic.clone(), *partition, record.clone());
                self.journal.write(&line)?;
            }
        }
        let views = crate::views::dump("live", self.cluster.name()).await?;
        self.journal.write(&Line::Views(views))
    }
}
