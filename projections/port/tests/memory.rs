//! The in-memory stores pass the suites that every adapter passes.
#![cfg(feature = "conformance")]

use std::sync::Arc;

use async_trait::async_trait;
use projections_port::conformance::Fixture;
use projections_port::memory::{MemoryKeys, MemoryViews};
use projections_port::{Keys, ViewWriter};

#[derive(Default)]
struct InMemory {
    views: Arc<MemoryViews>,
    keys: Arc<MemoryKeys>,
}

#[async_trait]
impl Fixture for InMemory {
    async fn views(&self) -> Arc<dyn ViewWriter> {
        Arc::<MemoryViews>::clone(&self.views)
    }

    async fn keys(&self) -> Arc<dyn Keys> {
        Arc::<MemoryKeys>::clone(&self.keys)
    }

    async fn restart(&self) -> bool {
        false
    }
}

projections_port::conformance_suite!(
    [start_paused = true],
    std::future::ready(InMemory::default())
);
