//! The database under rows and keys: opened, read, written. Nobody else names its types.

use std::ops::{Bound, Range};
use std::path::Path;

use bytes::Bytes;
use fjall::config::{BlockSizePolicy, BloomConstructionPolicy, FilterPolicy, FilterPolicyEntry};
use fjall::{Database, Keyspace, KeyspaceCreateOptions, OwnedWriteBatch, PersistMode, Readable};
use projections_port::ViewError;
use projections_port::encoding::NeedsRebuild;

/// With more than this many bytes in journals, the spaces that hold the oldest one back are written
/// out. It bounds what a start has to replay into memory.
const JOURNAL_BYTES: u64 = 64 << 20;

/// One sorted space of keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Space(pub(crate) usize);

/// How a space is kept.
pub(crate) struct Layout {
    pub(crate) name: &'static str,
    /// It is written out at this size.
    pub(crate) memtable_bytes: u64,
    /// What one read from disk brings.
    pub(crate) block_bytes: u32,
    /// Whether keys are asked for that lie anywhere in it: such a space has filters. One that is
    /// written in the order of its keys, or read in ranges, does without.
    pub(crate) has_filters: bool,
}

/// The open database.
pub(crate) struct Engine {
    database: Database,
    spaces: Vec<Keyspace>,
}

/// One batch: all of it is written, or none.
pub(crate) struct EngineBatch<'a> {
    engine: &'a Engine,
    items: Vec<Item>,
    /// Keys and values, space by space: each is written out, and let go, by itself.
    bytes: Vec<Vec<u8>>,
}

/// A key and, unless it is removed, its value: where they are in the bytes of their space.
struct Item {
    space: Space,
    key: Range<usize>,
    value: Option<Range<usize>>,
}

/// The rows as they are at one moment.
pub(crate) struct Snapshot<'a> {
    engine: &'a Engine,
    snapshot: fjall::Snapshot,
}

impl Engine {
    /// Opens the database in `folder`, or makes it.
    pub(crate) fn open(
        folder: &Path,
        cache_bytes: u64,
        layouts: &[Layout],
    ) -> Result<Self, fjall::Error> {
        let database = Database::builder(folder)
            .cache_size(cache_bytes)
            .max_journaling_size(JOURNAL_BYTES)
            .manual_journal_persist(true)
            // Of two, the one spins for as long as the other compacts.
            .worker_threads(1)
            .open()?;
        let open = |layout: &Layout| {
            let options = || {
                let filters = if layout.has_filters {
                    FilterPolicyEntry::Bloom(BloomConstructionPolicy::BitsPerKey(10.0))
                } else {
                    FilterPolicyEntry::None
                };
                KeyspaceCreateOptions::default()
                    .filter_policy(FilterPolicy::all(filters))
                    .max_memtable_size(layout.memtable_bytes)
                    .data_block_size_policy(BlockSizePolicy::all(layout.block_bytes))
                    .expect_point_read_hits(true)
            };
            database.keyspace(layout.name, options)
        };
        let spaces = layouts.iter().map(open).collect::<Result<_, _>>()?;
        Ok(Self { database, spaces })
    }

    /// The rows as they are now, whatever is written meanwhile.
    pub(crate) fn snapshot(&self) -> Snapshot<'_> {
        Snapshot {
            engine: self,
            snapshot: self.database.snapshot(),
        }
    }

    /// One value as it is now.
    pub(crate) fn get(&self, space: Space, key: &[u8]) -> Result<Option<Bytes>, ViewError> {
        let found = self.spaces[space.0].get(key).map_err(view_error)?;
        Ok(found.map(Into::into))
    }

    /// An empty batch with room for `items`.
    pub(crate) fn batch(&self, items: usize) -> EngineBatch<'_> {
        EngineBatch {
            engine: self,
            items: Vec::with_capacity(items),
            bytes: vec![Vec::new(); self.spaces.len()],
        }
    }

    /// Forgets all of a space.
    pub(crate) fn clear(&self, space: Space) -> Result<(), ViewError> {
        self.spaces[space.0].clear().map_err(view_error)
    }

    /// Makes everything that was written durable.
    pub(crate) fn persist(&self) -> Result<(), ViewError> {
        self.database
            .persist(PersistMode::SyncAll)
            .map_err(view_error)
    }
}

impl Snapshot<'_> {
    /// One value.
    pub(crate) fn get(&self, space: Space, key: &[u8]) -> Result<Option<Bytes>, ViewError> {
        let found = self.snapshot.get(&self.engine.spaces[space.0], key);
        Ok(found.map_err(view_error)?.map(Into::into))
    }

    /// Keys and values between the bounds, ascending or not.
    pub(crate) fn range(
        &self,
        space: Space,
        lower: Bound<Vec<u8>>,
        upper: Bound<Vec<u8>>,
        descending: bool,
    ) -> Box<dyn Iterator<Item = Result<(Bytes, Bytes), ViewError>>> {
        if is_empty(&lower, &upper) {
            return Box::new(std::iter::empty());
        }
        let keyspace = &self.engine.spaces[space.0];
        let range = self.snapshot.range::<Vec<u8>, _>(keyspace, (lower, upper));
        let pair = |guard: fjall::Guard| {
            let (key, value) = guard.into_inner().map_err(view_error)?;
            Ok((key.into(), value.into()))
        };
        if descending {
            Box::new(range.rev().map(pair))
        } else {
            Box::new(range.map(pair))
        }
    }

    /// Keys and values that begin with `list`, ascending.
    pub(crate) fn list(
        &self,
        space: Space,
        list: Vec<u8>,
    ) -> Box<dyn Iterator<Item = Result<(Bytes, Bytes), ViewError>>> {
        let (lower, upper) = list_bounds(list);
        self.range(space, lower, upper, false)
    }
}

impl EngineBatch<'_> {
    pub(crate) fn put(&mut self, space: Space, key: &[u8], value: &[u8]) {
        let key = self.add(space, key);
        let value = Some(self.add(space, value));
        self.items.push(Item { space, key, value });
    }

    pub(crate) fn remove(&mut self, space: Space, key: &[u8]) {
        let key = self.add(space, key);
        let value = None;
        self.items.push(Item { space, key, value });
    }

    fn add(&mut self, space: Space, bytes: &[u8]) -> Range<usize> {
        let all = &mut self.bytes[space.0];
        let begin = all.len();
        all.extend_from_slice(bytes);
        begin..all.len()
    }

    /// Writes the batch; `durable`: and waits for the disk. Without, what a crash takes is the
    /// newest batches, whole: the engine syncs its journal before it writes out a space.
    pub(crate) fn commit(self, durable: bool) -> Result<(), ViewError> {
        let database = self.engine.database.clone();
        let mut batch = OwnedWriteBatch::with_capacity(database, self.items.len());
        let bytes: Vec<Bytes> = self.bytes.into_iter().map(Bytes::from).collect();
        for Item { space, key, value } in self.items {
            let (keyspace, bytes) = (&self.engine.spaces[space.0], &bytes[space.0]);
            match value {
                Some(value) => batch.insert(keyspace, bytes.slice(key), bytes.slice(value)),
                None => batch.remove(keyspace, bytes.slice(key)),
            }
        }
        let mode = durable.then_some(PersistMode::SyncData);
        batch.durability(mode).commit().map_err(view_error)
    }
}

/// The bounds of what begins with `list`.
pub(crate) fn list_bounds(list: Vec<u8>) -> (Bound<Vec<u8>>, Bound<Vec<u8>>) {
    let upper = projections_port::encoding::key::behind(list.clone());
    (
        Bound::Included(list),
        upper.map_or(Bound::Unbounded, Bound::Excluded),
    )
}

fn is_empty(lower: &Bound<Vec<u8>>, upper: &Bound<Vec<u8>>) -> bool {
    match (lower, upper) {
        (Bound::Unbounded, _) | (_, Bound::Unbounded) => false,
        (Bound::Included(lower), Bound::Included(upper)) => lower > upper,
        (Bound::Excluded(lower), Bound::Included(upper))
        | (Bound::Included(lower) | Bound::Excluded(lower), Bound::Excluded(upper)) => {
            lower >= upper
        }
    }
}

/// What the engine's error means: trouble that may pass, or damage.
pub(crate) fn view_error(error: fjall::Error) -> ViewError {
    if is_passing(&error) {
        ViewError::Unavailable(Box::new(error))
    } else {
        ViewError::Damaged(Box::new(NeedsRebuild(error.to_string())))
    }
}

fn is_passing(error: &fjall::Error) -> bool {
    matches!(
        error,
        fjall::Error::Io(_)
            | fjall::Error::Storage(fjall::LsmError::Io(_))
            | fjall::Error::Poisoned
            | fjall::Error::Locked
    )
}
