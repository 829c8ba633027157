//! Which records of `inbox` were the first of their idempotency key: rows that routers write and
//! judge by (`docs/protocol.md`, R7, R8), a fold of `inbox` and `routed`.

use async_trait::async_trait;
use domain::time::Timestamp;
use schemas::ids::EventId;
use schemas::text::{IdempotencyKey, TenantId};

use crate::views::ViewError;

/// What a key is unique in: a tenant's, within one partition of `inbox`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyScope {
    /// Whose key it is.
    pub tenant: TenantId,
    /// The partition of `inbox`.
    pub partition: u32,
    /// The key.
    pub key: IdempotencyKey,
}

/// A record that was the first of its key when it was appended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct First {
    /// Its offset in the partition of `inbox`.
    pub offset: u64,
    /// When the log appended it.
    pub appended_at: Timestamp,
    /// The SHA-256 of its payload.
    pub payload_sha256: [u8; 32],
    /// Its event's id.
    pub event: EventId,
}

/// The keyed store. A row a first: under its key *and* its offset.
#[async_trait]
pub trait Keys: Send + Sync {
    /// For each scope with an offset: the row of the highest offset that is not above it. In the
    /// order asked.
    ///
    /// # Errors
    /// When the store can't be read: whoever judges by it waits.
    async fn firsts(&self, wanted: &[(KeyScope, u64)]) -> Result<Vec<Option<First>>, ViewError>;

    /// Writes rows. They are durable when this returns. A row that is there already is written
    /// again, and is the same.
    ///
    /// # Errors
    /// When the store can't be written; some rows may be there all the same.
    async fn put(&self, rows: &[(KeyScope, First)]) -> Result<(), ViewError>;

    /// Forgets the rows of records that were appended before `before`.
    ///
    /// # Errors
    /// When the store can't be written; some may be gone all the same.
    async fn expire(&self, before: Timestamp) -> Result<(), ViewError>;
}
