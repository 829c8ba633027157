//! Views as traits: what projections write and the api reads, whichever store keeps the rows, and the
//! keyed store behind idempotency keys. Everything here can be had again from the log.
//!
//! - [`row`]: the rows, as folds of the log.
//! - [`views`]: reading them, and writing a batch of them together with how far the log was read.
//! - [`page`]: lists, a page at a time.
//! - [`keys`]: which records were the first of their idempotency key.

pub mod keys;
pub mod page;
pub mod row;
pub mod views;

pub use keys::{First, KeyScope, Keys};
pub use page::{Cursor, Order, Page, PageRequest};
pub use row::{Accounting, AttemptRow, DeliveryRow, DeliveryState, Ending, EventRow, MinuteRow};
pub use views::{Batch, Progress, Selection, ViewError, ViewWriter, Views};
