//! The database under the log: opened, read, written. Nobody else in the log names its types.

use std::thread;
use std::time::Duration;

use bytes::Bytes;
use eventlog_port::{BoxError, Offset, TopicPartition};
use fjall::config::{BlockSizePolicy, FilterPolicy, PinningPolicy};
use fjall::{Database, Keyspace, KeyspaceCreateOptions, OwnedWriteBatch, PersistMode};
use parking_lot::RwLock;
use tokio::time::Instant;

use crate::config::Config;
use crate::directory::{Directory, io_error};
use crate::encoding::{Damage, Stamp, peek};
use crate::error::OpenError;
use crate::journals::Sealed;
use crate::partition::Tail;
use crate::topics::{SEQUENCE_KEY, StoredStart, StoredTopic, TOPIC_PREFIX, start_key};

/// A journal is sealed at about 64 MiB; with more than this many bytes in them, the keyspaces that
/// hold the oldest one back are written out. It bounds what a start has to replay into memory.
const JOURNAL_BYTES: u64 = 128 << 20;

/// The keyspace of the table of contents. No partition's ends without a dot and a number.
const CONTENTS: &str = "contents";

/// A keyspace is written out at this size: small enough for many of them in little memory.
const MEMTABLE_BYTES: u64 = 16 << 20;

/// The table of contents is written out at this size: most of it is the number of each batch.
const CONTENTS_BYTES: u64 = 4 << 20;

/// Above this, over all partitions, the largest memtable is written out, and commits wait for it as long
/// as what they bring would take at [`SLOWLY`]: bounded, however many partitions there are.
const HELD_BYTES: u64 = 32 << 20;

/// Bytes a second that are taken in while the engine lags behind: less than it writes out, so that it
/// catches up, and enough that a small batch waits only a little.
const SLOWLY: u64 = 32 << 20;

/// Above this commits wait for as long as [`WRITING_OUT`]: the disk takes less than [`SLOWLY`].
const MOST_BYTES: u64 = 2 * HELD_BYTES;

/// No commit waits longer than this: a worker that is dead is found out by the next write, and where one
/// is stuck, the engine itself stops at four sealed memtables of a partition.
const WRITING_OUT: Duration = Duration::from_secs(1);

/// How often it is looked whether something was written out; the engine tells nobody.
const LOOK: Duration = Duration::from_millis(1);

/// A second worker would spin for as long as the first one compacts, on a core that appends need; and
/// one partition is only ever written out by one (ADR 0051).
const WORKERS: usize = 1;

/// Large enough that a sequential read makes few calls, small enough for a point read.
const BLOCK_BYTES: u32 = 16 << 10;

/// The open database.
pub(crate) struct Engine {
    database: Database,
    contents: Keyspace,
    /// By slot; `None` until a partition has its first record.
    partitions: RwLock<Vec<Option<Keyspace>>>,
}

/// One batch: all of it becomes durable, or none.
pub(crate) struct Batch(OwnedWriteBatch);

impl Engine {
    /// Opens the database in `directory`, or makes it. What a kill left half written is dropped.
    pub(crate) fn open(directory: &Directory, config: &Config) -> Result<Self, OpenError> {
        let open = || {
            let database = Database::builder(directory.database())
                .cache_size(config.cache_bytes)
                .max_journaling_size(JOURNAL_BYTES)
                .manual_journal_persist(true)
                .worker_threads(WORKERS)
                .open()?;
            let contents = database.keyspace(CONTENTS, contents_options)?;
            Ok(Self {
                database,
                contents,
                partitions: RwLock::default(),
            })
        };
        let database = directory.database();
        let failed = |source| io_error(&database, source);
        let journals = Sealed::look(&database).map_err(failed)?;
        let opened = open().map_err(|source: fjall::Error| OpenError::Engine {
            directory: directory.path().to_owned(),
            source: Box::new(source),
        })?;
        if let Some((journal, left, written)) = journals.shortened().map_err(failed)? {
            let journal = journal.display();
            let what = format!("{journal} could be read up to byte {left} of {written}");
            return Err(OpenError::Damaged {
                directory: directory.path().to_owned(),
                what,
            });
        }
        Ok(opened)
    }

    /// Every topic in the table of contents.
    pub(crate) fn topics(&self) -> Result<Vec<(String, StoredTopic)>, BoxError> {
        let mut topics = Vec::new();
        for entry in self.contents.prefix(TOPIC_PREFIX) {
            let (key, value) = entry.into_inner()?;
            let name = std::str::from_utf8(&key[TOPIC_PREFIX.len()..])?;
            topics.push((name.to_owned(), serde_json::from_slice(&value)?));
        }
        Ok(topics)
    }

    /// An entry of the table of contents.
    pub(crate) fn contents(&self, key: &[u8]) -> Result<Option<Bytes>, fjall::Error> {
        Ok(self.contents.get(key)?.map(Into::into))
    }

    /// The number of the last batch that is there.
    pub(crate) fn sequence(&self) -> Result<u64, BoxError> {
        let Some(stored) = self.contents(SEQUENCE_KEY)? else {
            return Ok(0);
        };
        Ok(u64::from_be_bytes(stored.as_ref().try_into()?))
    }

    /// Opens a partition's keyspace, if there is one.
    pub(crate) fn attach(&self, slot: usize, id: &TopicPartition) -> Result<(), fjall::Error> {
        let name = keyspace_name(id);
        let there = self.database.keyspace_exists(&name);
        let keyspace = if there {
            Some(self.database.keyspace(&name, options)?)
        } else {
            None
        };
        if let Some(keyspace) = keyspace {
            self.keep(slot, keyspace);
        }
        Ok(())
    }

    /// Where the partition in `slot` begins and ends.
    pub(crate) fn recover(
        &self,
        slot: usize,
        id: &TopicPartition,
    ) -> Result<(u64, Tail), BoxError> {
        let start = match self.contents(&start_key(id))? {
            Some(stored) => serde_json::from_slice(&stored)?,
            None => StoredStart::default(),
        };
        let Some(last) = self
            .keyspace(slot)
            .and_then(|keyspace| keyspace.last_key_value())
        else {
            return Ok((start.start, start.tail()));
        };
        let (key, value) = last.into_inner()?;
        let offset = offset_of(&key)?;
        if offset < start.end.saturating_sub(1) {
            return Ok((start.start, start.tail()));
        }
        // What is checked here is what the next record's stamp goes on from.
        let record = crate::encoding::decode(offset, value.clone().into())?;
        let Stamp {
            appended_at, total, ..
        } = peek(record.offset, &value)?;
        Ok((
            start.start,
            Tail {
                end: offset + 1,
                newest: appended_at,
                total,
            },
        ))
    }

    fn keyspace(&self, slot: usize) -> Option<Keyspace> {
        self.partitions.read().get(slot).cloned().flatten()
    }

    fn keyspace_or_new(&self, slot: usize, id: &TopicPartition) -> Result<Keyspace, fjall::Error> {
        if let Some(keyspace) = self.keyspace(slot) {
            return Ok(keyspace);
        }
        let keyspace = self.database.keyspace(&keyspace_name(id), options)?;
        self.keep(slot, keyspace.clone());
        Ok(keyspace)
    }

    fn keep(&self, slot: usize, keyspace: Keyspace) {
        let mut partitions = self.partitions.write();
        let slots = partitions.len().max(slot + 1);
        partitions.resize(slots, None);
        partitions[slot] = Some(keyspace);
    }

    /// An empty batch with room for `records`.
    pub(crate) fn batch(&self, records: usize) -> Batch {
        let batch = OwnedWriteBatch::with_capacity(self.database.clone(), records + 1);
        Batch(batch.durability(Some(PersistMode::SyncData)))
    }

    /// Adds a record to a batch.
    pub(crate) fn put_record(
        &self,
        batch: &mut Batch,
        slot: usize,
        id: &TopicPartition,
        offset: Offset,
        stored: Bytes,
    ) -> Result<(), fjall::Error> {
        let keyspace = self.keyspace_or_new(slot, id)?;
        batch.0.insert(&keyspace, offset.to_be_bytes(), stored);
        Ok(())
    }

    /// Adds an entry of the table of contents to a batch.
    pub(crate) fn put_contents(&self, batch: &mut Batch, key: &[u8], value: &[u8]) {
        batch.0.insert(&self.contents, key, value);
    }

    /// One stored record.
    pub(crate) fn get(&self, slot: usize, offset: Offset) -> Result<Option<Bytes>, fjall::Error> {
        let Some(keyspace) = self.keyspace(slot) else {
            return Ok(None);
        };
        Ok(keyspace.get(offset.to_be_bytes())?.map(Into::into))
    }

    /// The stored records in `[from, end)`, in order.
    pub(crate) fn range(
        &self,
        slot: usize,
        from: Offset,
        end: Offset,
    ) -> impl Iterator<Item = Result<(Offset, Bytes), fjall::Error>> + use<> {
        let keyspace = self.keyspace(slot);
        let range = keyspace.map(|k| k.range(from.to_be_bytes()..end.to_be_bytes()));
        range.into_iter().flatten().map(|entry| {
            let (key, value) = entry.into_inner()?;
            // A key that is no offset reads as one that is out of place, which the reader refuses.
            Ok((offset_of(&key).unwrap_or(u64::MAX), value.into()))
        })
    }

    /// Has the engine write out its smallest keyspace, and with that look after its journals.
    pub(crate) fn rotate(&self) {
        if let Err(error) = self.contents.rotate_memtable() {
            tracing::warn!(error = %error, "journals could not be rotated");
        }
    }

    /// Bytes that are in memory and journals alone.
    pub(crate) fn held_bytes(&self) -> u64 {
        self.database.write_buffer_size()
    }

    /// Keeps what is held in memory within bounds, by waiting for the engine after `written` bytes.
    pub(crate) fn bound_memory(&self, written: u64) {
        let begun = Instant::now();
        let slowly = Duration::from_micros(written * 1_000_000 / SLOWLY).min(WRITING_OUT);
        loop {
            let held = self.held_bytes();
            let patience = if held < HELD_BYTES {
                return;
            } else if held < MOST_BYTES {
                slowly
            } else {
                WRITING_OUT
            };
            self.seal_largest(held);
            let Some(left) = patience.checked_sub(begun.elapsed()) else {
                return;
            };
            thread::sleep(left.min(LOOK));
        }
    }

    /// Has the engine write out the partition that holds the most, unless most of what is `held` is on
    /// its way already.
    fn seal_largest(&self, held: u64) {
        use fjall::AbstractTree;
        let partitions = self.partitions.read().clone();
        let size = |keyspace: &Keyspace| keyspace.tree.active_memtable().size();
        let all = partitions.iter().flatten().chain([&self.contents]);
        let unsealed: Vec<_> = all.map(|k| (size(k), k)).collect();
        if unsealed.iter().map(|(size, _)| size).sum::<u64>() < held / 2 {
            return;
        }
        if let Some((_, largest)) = unsealed.iter().max_by_key(|(size, _)| size)
            && let Err(error) = largest.rotate_memtable()
        {
            tracing::warn!(error = %error, "a memtable could not be sealed");
        }
    }

    /// The keyspaces of partitions, by name.
    pub(crate) fn names(&self) -> Vec<String> {
        let names = self.database.list_keyspace_names();
        names
            .iter()
            .map(ToString::to_string)
            .filter(|name| name != CONTENTS)
            .collect()
    }

    /// Drops the tables that lie wholly below `start`, and says whether there were any. The engine
    /// keeps their files until it is sure that nobody reads an older state: some ten thousand reads,
    /// and a table written out, later; or until it is opened again.
    pub(crate) fn drop_below(&self, slot: usize, start: Offset) -> Result<bool, fjall::Error> {
        use fjall::AbstractTree;
        let Some(keyspace) = self.keyspace(slot) else {
            return Ok(false);
        };
        let before = keyspace.table_count();
        keyspace.tree.drop_range(..start.to_be_bytes())?;
        Ok(keyspace.table_count() < before)
    }

    /// Makes everything that was read back durable: after a failed write the page cache may hold
    /// what the disk does not.
    pub(crate) fn persist(&self) -> Result<(), fjall::Error> {
        self.database.persist(PersistMode::SyncAll)
    }
}

impl Batch {
    /// Writes the batch and syncs it.
    pub(crate) fn commit(self) -> Result<(), fjall::Error> {
        self.0.commit()
    }
}

fn contents_options() -> KeyspaceCreateOptions {
    KeyspaceCreateOptions::default().max_memtable_size(CONTENTS_BYTES)
}

/// Tables move down as they are, and so does what is pinned of them: an index or a filter pinned when
/// a table is new stays in memory as long as the table is there. A filter would say that a record
/// may be there, and between start and end each one is.
fn options() -> KeyspaceCreateOptions {
    KeyspaceCreateOptions::default()
        .max_memtable_size(MEMTABLE_BYTES)
        .data_block_size_policy(BlockSizePolicy::all(BLOCK_BYTES))
        .index_block_pinning_policy(PinningPolicy::disabled())
        .filter_block_pinning_policy(PinningPolicy::disabled())
        .filter_policy(FilterPolicy::disabled())
        .expect_point_read_hits(true)
}

pub(crate) fn keyspace_name(id: &TopicPartition) -> String {
    format!("{}.{}", id.topic(), id.partition())
}

fn offset_of(key: &[u8]) -> Result<Offset, Damage> {
    key.try_into()
        .map(u64::from_be_bytes)
        .map_err(|_| Damage::Short)
}
