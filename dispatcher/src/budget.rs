//! What all owners of one process share: memory for what is held, and requests at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use schemas::event::Priority;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// A process's budgets.
#[derive(Debug)]
pub(crate) struct Budget {
    bytes: AtomicU64,
    records: AtomicU64,
    most_bytes: u64,
    most_records: u64,
    requests: Arc<Semaphore>,
    most_requests: usize,
    owners: AtomicUsize,
}

/// One owner among those that share a budget; no longer when it is dropped.
#[derive(Debug)]
pub(crate) struct Sharer(Arc<Budget>);

/// A part of the budget, given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Reserved {
    budget: Arc<Budget>,
    bytes: u64,
    request: Option<OwnedSemaphorePermit>,
}

/// How full a budget is, as far as it matters to a lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pressure {
    /// Take more.
    None,
    /// Lanes over their fair share lag.
    Share,
    /// Nobody takes anything; the cursor stops.
    Full,
}

impl Budget {
    pub(crate) fn new(most_bytes: u64, most_records: u64, requests: usize) -> Arc<Self> {
        let requests = requests.clamp(1, Semaphore::MAX_PERMITS);
        Arc::new(Self {
            bytes: AtomicU64::new(0),
            records: AtomicU64::new(0),
            most_bytes: most_bytes.max(1),
            most_records: most_records.max(1),
            requests: Arc::new(Semaphore::new(requests)),
            most_requests: requests,
            owners: AtomicUsize::new(0),
        })
    }

    /// Takes `bytes` for one record, whether they are there or not: whoever takes asks for the
    /// [`pressure`](Self::pressure) first.
    pub(crate) fn reserve(self: &Arc<Self>, bytes: usize) -> Reserved {
        let bytes = bytes as u64;
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.records.fetch_add(1, Ordering::Relaxed);
        Reserved {
            budget: Arc::clone(self),
            bytes,
            request: None,
        }
    }

    /// How full it is for a lane of this priority: low ones feel it first.
    pub(crate) fn pressure(&self, priority: Priority) -> Pressure {
        let bytes = self.bytes.load(Ordering::Relaxed) as f64 / self.most_bytes as f64;
        let records = self.records.load(Ordering::Relaxed) as f64 / self.most_records as f64;
        let soft = match priority {
            Priority::Low => 0.5,
            Priority::Normal => 0.75,
            Priority::High => 0.9,
        };
        match bytes.max(records) {
            full if full >= 1.0 => Pressure::Full,
            full if full >= soft => Pressure::Share,
            _ => Pressure::None,
        }
    }

    /// The bytes that one of `sharers` may hold when the budget is short.
    pub(crate) const fn fair_share(&self, sharers: usize) -> u64 {
        let sharers = if sharers == 0 { 1 } else { sharers as u64 };
        self.most_bytes / 2 / sharers
    }

    /// And the records.
    pub(crate) const fn fair_records(&self, sharers: usize) -> usize {
        let sharers = if sharers == 0 { 1 } else { sharers as u64 };
        let share = self.most_records / 2 / sharers;
        if share == 0 { 1 } else { share as usize }
    }

    /// One more owner shares it.
    pub(crate) fn share(self: &Arc<Self>) -> Sharer {
        self.owners.fetch_add(1, Ordering::Relaxed);
        Sharer(Arc::clone(self))
    }

    /// How much leave one owner may keep for answers that are not durable: a log that takes nothing for one
    /// partition must not keep the others from sending.
    pub(crate) fn fair_requests(&self) -> usize {
        let owners = self.owners.load(Ordering::Relaxed).max(1);
        (self.most_requests / owners).max(1)
    }

    /// Leave for one request, if there is any.
    pub(crate) fn try_request(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.requests).try_acquire_owned().ok()
    }

    /// Leave for one request, in turn with other owners.
    pub(crate) fn request(
        &self,
    ) -> impl Future<Output = Option<OwnedSemaphorePermit>> + Send + use<> {
        let requests = Arc::clone(&self.requests);
        async move { requests.acquire_owned().await.ok() }
    }
}

impl Drop for Sharer {
    fn drop(&mut self) {
        self.0.owners.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Reserved {
    pub(crate) const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Keeps leave for one request too, or gives it back. It is kept from before the request until its
    /// outcome is durable: so what a crash can repeat is never more than the leave there is (I3).
    pub(crate) fn set_request(&mut self, permit: Option<OwnedSemaphorePermit>) {
        self.request = permit;
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        self.budget.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
        self.budget.records.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_dropped_is_given_back_and_low_priority_feels_it_first() {
        let budget = Budget::new(100, 10, 1);
        let held = budget.reserve(60);
        assert_eq!(budget.pressure(Priority::Low), Pressure::Share);
        assert_eq!(budget.pressure(Priority::Normal), Pressure::None);
        let more = budget.reserve(40);
        assert_eq!(budget.pressure(Priority::High), Pressure::Full);
        drop((held, more));
        assert_eq!(budget.pressure(Priority::Low), Pressure::None);
        let one = budget.try_request();
        assert!(one.is_some() && budget.try_request().is_none());
    }
}
