//! Minutes and endpoints: sums, the latest, and nothing that depends on the order of topics.

use std::collections::{BTreeMap, BTreeSet};

use domain::time::Timestamp;
use projections_port::row::minute_of;
use projections_port::{Batch, DeliveryState, EndpointRow, MinuteRow};
use schemas::attempt::AttemptResult;
use schemas::ids::EndpointId;

use super::delivery::Said;

/// Rows of either kind that are held between turns.
const MOST: usize = 2_000;

/// A minute of an endpoint.
pub(crate) type Minute = (EndpointId, Timestamp);

/// Rows as the store has them, and those that this turn changed.
#[derive(Default)]
pub(crate) struct Statistics {
    minutes: BTreeMap<Minute, MinuteRow>,
    endpoints: BTreeMap<EndpointId, EndpointRow>,
    changed_minutes: BTreeSet<Minute>,
    changed_endpoints: BTreeSet<EndpointId>,
}

/// The minute that an outcome counts in.
pub(crate) fn minute(said: &Said, since: Timestamp) -> Minute {
    (said.row.endpoint, minute_of(since))
}

impl Statistics {
    /// Those of `wanted` that are not held.
    pub(crate) fn unknown_minutes(&self, wanted: BTreeSet<Minute>) -> Vec<Minute> {
        let unknown = |minute: &Minute| !self.minutes.contains_key(minute);
        wanted.into_iter().filter(unknown).collect()
    }

    /// As [`unknown_minutes`](Self::unknown_minutes).
    pub(crate) fn unknown_endpoints(&self, wanted: BTreeSet<EndpointId>) -> Vec<EndpointId> {
        let unknown = |endpoint: &EndpointId| !self.endpoints.contains_key(endpoint);
        wanted.into_iter().filter(unknown).collect()
    }

    /// Takes a row of the store.
    pub(crate) fn know_minute(&mut self, minute: Minute, row: MinuteRow) {
        self.minutes.insert(minute, row);
    }

    /// As [`know_minute`](Self::know_minute).
    pub(crate) fn know_endpoint(&mut self, endpoint: EndpointId, row: Option<EndpointRow>) {
        self.endpoints.insert(endpoint, row.unwrap_or_default());
    }

    /// Counts an outcome that the log appended at `since`.
    pub(crate) fn count(&mut self, said: &Said, since: Timestamp) {
        let ended = match said.row.state {
            DeliveryState::Delivered => Some(true),
            DeliveryState::DeadLettered(_) => Some(false),
            DeliveryState::Pending
            | DeliveryState::Delivering
            | DeliveryState::Retrying { .. }
            | DeliveryState::Discarded
            | DeliveryState::Cancelled => None,
        };
        if ended.is_none() && said.attempt.is_none() {
            return;
        }
        let key = minute(said, since);
        let row = self.minutes.entry(key).or_default();
        match ended {
            Some(true) => row.delivered += 1,
            Some(false) => row.dead_lettered += 1,
            None => {}
        }
        self.changed_minutes.insert(key);
        if let Some(attempt) = &said.attempt {
            row.count(&attempt.attempt, since);
            if attempt.attempt.result == AttemptResult::Succeeded {
                self.succeeded(said.row.endpoint, since);
            }
        }
    }

    fn succeeded(&mut self, endpoint: EndpointId, at: Timestamp) {
        let row = self.endpoints.entry(endpoint).or_default();
        if row
            .last_success
            .is_none_or(|last| minute_of(last) < minute_of(at))
        {
            row.last_success = Some(at);
            self.changed_endpoints.insert(endpoint);
        }
    }

    /// A circuit changed.
    pub(crate) fn circuit(&mut self, endpoint: EndpointId, said: EndpointRow) {
        let row = self.endpoints.entry(endpoint).or_default();
        (row.circuit, row.probe_at) = (said.circuit, said.probe_at);
        self.changed_endpoints.insert(endpoint);
    }

    /// What this turn changed.
    pub(crate) fn take_into(&mut self, batch: &mut Batch) {
        let minutes = std::mem::take(&mut self.changed_minutes).into_iter();
        batch.minutes = minutes
            .filter_map(|key| Some((key.0, key.1, self.minutes.get(&key)?.clone())))
            .collect();
        let endpoints = std::mem::take(&mut self.changed_endpoints).into_iter();
        batch.endpoints = endpoints
            .filter_map(|endpoint| Some((endpoint, *self.endpoints.get(&endpoint)?)))
            .collect();
        self.forget();
    }

    /// Rows of minutes that are over are not asked for again; what is too much is read again.
    fn forget(&mut self) {
        let latest = self.minutes.keys().map(|(_, minute)| *minute).max();
        self.minutes
            .retain(|(_, minute), _| Some(*minute) == latest);
        if self.minutes.len() > MOST {
            self.minutes.clear();
        }
        if self.endpoints.len() > MOST {
            self.endpoints.clear();
        }
    }
}
