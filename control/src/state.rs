//! The fold of `control`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use domain::subscription::{Pattern, Subscriptions};
use schemas::control::{Endpoint, EndpointState, Fact};
use schemas::ids::EndpointId;
use schemas::text::TenantId;

/// An endpoint as the log has it now.
#[derive(Clone, Debug, PartialEq)]
pub struct Current {
    /// The offset of its fact in `control`: its version, which the next fact has to name.
    pub version: u64,
    /// The endpoint.
    pub endpoint: Endpoint,
}

impl Current {
    /// Whether anything is sent to it. One that is paused is active: its deliveries wait.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.endpoint.state == EndpointState::Active
    }

    /// Whether it subscribes to `event_type`. One that names no types does so to all.
    #[must_use]
    pub fn subscribes_to(&self, event_type: &str) -> bool {
        let patterns = &self.endpoint.event_types;
        let takes = |pattern: &String| {
            Pattern::parse(pattern).is_ok_and(|pattern| pattern.matches(event_type))
        };
        patterns.is_empty() || patterns.iter().any(takes)
    }
}

/// What the facts below an offset come to. The same for everybody who has read as far.
#[derive(Debug, Default)]
pub struct ControlState {
    end: u64,
    endpoints: BTreeMap<EndpointId, Arc<Current>>,
    tenants: BTreeMap<TenantId, Tenant>,
    /// How many live endpoints each partition has, for placing the next.
    placed: BTreeMap<u32, u64>,
    /// The last facts that did not hold, for whoever wrote one of them and reads back.
    refused: BTreeSet<u64>,
}

/// How many facts that did not hold are remembered: far more than can race between an append and
/// the look that follows it.
const REFUSED: usize = 4_096;

#[derive(Debug, Default)]
struct Tenant {
    /// Every endpoint that was not deleted, by age: ids ascend with the time they were made.
    endpoints: BTreeMap<EndpointId, Arc<Current>>,
    /// What the active ones subscribe to.
    subscriptions: Subscriptions<EndpointId>,
}

impl ControlState {
    /// Applies the fact at `offset`. True when it holds: it names the version that is current.
    pub fn apply(&mut self, offset: u64, fact: Fact) -> bool {
        self.end = offset + 1;
        let holds = match fact {
            Fact::Endpoint(endpoint) => self.apply_endpoint(offset, *endpoint),
            // Event types, keys and replays have no reader yet.
            Fact::EventType(_) | Fact::Key(_) | Fact::Replay(_) => true,
        };
        if !holds {
            self.refused.insert(offset);
            if self.refused.len() > REFUSED {
                self.refused.pop_first();
            }
        }
        holds
    }

    /// Whether the fact at `offset` is applied and held when it was: it named the version that was
    /// current. That another has replaced it since changes nothing.
    #[must_use]
    pub fn held(&self, offset: u64) -> bool {
        offset < self.end && !self.refused.contains(&offset)
    }

    /// Everything below `end` is applied: the log had no more.
    pub fn pass(&mut self, end: u64) {
        self.end = self.end.max(end);
    }

    fn apply_endpoint(&mut self, offset: u64, endpoint: Endpoint) -> bool {
        let before = self.endpoints.get(&endpoint.id).cloned();
        let is_next = before.as_ref().map(|before| before.version) == endpoint.change.replaces;
        // Nobody takes over what belongs to another tenant, whatever version it names.
        let is_own = before.as_ref().is_none_or(|before| {
            before.endpoint.change.tenant == endpoint.change.tenant
                && before.endpoint.state != EndpointState::Deleted
        });
        if !is_next || !is_own {
            return false;
        }
        let current = Arc::new(Current {
            version: offset,
            endpoint,
        });
        if let Some(before) = before {
            self.remove(&before);
        }
        self.insert(&current);
        true
    }

    fn remove(&mut self, before: &Current) {
        let Endpoint { id, partition, .. } = before.endpoint;
        if let Some(tenant) = self.tenants.get_mut(&before.endpoint.change.tenant) {
            tenant.endpoints.remove(&id);
            tenant.subscriptions.remove(&id);
        }
        if let Some(placed) = self.placed.get_mut(&partition) {
            *placed = placed.saturating_sub(1);
        }
    }

    fn insert(&mut self, current: &Arc<Current>) {
        let endpoint = &current.endpoint;
        self.endpoints.insert(endpoint.id, Arc::clone(current));
        if endpoint.state == EndpointState::Deleted {
            return;
        }
        *self.placed.entry(endpoint.partition).or_default() += 1;
        let tenant = self
            .tenants
            .entry(endpoint.change.tenant.clone())
            .or_default();
        tenant.endpoints.insert(endpoint.id, Arc::clone(current));
        if current.is_active() {
            // A pattern that this program can't read matches nothing; the api refuses such.
            let patterns = endpoint
                .event_types
                .iter()
                .filter_map(|p| Pattern::parse(p).ok());
            tenant
                .subscriptions
                .insert(endpoint.id, endpoint.event_types.is_empty(), patterns);
        }
    }

    /// Everything below this offset of `control` is applied.
    #[must_use]
    pub const fn end(&self) -> u64 {
        self.end
    }

    /// The endpoint, a deleted one too: what is queued for it has to say why it ends.
    #[must_use]
    pub fn endpoint(&self, id: &EndpointId) -> Option<&Arc<Current>> {
        self.endpoints.get(id)
    }

    /// The endpoint, when it is `tenant`'s and not deleted.
    #[must_use]
    pub fn endpoint_of(&self, tenant: &TenantId, id: &EndpointId) -> Option<&Arc<Current>> {
        self.tenants.get(tenant)?.endpoints.get(id)
    }

    /// `tenant`'s endpoints that are not deleted, ascending by id.
    pub fn endpoints_of(
        &self,
        tenant: &TenantId,
    ) -> impl DoubleEndedIterator<Item = &Arc<Current>> {
        self.tenants
            .get(tenant)
            .into_iter()
            .flat_map(|tenant| tenant.endpoints.values())
    }

    /// Every endpoint that `tenant` ever had, deleted ones too, ascending. Looks at all there are.
    #[must_use]
    pub fn all_ids_of(&self, tenant: &TenantId) -> Vec<EndpointId> {
        let own = self.endpoints.values();
        let own = own.filter(|current| current.endpoint.change.tenant == *tenant);
        own.map(|current| current.endpoint.id).collect()
    }

    /// The active endpoints of `tenant` that subscribe to `event_type`, ascending by id. Costs what
    /// it finds, however many endpoints there are.
    #[must_use]
    pub fn subscribers(&self, tenant: &TenantId, event_type: &str) -> Vec<Arc<Current>> {
        let Some(tenant) = self.tenants.get(tenant) else {
            return Vec::new();
        };
        let found = tenant.subscriptions.matching(event_type);
        found
            .into_iter()
            .filter_map(|id| tenant.endpoints.get(&id).cloned())
            .collect()
    }

    /// Where a new endpoint goes: the partition below `partitions` with the fewest, the lowest of
    /// those.
    #[must_use]
    pub fn emptiest_partition(&self, partitions: u32) -> u32 {
        let placed = |partition: &u32| self.placed.get(partition).copied().unwrap_or(0);
        (0..partitions).min_by_key(placed).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example::endpoint;

    fn fact(replaces: Option<u64>, name: &str) -> Fact {
        let mut endpoint = endpoint();
        endpoint.change.replaces = replaces;
        endpoint.name = Some(name.to_owned());
        Fact::Endpoint(Box::new(endpoint))
    }

    #[test]
    fn the_loser_of_a_race_is_one_even_when_the_winner_is_replaced_before_it_looks() {
        let mut state = ControlState::default();
        assert!(state.apply(5, fact(None, "made")));
        assert!(state.apply(10, fact(Some(5), "won")));
        assert!(!state.apply(11, fact(Some(5), "lost")));
        assert!(state.apply(12, fact(Some(10), "replaced the winner")));
        let held: Vec<bool> = [5, 10, 11, 12, 13].map(|offset| state.held(offset)).into();
        assert_eq!(held, [true, true, false, true, false]);
    }
}
