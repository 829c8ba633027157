//! The store passes the suites that every adapter passes, on the server that `POSTRIDER_TEST_CQL` names.
#![allow(clippy::unwrap_used, reason = "a failed case panics")]

mod wall;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use parking_lot::Mutex;
use projections_port::conformance::Fixture;
use projections_port::{Keys, ViewWriter};
use projections_scylla::{Config, Store};

use crate::wall::Wall;

struct Real {
    config: Config,
    store: Mutex<Arc<Store>>,
}

/// A keyspace of its own.
fn config() -> Config {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let node = std::env::var("POSTRIDER_TEST_CQL")
        .expect("POSTRIDER_TEST_CQL: eval \"$(scripts/services env)\" after `scripts/services start cassandra`");
    let next = NEXT.fetch_add(1, Ordering::Relaxed);
    let process = std::process::id();
    Config::new(vec![node], format!("t{process}_{next}"))
}

impl Real {
    async fn new() -> Self {
        let config = config();
        let store = Store::open(&config, Arc::new(Wall)).await.unwrap();
        Self {
            store: Mutex::new(Arc::new(store)),
            config,
        }
    }
}

#[async_trait]
impl Fixture for Real {
    async fn views(&self) -> Arc<dyn ViewWriter> {
        self.store.lock().views()
    }

    async fn keys(&self) -> Arc<dyn Keys> {
        self.store.lock().keys()
    }

    async fn restart(&self) -> bool {
        let opened = Store::open(&self.config, Arc::new(Wall)).await.unwrap();
        *self.store.lock() = Arc::new(opened);
        true
    }
}

projections_port::conformance_suite!([flavor = "multi_thread"], Real::new());
