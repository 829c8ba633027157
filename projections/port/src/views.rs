//! Reading views, and writing them.

use std::collections::BTreeMap;

use async_trait::async_trait;
use domain::time::Timestamp;
use schemas::dead_letter::DeadLetterReason;
use schemas::ids::{DeliveryId, EndpointId, EventId};
use schemas::text::{EventType, Source, TenantId};
use schemas::topics::Topic;

use crate::dump::{Row, RowKey};
use crate::page::{Cursor, Page, PageRequest};
use crate::row::{
    Accounting, DeliveryRow, DeliveryState, Ending, EndpointRow, EventRow, MinuteRow,
};

/// An engine's own error, kept as the source of ours.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A store that could not be read or written. Nothing is lost: rows are folds of the log.
#[derive(Debug, thiserror::Error)]
pub enum ViewError {
    /// It can't be used now; the same call may succeed later.
    #[error("the view store is unavailable: {0}")]
    Unavailable(#[source] BoxError),
    /// It can't be used, and won't be until somebody mends that: a permission, a setting, a program that is too old.
    #[error("the view store can't be used: {0}")]
    Unusable(#[source] BoxError),
    /// What it holds can't be read; rebuilding mends it.
    #[error("the view store is damaged: {0}")]
    Damaged(#[source] BoxError),
    /// Another fold has written meanwhile: whoever folds begins again where the rows are.
    #[error("{topic}[{partition}] is folded up to {there}, and a batch begins at {from}")]
    Overtaken {
        /// The topic.
        topic: Topic,
        /// The partition.
        partition: u32,
        /// How far the rows are.
        there: u64,
        /// Where the batch begins.
        from: u64,
    },
    /// Other rows count than those that a batch was folded on: whoever folds begins again where they end.
    #[error("a batch was folded on rows of generation {folded_on}, and those of {there} count")]
    Replaced {
        /// The generation that counts.
        there: u64,
        /// The batch's.
        folded_on: u64,
    },
}

/// How far one partition of one topic was folded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Everything below this offset is in the rows.
    pub offset: u64,
    /// The highest epoch below it; 0 where nobody fences. A record below it counts for nothing.
    pub epoch: u64,
    /// In `routed`: one more than the highest offset of `inbox` decided below it, 0 for none. A
    /// decision that isn't above is a repeat (R6).
    pub decided: u64,
    /// In `events`: the highest origin taken below it, by partition of `inbox`. A route that isn't
    /// above is a copy (R2).
    pub origins: BTreeMap<u32, (u64, EndpointId)>,
}

/// Which rows of a list are wanted. What is `None` doesn't matter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// Of this endpoint: the list goes by endpoint and time, else by tenant and time.
    pub endpoint: Option<EndpointId>,
    /// In this state, by its name in the api. For events as [`EventRow::status`] has them.
    pub status: Option<String>,
    /// Of this type.
    pub event_type: Option<EventType>,
    /// From this source. Events only.
    pub source: Option<Source>,
    /// With this label. Events only.
    pub tag: Option<String>,
    /// Whose last attempt was answered so. Deliveries only.
    pub status_code: Option<u16>,
    /// Dead-lettered for this reason. Deliveries only.
    pub reason: Option<DeadLetterReason>,
    /// Accepted later than this.
    pub after: Option<Timestamp>,
    /// Accepted earlier than this.
    pub before: Option<Timestamp>,
}

/// Reads views. Of a store that one process has, every call sees whole batches, never half of one. Of one
/// that several share a call may see some rows of a batch before the others; all of them are there once
/// [`progress`](Self::progress) says so.
#[async_trait]
pub trait Views: Send + Sync {
    /// The event called `id`: of several the last that was accepted, those that repeat another left
    /// out while there is another. Whoever asks for a repeat goes on to the first that it names.
    ///
    /// # Errors
    /// When the store can't be read.
    async fn event(&self, tenant: &TenantId, id: &EventId) -> Result<Option<EventRow>, ViewError>;

    /// The delivery called `id`, when it is `tenant`'s.
    ///
    /// # Errors
    /// When the store can't be read.
    async fn delivery(
        &self,
        tenant: &TenantId,
        id: &DeliveryId,
    ) -> Result<Option<DeliveryRow>, ViewError>;

    /// A page of `tenant`'s events. `Selection::endpoint` means events that go to it.
    ///
    /// # Errors
    /// When the store can't be read.
    async fn events(
        &self,
        tenant: &TenantId,
        selection: &Selection,
        page: PageRequest,
    ) -> Result<Page<EventRow>, ViewError>;

    /// A page of `tenant`'s deliveries. Dead letters are those in the state `dead_lettered`.
    ///
    /// # Errors
    /// When the store can't be read.
    async fn deliveries(
        &self,
        tenant: &TenantId,
        selection: &Selection,
        page: PageRequest,
    ) -> Result<Page<DeliveryRow>, ViewError>;

    /// What happened at `endpoint` in each minute from the one of `from` on, by its first moment.
    ///
    /// # Errors
    /// When the store can't be read.
    async fn minutes(
        &self,
        endpoint: &EndpointId,
        from: Timestamp,
    ) -> Result<BTreeMap<Timestamp, MinuteRow>, ViewError>;

    /// What is known of `endpoint` apart from any minute; `None`: nothing has happened there.
    ///
    /// # Errors
    /// When the store can't be read.
    async fn endpoint(&self, endpoint: &EndpointId) -> Result<Option<EndpointRow>, ViewError>;

    /// Where all that is `tenant`'s stands, and its deliveries to each of `endpoints`.
    ///
    /// # Errors
    /// When the store can't be read.
    async fn figures(
        &self,
        tenant: &TenantId,
        endpoints: &[EndpointId],
    ) -> Result<Figures, ViewError>;

    /// How far the log is folded, of every partition that was.
    ///
    /// # Errors
    /// When the store can't be read.
    async fn progress(&self) -> Result<BTreeMap<(Topic, u32), Progress>, ViewError>;

    /// Whether a write is half done: rows and counts of it may be there already, and [`progress`](Self::progress) does not
    /// say so yet. Never where a write is all or nothing.
    ///
    /// # Errors
    /// When the store can't be read.
    async fn is_half_written(&self) -> Result<bool, ViewError> {
        Ok(false)
    }

    /// Waits until every partition is folded up to the offset named. Returns at once when it is.
    /// Whoever calls it sets a limit of time by dropping the call.
    ///
    /// # Errors
    /// When the store can't be read.
    async fn passed(&self, ends: &BTreeMap<(Topic, u32), u64>) -> Result<(), ViewError>;
}

/// Events that went nowhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Undelivered {
    /// Nobody subscribed.
    pub no_route: u64,
    /// The same as an earlier one.
    pub duplicate: u64,
    /// The key of an earlier one, with another payload.
    pub conflict: u64,
}

/// Where all that is a tenant's stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Its deliveries, to whichever endpoint.
    pub deliveries: Accounting,
    /// Those to each endpoint that was asked for, in the order they were asked for in.
    pub endpoints: Vec<Accounting>,
    /// Its events that ended without a delivery.
    pub undelivered: Undelivered,
}

/// What one turn of folding changed. Rows are whole, as they are after it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Batch {
    /// Events that are new, or say something else than before.
    pub events: Vec<EventChange>,
    /// Deliveries that changed.
    pub deliveries: Vec<DeliveryChange>,
    /// Deliveries of which only the routes of their events are known: each is written unless it is
    /// there, decided together with the write. Another fold writes the same rows from `events`.
    pub routed: Vec<DeliveryRow>,
    /// Of deliveries written as `routed` that are not to be, since their event is a repeat: each is
    /// forgotten if nothing else has become of it.
    pub withdrawn: Vec<Sought>,
    /// Minutes that changed: endpoint, first moment of the minute.
    pub minutes: Vec<(EndpointId, Timestamp, MinuteRow)>,
    /// What changed of endpoints.
    pub endpoints: Vec<(EndpointId, EndpointRow)>,
    /// How far each partition is folded after it.
    pub progress: Vec<Advance>,
    /// Which rows it was folded on ([`ViewWriter::generation`]): it is not written to others. `None`: there are
    /// no others.
    pub generation: Option<u64>,
}

impl Batch {
    /// Checks that it was folded on the rows of generation `there`.
    ///
    /// # Errors
    /// [`Replaced`](ViewError::Replaced) when it was folded on others.
    pub fn check_generation(&self, there: u64) -> Result<(), ViewError> {
        match self.generation {
            Some(folded_on) if folded_on != there => Err(ViewError::Replaced { there, folded_on }),
            Some(_) | None => Ok(()),
        }
    }
}

/// An event's row, and what was there before.
#[derive(Clone, Debug, PartialEq)]
pub struct EventChange {
    /// What the row said; `None`: it was not there.
    pub was: Option<Ending>,
    /// The row.
    pub row: EventRow,
}

/// A delivery's row, and what was there before.
#[derive(Clone, Debug, PartialEq)]
pub struct DeliveryChange {
    /// The state of the row that this fold last wrote; `None`: it has written none, though there may
    /// be one that is [only routed](DeliveryRow::is_only_routed).
    pub was: Option<DeliveryState>,
    /// The row.
    pub row: DeliveryRow,
}

/// A step of one partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advance {
    /// The topic.
    pub topic: Topic,
    /// The partition.
    pub partition: u32,
    /// The offset at which the batch begins: where the rows end.
    pub from: u64,
    /// How far it is folded after it.
    pub to: Progress,
}

/// A delivery that a fold looks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sought {
    /// Its id.
    pub id: DeliveryId,
    /// Whose it is, and its place in lists, where the record says them: that saves a look-up.
    pub at: Option<(TenantId, Cursor)>,
}

/// Writes views. One fold writes the rows of a partition of `events` and all that go with it; the
/// fold of a partition of `inbox` adds what is only routed.
#[async_trait]
pub trait ViewWriter: Views {
    /// The deliveries sought that are there, whoever's they are, as stored, in any order.
    ///
    /// # Errors
    /// When the store can't be read.
    async fn stored(&self, sought: &[Sought]) -> Result<Vec<DeliveryRow>, ViewError>;

    /// The minutes that are wanted, in the order asked; one that isn't there is empty.
    ///
    /// # Errors
    /// When the store can't be read.
    async fn stored_minutes(
        &self,
        wanted: &[(EndpointId, Timestamp)],
    ) -> Result<Vec<MinuteRow>, ViewError>;

    /// The rows of endpoints as stored, in the order asked.
    ///
    /// # Errors
    /// When the store can't be read.
    async fn stored_endpoints(
        &self,
        wanted: &[EndpointId],
    ) -> Result<Vec<Option<EndpointRow>>, ViewError>;

    /// Takes over what is folded from a partition of `events`, or of `inbox`, before anything is: what an earlier owner left
    /// half-written is finished, and what is old of it [`expire`](Self::expire) forgets from here on, though nothing new
    /// should come to be folded. Nothing to do where one process has the store.
    ///
    /// # Errors
    /// When the store can't be written.
    async fn take(&self, topic: Topic, partition: u32) -> Result<(), ViewError> {
        let _ = (topic, partition);
        Ok(())
    }

    /// Finishes what was left half-written, for who compares rows with how far they go. A writer that seems to stand still
    /// in the midst of it and does not loses its claim, and begins again.
    ///
    /// # Errors
    /// When the store can't be written.
    async fn settle(&self) -> Result<(), ViewError> {
        Ok(())
    }

    /// Writes a batch: readers see all of it or none (as [`Views`] says), and after a crash all of it or
    /// none counts.
    /// It need not be durable when this returns: what is lost is folded again. Rows of what was
    /// accepted before the last [`expire`](Self::expire) are left out.
    ///
    /// # Errors
    /// [`Overtaken`](ViewError::Overtaken) when it doesn't begin where the rows end,
    /// [`Replaced`](ViewError::Replaced) when it was folded on others; else when the store can't be written. Nothing of the batch is seen then.
    async fn write(&self, batch: Batch) -> Result<(), ViewError>;

    /// Forgets rows of what was accepted before `before`, and minutes before it, at most `limit` of
    /// them. Says whether there are more. From then on nothing so old is written.
    ///
    /// # Errors
    /// When the store can't be written.
    async fn expire(&self, before: Timestamp, limit: usize) -> Result<bool, ViewError>;

    /// What [`expire`](Self::expire) was last told.
    ///
    /// # Errors
    /// When the store can't be read.
    async fn expired(&self) -> Result<Timestamp, ViewError>;

    /// Where all deliveries stand, and how many events went nowhere, whoever's they are.
    ///
    /// # Errors
    /// When the store can't be read.
    async fn totals(&self) -> Result<(Accounting, Undelivered), ViewError>;

    /// At most `limit` rows behind `after`, in the order of their keys, each as stored: all that the
    /// store has been told, but for progress.
    ///
    /// # Errors
    /// When the store can't be read.
    async fn dump(&self, after: Option<&RowKey>, limit: usize) -> Result<Vec<Row>, ViewError>;

    /// Which rows these are: another number once they were replaced by others that were made beside them.
    fn generation(&self) -> u64 {
        0
    }

    /// Waits until the rows of `generation` were replaced: whoever folds begins again where the new ones
    /// end, though nothing new should come to be folded.
    async fn replaced(&self, generation: u64) {
        let _ = generation;
        std::future::pending().await
    }

    /// Forgets every row and all progress; what [`Keys`](crate::Keys) hold stays. Once it has begun
    /// it is finished after a crash.
    ///
    /// # Errors
    /// When the store can't be written.
    async fn clear(&self) -> Result<(), ViewError>;
}
