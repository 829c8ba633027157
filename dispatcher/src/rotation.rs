//! Whose turn it is: tenants in turn, and within a tenant its endpoints, so that nobody's backlog
//! is anybody else's wait.

use std::collections::{BTreeMap, VecDeque};

use schemas::ids::EndpointId;
use schemas::text::TenantId;

/// Endpoints that have something to send, each once.
#[derive(Debug, Default)]
pub(crate) struct Rotation {
    tenants: VecDeque<TenantId>,
    endpoints: BTreeMap<TenantId, VecDeque<EndpointId>>,
}

impl Rotation {
    /// Puts an endpoint at the end of its tenant's line. The caller sees to it that it stands there
    /// once.
    pub(crate) fn push(&mut self, tenant: &TenantId, endpoint: EndpointId) {
        if let Some(line) = self.endpoints.get_mut(tenant) {
            line.push_back(endpoint);
            return;
        }
        self.tenants.push_back(tenant.clone());
        self.endpoints
            .insert(tenant.clone(), VecDeque::from([endpoint]));
    }

    /// Takes the next one; its tenant goes to the end of the line of tenants.
    pub(crate) fn pop(&mut self) -> Option<EndpointId> {
        let tenant = self.tenants.pop_front()?;
        let line = self.endpoints.get_mut(&tenant)?;
        let endpoint = line.pop_front();
        if line.is_empty() {
            self.endpoints.remove(&tenant);
        } else {
            self.tenants.push_back(tenant);
        }
        endpoint
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.tenants.is_empty()
    }

    /// Puts one back in front: its turn was not used.
    pub(crate) fn unpop(&mut self, tenant: &TenantId, endpoint: EndpointId) {
        if let Some(line) = self.endpoints.get_mut(tenant) {
            line.push_front(endpoint);
            return;
        }
        self.tenants.push_front(tenant.clone());
        self.endpoints
            .insert(tenant.clone(), VecDeque::from([endpoint]));
    }
}

#[cfg(test)]
mod tests {
    use domain::time::Timestamp;

    use super::*;

    #[test]
    fn a_tenant_with_one_endpoint_gets_as_many_turns_as_one_with_three() {
        let (a, b): (TenantId, TenantId) = ("a".parse().unwrap(), "b".parse().unwrap());
        let id = |n| EndpointId::new(Timestamp::default(), n);
        let mut rotation = Rotation::default();
        for n in [1, 2, 3] {
            rotation.push(&a, id(n));
        }
        rotation.push(&b, id(9));
        assert_eq!(rotation.pop(), Some(id(1)));
        assert_eq!(rotation.pop(), Some(id(9)));
        rotation.push(&b, id(9));
        assert_eq!(rotation.pop(), Some(id(2)));
        assert_eq!(rotation.pop(), Some(id(9)));
        rotation.unpop(&b, id(9));
        assert_eq!(rotation.pop(), Some(id(9)));
        assert_eq!(rotation.pop(), Some(id(3)));
        assert!(rotation.is_empty());
    }
}
