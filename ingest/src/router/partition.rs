//! One partition of `inbox`, for as long as the group gives it: session after session.

use std::sync::Arc;
use std::time::Duration;

use control::Control;
use eventlog_port::{Commit, EventLog, TopicPartition};
use parking_lot::Mutex;
use projections_port::Keys;
use prometheus_client::metrics::counter::Counter;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::Config;
use super::decide::Terms;
use super::error::Failure;
use super::session::Session;
use crate::limits::ROUTED_HEADERS;
use crate::placement::Partitions;

/// What the partitions of one process share.
pub(super) struct Shared {
    pub(super) config: Config,
    pub(super) log: Arc<dyn EventLog>,
    pub(super) control: Control,
    pub(super) keys: Arc<dyn Keys>,
    pub(super) events: Partitions,
    pub(super) quarantine: TopicPartition,
    pub(super) quarantined: Counter,
}

/// Where a router stands, and what it commits (`docs/protocol.md`, R10).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    /// Below this offset of `inbox` everything is decided, its rows are written, its routes durable.
    pub(super) inbox: u64,
    /// From here on `routed` is read.
    pub(super) routed: u64,
}

impl Place {
    /// What the group committed; its beginning, where it never did.
    pub(super) fn committed(commit: Option<&Commit>) -> Result<Self, Failure> {
        let Some(commit) = commit else {
            return Ok(Self::default());
        };
        let routed = commit.metadata.parse();
        let bad = |_| Failure::BadCommit(commit.metadata.clone());
        Ok(Self {
            inbox: commit.offset,
            routed: routed.map_err(bad)?,
        })
    }

    pub(super) fn commit(self, partition: u32) -> Commit {
        Commit {
            partition,
            offset: self.inbox,
            metadata: self.routed.to_string(),
        }
    }
}

/// Between two sessions: doubled from the one to the other while none routes anything.
const AGAIN_FIRST: Duration = Duration::from_millis(50);
const AGAIN_MOST: Duration = Duration::from_secs(2);

/// Routes partition `partition` from where `place` is, and keeps it up to date, until `stop`; then
/// waits for what is under way. An error that can pass begins a new session with nothing but the place.
pub(super) async fn run(
    shared: Arc<Shared>,
    partition: u32,
    place: Arc<Mutex<Place>>,
    stop: CancellationToken,
) -> Result<(), Failure> {
    let terms = Terms {
        partition,
        kafka_tenant: shared.config.kafka_tenant.clone(),
        kafka_window: shared.config.idempotency_window,
        kafka_limit: (shared.events.max_record_bytes() as usize).saturating_sub(ROUTED_HEADERS),
    };
    let mut again = AGAIN_FIRST;
    while !stop.is_cancelled() {
        let from = *place.lock();
        let failure = match session(&shared, &terms, &place, &stop).await {
            Ok(()) => return Ok(()),
            Err(failure) if failure.may_pass() => failure,
            Err(failure) => return Err(failure),
        };
        if *place.lock() != from {
            again = AGAIN_FIRST;
        }
        tracing::warn!(partition, error = %failure, "routing begins again at its commit");
        tokio::select! {
            biased;
            () = stop.cancelled() => {}
            () = sleep(again) => {}
        }
        again = AGAIN_MOST.min(again * 2);
    }
    Ok(())
}

async fn session(
    shared: &Arc<Shared>,
    terms: &Terms,
    place: &Mutex<Place>,
    stop: &CancellationToken,
) -> Result<(), Failure> {
    let from = *place.lock();
    let mut session = Session::begin(Arc::clone(shared), terms.clone(), from).await?;
    loop {
        let stepped = tokio::select! {
            biased;
            () = stop.cancelled() => {
                let drained = session.drain().await;
                *place.lock() = session.place();
                return Ok(drained?);
            }
            stepped = session.step() => stepped,
        };
        // What an error leaves as durable is so.
        *place.lock() = session.place();
        stepped?;
    }
}
