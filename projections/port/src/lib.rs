//! Views as traits: what projections write and the api reads, whichever store keeps the rows, and the
//! keyed store behind idempotency keys. Everything here can be had again from the log.
//!
//! - [`row`]: the rows, as folds of the log.
//! - [`views`]: reading them, and writing a batch of them together with how far the log was read.
//! - [`page`]: lists, a page at a time.
//! - [`keys`]: which records were the first of their idempotency key.
//! - [`dump`]: every row there is, in one order.
//! - [`encoding`]: rows as bytes, for stores that keep them so.
//! - [`memory`]: both in memory, which simulation runs on; [`ledger`], [`selection`] and
//!   [`walk`] are the parts of a store that every adapter has in common.
//! - `conformance` (behind the feature of that name): the suite that every adapter passes.

#[cfg(feature = "conformance")]
pub mod conformance;
pub mod dump;
pub mod encoding;
pub mod keys;
pub mod ledger;
pub mod memory;
pub mod page;
pub mod row;
pub mod selection;
pub mod views;
pub mod walk;

pub use dump::{Row, RowKey};
pub use keys::{First, KeyScope, Keys};
pub use page::{Cursor, Order, Page, PageRequest};
pub use row::{
    Accounting, AttemptRow, DeliveryRow, DeliveryState, Ending, EndpointRow, EventRow, MinuteRow,
};
pub use views::{
    Advance, Batch, DeliveryChange, EventChange, Figures, Progress, Selection, Sought, Undelivered,
    ViewError, ViewWriter, Views,
};
