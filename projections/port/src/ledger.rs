//! Accounting as counters that move with each batch. An adapter keeps it in memory beside the rows,
//! under the lock that batches are written under.

use std::collections::{BTreeMap, BTreeSet};

use schemas::ids::EndpointId;
use schemas::text::TenantId;

use crate::row::{Accounting, DeliveryState, Ending};
use crate::views::{Figures, Undelivered};

/// Counts by tenant and endpoint, and which of them moved since they were last taken.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    deliveries: BTreeMap<(TenantId, EndpointId), Accounting>,
    events: BTreeMap<TenantId, Undelivered>,
    total: (Accounting, Undelivered),
    moved: BTreeSet<(TenantId, Option<EndpointId>)>,
}

impl Ledger {
    /// Takes counts as they were stored.
    pub fn load(&mut self, tenant: TenantId, endpoint: EndpointId, counts: Accounting) {
        self.total.0 += counts;
        self.deliveries.insert((tenant, endpoint), counts);
    }

    /// As [`load`](Self::load), of events.
    pub fn load_events(&mut self, tenant: TenantId, counts: Undelivered) {
        self.total.1.no_route += counts.no_route;
        self.total.1.duplicate += counts.duplicate;
        self.total.1.conflict += counts.conflict;
        self.events.insert(tenant, counts);
    }

    /// A delivery's state changed; `None` where it is not there.
    pub fn delivery(
        &mut self,
        tenant: &TenantId,
        endpoint: EndpointId,
        was: Option<DeliveryState>,
        is: Option<DeliveryState>,
    ) {
        if was.map(place) == is.map(place) {
            return;
        }
        let key = (tenant.clone(), endpoint);
        let counts = self.deliveries.entry(key).or_default();
        for counts in [counts, &mut self.total.0] {
            if let Some(was) = was {
                less(slot(counts, was));
                less(&mut counts.deliveries);
            }
            if let Some(is) = is {
                *slot(counts, is) += 1;
                counts.deliveries += 1;
            }
        }
        self.moved.insert((tenant.clone(), Some(endpoint)));
    }

    /// What came of an event changed; `None` where it is not there.
    pub fn event(&mut self, tenant: &TenantId, was: Option<&Ending>, is: Option<&Ending>) {
        let (was, is) = (was.and_then(Nowhere::of), is.and_then(Nowhere::of));
        if was == is {
            return;
        }
        let counts = self.events.entry(tenant.clone()).or_default();
        for counts in [counts, &mut self.total.1] {
            was.into_iter().for_each(|which| less(which.slot(counts)));
            is.into_iter().for_each(|which| *which.slot(counts) += 1);
        }
        self.moved.insert((tenant.clone(), None));
    }

    /// Which counts moved since this was last called: of a tenant's deliveries to an endpoint, or of its
    /// events.
    pub fn take_moved(&mut self) -> BTreeSet<(TenantId, Option<EndpointId>)> {
        std::mem::take(&mut self.moved)
    }

    /// Where all that is `tenant`'s stands, and its deliveries to each of `endpoints`.
    #[must_use]
    pub fn figures(&self, tenant: &TenantId, endpoints: &[EndpointId]) -> Figures {
        let mut deliveries = Accounting::default();
        for (_, counts) in self.of_deliveries().filter(|(key, _)| key.0 == *tenant) {
            deliveries += *counts;
        }
        let at = |endpoint| self.accounting(tenant, endpoint);
        Figures {
            deliveries,
            endpoints: endpoints.iter().map(at).collect(),
            undelivered: self.undelivered(tenant),
        }
    }

    /// Where `tenant`'s deliveries to `endpoint` stand.
    #[must_use]
    pub fn accounting(&self, tenant: &TenantId, endpoint: &EndpointId) -> Accounting {
        let key = (tenant.clone(), *endpoint);
        self.deliveries.get(&key).copied().unwrap_or_default()
    }

    /// How many of `tenant`'s events went nowhere.
    #[must_use]
    pub fn undelivered(&self, tenant: &TenantId) -> Undelivered {
        self.events.get(tenant).copied().unwrap_or_default()
    }

    /// The counts of all tenants together.
    #[must_use]
    pub const fn totals(&self) -> (Accounting, Undelivered) {
        self.total
    }

    /// Each count of deliveries, ascending.
    pub fn of_deliveries(&self) -> impl Iterator<Item = (&(TenantId, EndpointId), &Accounting)> {
        self.deliveries.iter()
    }

    /// Each count of events, ascending.
    pub fn of_events(&self) -> impl Iterator<Item = (&TenantId, &Undelivered)> {
        self.events.iter()
    }

    /// Every tenant that has a count.
    #[must_use]
    pub fn tenants(&self) -> BTreeSet<TenantId> {
        let of_deliveries = self.deliveries.keys().map(|(tenant, _)| tenant.clone());
        of_deliveries.chain(self.events.keys().cloned()).collect()
    }
}

const fn place(state: DeliveryState) -> u8 {
    match state {
        DeliveryState::Pending | DeliveryState::Delivering => 0,
        DeliveryState::Retrying { .. } => 1,
        DeliveryState::Delivered => 2,
        DeliveryState::DeadLettered(_) => 3,
        DeliveryState::Discarded => 4,
        DeliveryState::Cancelled => 5,
    }
}

const fn slot(counts: &mut Accounting, state: DeliveryState) -> &mut u64 {
    match state {
        DeliveryState::Pending | DeliveryState::Delivering => &mut counts.pending,
        DeliveryState::Retrying { .. } => &mut counts.retrying,
        DeliveryState::Delivered => &mut counts.delivered,
        DeliveryState::DeadLettered(_) => &mut counts.dead_lettered,
        DeliveryState::Discarded => &mut counts.discarded,
        DeliveryState::Cancelled => &mut counts.cancelled,
    }
}

const fn less(count: &mut u64) {
    *count = count.saturating_sub(1);
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Nowhere {
    NoRoute,
    Duplicate,
    Conflict,
}

impl Nowhere {
    const fn of(ending: &Ending) -> Option<Self> {
        match ending {
            Ending::Routed(endpoints) if endpoints.is_empty() => Some(Self::NoRoute),
            Ending::Routed(_) => None,
            Ending::Duplicate(_) => Some(Self::Duplicate),
            Ending::Conflict(_) => Some(Self::Conflict),
        }
    }

    const fn slot(self, counts: &mut Undelivered) -> &mut u64 {
        match self {
            Self::NoRoute => &mut counts.no_route,
            Self::Duplicate => &mut counts.duplicate,
            Self::Conflict => &mut counts.conflict,
        }
    }
}
