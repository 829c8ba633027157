//! An engine that may be closed, or opened again after the disk failed it.

use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::RwLock;
use projections_port::ViewError;

use crate::engine::{Engine, Layout, view_error};

/// Where an engine is opened, and the engine while it is.
pub(crate) struct Slot {
    folder: PathBuf,
    cache_bytes: u64,
    layouts: &'static [Layout],
    state: RwLock<State>,
}

enum State {
    Open(Arc<Engine>),
    /// A write failed: what the engine has in memory may not be what is on disk.
    Failed,
    Closed,
}

/// Why there is no engine.
#[derive(Debug, thiserror::Error)]
enum NotOpen {
    #[error("the store is being opened again after a failed write")]
    Failed,
    #[error("the store is closed")]
    Closed,
}

impl Slot {
    /// Opens the engine in `folder`.
    pub(crate) fn open(
        folder: PathBuf,
        cache_bytes: u64,
        layouts: &'static [Layout],
    ) -> Result<Self, ViewError> {
        let engine = Engine::open(&folder, cache_bytes, layouts).map_err(view_error)?;
        Ok(Self {
            folder,
            cache_bytes,
            layouts,
            state: RwLock::new(State::Open(Arc::new(engine))),
        })
    }

    /// The engine.
    pub(crate) fn engine(&self) -> Result<Arc<Engine>, ViewError> {
        match &*self.state.read() {
            State::Open(engine) => Ok(Arc::clone(engine)),
            State::Failed => Err(ViewError::Unavailable(Box::new(NotOpen::Failed))),
            State::Closed => Err(ViewError::Unavailable(Box::new(NotOpen::Closed))),
        }
    }

    /// The engine, opened again if it has failed; then the second is true, and nothing that was
    /// read before counts.
    pub(crate) fn engine_or_reopen(&self) -> Result<(Arc<Engine>, bool), ViewError> {
        let mut state = self.state.write();
        if !matches!(*state, State::Failed) {
            drop(state);
            return Ok((self.engine()?, false));
        }
        let engine =
            Engine::open(&self.folder, self.cache_bytes, self.layouts).map_err(view_error)?;
        let engine = Arc::new(engine);
        *state = State::Open(Arc::clone(&engine));
        drop(state);
        tracing::info!(folder = %self.folder.display(), "the store is open again");
        Ok((engine, true))
    }

    /// A write failed.
    pub(crate) fn fail(&self) {
        let mut state = self.state.write();
        if matches!(*state, State::Open(_)) {
            *state = State::Failed;
        }
    }

    /// Nothing is read or written any more, and the folder is free once who reads is done.
    pub(crate) fn close(&self) {
        *self.state.write() = State::Closed;
    }
}
