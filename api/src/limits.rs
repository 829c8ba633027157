//! Bounds on requests, each with its reason. Those that a dispatcher has to hold to as well are in
//! `domain::limits`, those of custom headers in `domain::custom_headers`.

use std::time::Duration;

/// The longest name of an endpoint, in characters: a line on a screen.
pub(crate) const MAX_NAME: usize = 256;

/// How many patterns one endpoint may subscribe to: each is looked up for each event.
pub(crate) const MAX_EVENT_TYPES: usize = 256;

/// How many notes an operator may keep with an endpoint, and how long they may be in bytes. With all
/// else of an endpoint they fit a record of `control` several times over.
pub(crate) const MAX_METADATA: usize = 64;
pub(crate) const MAX_METADATA_KEY: usize = 128;
pub(crate) const MAX_METADATA_VALUE: usize = 1_024;

/// What all custom headers of an endpoint may come to in bytes: receivers refuse more than 8 KiB.
pub(crate) const MAX_CUSTOM_HEADERS: usize = 8 * 1_024;

/// How many rows a page may have, and how many it has when nobody says.
pub(crate) const PAGE: std::ops::RangeInclusive<usize> = 1..=250;
pub(crate) const DEFAULT_PAGE: usize = 50;

/// How long a search may be, in characters.
pub(crate) const MAX_SEARCH: usize = 256;

/// How long an id that isn't found is waited for, at most.
pub(crate) const LOOK_AGAIN_FOR: Duration = Duration::from_millis(500);

/// How long a change of `control` may take to be durable and read back, and `control` to be read to
/// its end. Longer, and the log is as good as away: the client is told to come again.
pub(crate) const CONTROL_WAIT: Duration = Duration::from_secs(10);

/// What a client that is told to come again is told to wait.
pub(crate) const RETRY_AFTER: Duration = Duration::from_secs(1);

/// How often a change that names no version is made again when another came first.
pub(crate) const CHANGE_TRIES: usize = 8;

/// How many deliveries of one event are shown with it. An event may go to every endpoint there is.
pub(crate) const MAX_DELIVERIES_SHOWN: usize = 100;

/// How many bytes of receivers' answers one response of ours shows; what is over is left out, and
/// said so.
pub(crate) const MAX_BODIES_SHOWN: usize = 1 << 20;

/// How many endpoints the accounting lists one by one.
pub(crate) const MAX_ENDPOINTS_ACCOUNTED: usize = 1_000;

/// How often the accounting is read again to see all of it at the same offsets.
pub(crate) const ACCOUNTING_TRIES: usize = 3;

/// How many deliveries one page of events is judged by. The events past them have no status shown.
pub(crate) const MAX_STATES_READ: usize = 10_000;
