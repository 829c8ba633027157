//! The keyed store in memory.

use std::collections::BTreeMap;

use async_trait::async_trait;
use domain::time::Timestamp;
use parking_lot::Mutex;

use crate::keys::{First, KeyScope, Keys};
use crate::views::ViewError;

/// Keys that live as long as their handles.
#[derive(Default)]
pub struct MemoryKeys(Mutex<BTreeMap<(KeyScope, u64), First>>);

impl MemoryKeys {
    /// No keys.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

#[async_trait]
impl Keys for MemoryKeys {
    async fn firsts(&self, wanted: &[(KeyScope, u64)]) -> Result<Vec<Option<First>>, ViewError> {
        let rows = self.0.lock();
        let find = |(scope, offset): &(KeyScope, u64)| {
            let range = (scope.clone(), 0)..=(scope.clone(), *offset);
            rows.range(range)
                .next_back()
                .map(|(_, first)| first.clone())
        };
        Ok(wanted.iter().map(find).collect())
    }

    async fn put(&self, rows: &[(KeyScope, First)]) -> Result<(), ViewError> {
        let rows = rows
            .iter()
            .map(|(scope, first)| ((scope.clone(), first.offset), first.clone()));
        self.0.lock().extend(rows);
        Ok(())
    }

    async fn expire(&self, before: Timestamp) -> Result<(), ViewError> {
        self.0.lock().retain(|_, first| first.appended_at >= before);
        Ok(())
    }
}
