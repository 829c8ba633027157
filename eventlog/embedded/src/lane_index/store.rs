//! The database under an index. Nobody else here names its types.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use eventlog_port::lane_index::{IndexError, LaneNumber};
use eventlog_port::{BoxError, Offset};
use fjall::{Database, Keyspace, KeyspaceCreateOptions, OwnedWriteBatch};

use crate::encoding::Damage;

/// What a note is found by.
pub(super) type Key = (LaneNumber, Offset);

/// What is in memory is written out at this size.
const MEMTABLE_BYTES: u64 = 4 << 20;

/// Nothing is read back from a journal, so none is kept longer than it must be.
const JOURNAL_BYTES: u64 = 64 << 20;

/// An owner's database. Its files go with it.
pub(super) struct Store {
    database: Database,
    notes: Keyspace,
    path: PathBuf,
}

impl Store {
    /// An empty database in a new folder.
    pub(super) fn begin(path: &Path, cache_bytes: u64) -> Result<Self, BoxError> {
        fs::create_dir_all(path)?;
        let database = Database::builder(path)
            .cache_size(cache_bytes)
            .max_journaling_size(JOURNAL_BYTES)
            .manual_journal_persist(true)
            .temporary(true)
            .worker_threads(1)
            .open()?;
        let options = || KeyspaceCreateOptions::default().max_memtable_size(MEMTABLE_BYTES);
        Ok(Self {
            notes: database.keyspace("notes", options)?,
            database,
            path: path.to_owned(),
        })
    }

    /// Bytes that the file system has left.
    pub(super) fn free_bytes(&self) -> Result<u64, IndexError> {
        let system = rustix::fs::statvfs(&self.path);
        let system = system.map_err(|error| failed(io::Error::from(error)))?;
        Ok(system.f_bavail.saturating_mul(system.f_frsize))
    }

    /// The stored size of a note's record, if the note is there.
    pub(super) fn size(&self, key: Key) -> Result<Option<u32>, IndexError> {
        self.notes.size_of(encoded(key)).map_err(failed)
    }

    /// Writes all or nothing.
    pub(super) fn write(&self, notes: BTreeMap<Key, Bytes>) -> Result<(), IndexError> {
        let mut batch = OwnedWriteBatch::with_capacity(self.database.clone(), notes.len());
        for (key, value) in notes {
            batch.insert(&self.notes, encoded(key), value);
        }
        batch.commit().map_err(failed)
    }

    /// Removes what has one of `keys`.
    pub(super) fn remove(&self, keys: impl Iterator<Item = Key>) -> Result<(), IndexError> {
        let mut batch = OwnedWriteBatch::with_capacity(self.database.clone(), keys.size_hint().0);
        for key in keys {
            batch.remove(&self.notes, encoded(key));
        }
        batch.commit().map_err(failed)
    }

    /// The notes in `range`, in order.
    pub(super) fn range(
        &self,
        range: Range<Key>,
    ) -> impl Iterator<Item = Result<(Key, Bytes), IndexError>> + use<> {
        let range = encoded(range.start)..encoded(range.end);
        self.notes.range(range).map(|entry| {
            let (key, value) = entry.into_inner().map_err(failed)?;
            let key = decoded(&key).ok_or_else(|| failed(Damage::Short))?;
            Ok((key, value.into()))
        })
    }
}

fn failed(error: impl Into<BoxError>) -> IndexError {
    IndexError::Failed(error.into())
}

/// Removes a folder, if it is there.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

fn encoded((lane, offset): Key) -> [u8; size_of::<Key>()] {
    let mut key = [0; size_of::<Key>()];
    key[..8].copy_from_slice(&lane.to_be_bytes());
    key[8..].copy_from_slice(&offset.to_be_bytes());
    key
}

fn decoded(key: &[u8]) -> Option<Key> {
    let (lane, offset) = key.split_at_checked(8)?;
    let number = |bytes: &[u8]| bytes.try_into().map(u64::from_be_bytes).ok();
    Some((number(lane)?, number(offset)?))
}
