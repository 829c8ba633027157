//! Opening views and keys, and filling a new generation of rows beside the old.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;
use projections_port::{ViewError, ViewWriter};

use crate::directory::Directory;
use crate::error::{OpenError, io_error};
use crate::keys::EmbeddedKeys;
use crate::rows::Rows;
use crate::views::EmbeddedViews;

/// Embedded views, as they are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The folder that holds them, made when it isn't there; not the log's own.
    pub directory: PathBuf,
    /// Who opens them, shown to the next who tries: a command, say.
    pub holder: String,
    /// Bytes of blocks of rows kept in memory for reads.
    pub cache_bytes: u64,
    /// As `cache_bytes`, of idempotency keys.
    pub keys_cache_bytes: u64,
}

impl Config {
    /// Views in `directory` with the bounds that suit a machine of two cores.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self {
            directory: directory.into(),
            holder: "postrider".to_owned(),
            cache_bytes: 4 << 20,
            keys_cache_bytes: 4 << 20,
        }
    }
}

/// Views and keys, open. The folder is free once this and every handle to its stores is gone, or
/// after [`close`](Self::close).
pub struct Store {
    directory: Mutex<Option<Directory>>,
    views: Arc<EmbeddedViews>,
    keys: Arc<EmbeddedKeys>,
}

impl Store {
    /// Opens both, or makes them. Lost rows are no loss: whoever folds begins at the start of the log.
    ///
    /// # Errors
    /// When another process has them, a newer program wrote them, or what is there can't be read.
    pub fn open(config: &Config) -> Result<Self, OpenError> {
        let directory = Directory::take(&config.directory, &config.holder)?;
        let damaged = |error| damaged(directory.path(), error);
        let rows = Rows::open(directory.rows(), config.cache_bytes).map_err(damaged)?;
        let keys =
            EmbeddedKeys::open(directory.keys(), config.keys_cache_bytes).map_err(damaged)?;
        Ok(Self {
            directory: Mutex::new(Some(directory)),
            views: Arc::new(EmbeddedViews::new(rows)),
            keys: Arc::new(keys),
        })
    }

    /// The views.
    #[must_use]
    pub fn views(&self) -> Arc<EmbeddedViews> {
        Arc::clone(&self.views)
    }

    /// The keyed store.
    #[must_use]
    pub fn keys(&self) -> Arc<EmbeddedKeys> {
        Arc::clone(&self.keys)
    }

    /// Whether the keyed store has every key that the log says. If not, it is new or was lost, and the
    /// keys have to be folded out of the log before a router judges by them.
    ///
    /// # Errors
    /// When the store can't be read.
    pub fn keys_are_whole(&self) -> Result<bool, ViewError> {
        self.keys.are_whole()
    }

    /// Notes that the keys were folded out of the log.
    ///
    /// # Errors
    /// When the store can't be written.
    pub fn keys_were_folded(&self) -> Result<(), ViewError> {
        self.keys.mark_whole()
    }

    /// Makes what was written durable and gives the folder free. Handles say from then on that the
    /// store is closed.
    pub fn close(&self) {
        if let Err(error) = self.views.rows().persist() {
            tracing::warn!(%error, "views could not be made durable, the log has them");
        }
        self.views.rows().close();
        self.keys.close();
        drop(self.directory.lock().take());
    }
}

fn damaged(directory: &Path, error: ViewError) -> OpenError {
    OpenError::Damaged {
        directory: directory.to_owned(),
        source: Box::new(error),
    }
}

/// A new generation of rows, filled while the old one is still there. Dropped before
/// [`finish`](Self::finish), the old one goes on to count.
pub struct Rebuilding {
    directory: Directory,
    views: Arc<EmbeddedViews>,
}

impl Rebuilding {
    /// Takes the folder and makes an empty generation. The old one is not read: it may be damaged.
    /// Keys stay, unless they can't be read: then the next start folds them out of the log.
    ///
    /// # Errors
    /// As for [`Store::open`].
    pub fn begin(config: &Config) -> Result<Self, OpenError> {
        let directory = Directory::take(&config.directory, &config.holder)?;
        let keys = EmbeddedKeys::open(directory.keys(), config.keys_cache_bytes);
        match keys.and_then(|keys| keys.are_whole()) {
            Err(ViewError::Damaged(error)) => {
                tracing::warn!(%error, "idempotency keys are folded again at the next start");
                let keys = directory.keys();
                fs::remove_dir_all(&keys).map_err(|source| io_error(&keys, source))?;
            }
            Err(error) => return Err(damaged(directory.path(), error)),
            Ok(_) => {}
        }
        let rows = Rows::open(directory.next_rows(), config.cache_bytes);
        let rows = rows.map_err(|error| damaged(directory.path(), error))?;
        Ok(Self {
            directory,
            views: Arc::new(EmbeddedViews::new(rows)),
        })
    }

    /// The rows to fill.
    #[must_use]
    pub fn views(&self) -> Arc<dyn ViewWriter> {
        Arc::<EmbeddedViews>::clone(&self.views)
    }

    /// Lets the new rows count, and removes the old ones.
    ///
    /// # Errors
    /// When the rows can't be made durable or the switch can't be written; the old ones still count.
    pub fn finish(mut self) -> Result<(), OpenError> {
        let persisted = self.views.rows().persist();
        persisted.map_err(|error| damaged(self.directory.path(), error))?;
        self.views.rows().close();
        self.directory.switch()
    }
}

/// Empty rows in a folder of their own, gone when this is dropped: to fold the log once more and
/// compare.
pub struct Scratch {
    folder: PathBuf,
    views: Arc<EmbeddedViews>,
}

impl Scratch {
    /// Makes them in `folder`, of which nothing stays.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn make(folder: impl Into<PathBuf>, cache_bytes: u64) -> Result<Self, OpenError> {
        let folder = folder.into();
        if folder.exists() {
            fs::remove_dir_all(&folder).map_err(|source| io_error(&folder, source))?;
        }
        let rows = Rows::open(folder.clone(), cache_bytes);
        let rows = rows.map_err(|error| damaged(&folder, error))?;
        Ok(Self {
            folder,
            views: Arc::new(EmbeddedViews::new(rows)),
        })
    }

    /// The rows to fill.
    #[must_use]
    pub fn views(&self) -> Arc<dyn ViewWriter> {
        Arc::<EmbeddedViews>::clone(&self.views)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        self.views.rows().close();
        if let Err(error) = fs::remove_dir_all(&self.folder) {
            tracing::warn!(folder = %self.folder.display(), %error, "could not be removed");
        }
    }
}
