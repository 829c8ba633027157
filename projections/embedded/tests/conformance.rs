//! The embedded stores pass the suites that every adapter passes.
#![allow(clippy::unwrap_used, reason = "a failed case panics")]

use std::sync::Arc;

use async_trait::async_trait;
use parking_lot::Mutex;
use projections_embedded::{Config, Store};
use projections_port::conformance::Fixture;
use projections_port::{Keys, ViewWriter};
use tempfile::TempDir;

struct OnDisk {
    config: Config,
    store: Mutex<Arc<Store>>,
    _folder: TempDir,
}

impl OnDisk {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = Config::new(folder.path().join("views"));
        Self {
            store: Mutex::new(Arc::new(Store::open(&config).unwrap())),
            config,
            _folder: folder,
        }
    }
}

#[async_trait]
impl Fixture for OnDisk {
    async fn views(&self) -> Arc<dyn ViewWriter> {
        self.store.lock().views()
    }

    async fn keys(&self) -> Arc<dyn Keys> {
        self.store.lock().keys()
    }

    async fn restart(&self) -> bool {
        let mut store = self.store.lock();
        store.close();
        *store = Arc::new(Store::open(&self.config).unwrap());
        true
    }
}

projections_port::conformance_suite!([], std::future::ready(OnDisk::new()));
