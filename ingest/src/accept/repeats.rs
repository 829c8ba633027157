//! Events with an idempotency key: what ingest can say at once. The guarantee is the router's.

use projections_port::{First, KeyScope};
use schemas::inbox::{Door, InboxEvent};
use schemas::origin::Acceptance;
use schemas::text::{IdempotencyKey, OrderingKey, TenantId};
use tokio::time::timeout;

use super::{Inner, endpoints, sha256};
use crate::event::{NewEvent, Receipt, Refused};
use crate::idempotency::{Judgement, judge};
use crate::limits::KEY_LOOK_UP;
use crate::placement::partition_of;
use crate::plan::Found;
use crate::recent::Earlier;

impl Inner {
    /// Answers a repeat with its first, refuses another payload, and appends everything else: whatever is not
    /// known here, the router decides.
    pub(super) async fn take_keyed(
        &self,
        tenant: &TenantId,
        event: NewEvent,
        found: Found,
        key: IdempotencyKey,
    ) -> Result<Receipt, Refused> {
        let scope = self.scope(tenant, event.ordering_key.as_ref(), key);
        let payload_sha256 = sha256(&event.payload);
        match self.repeat_of(&scope, &payload_sha256).await {
            Some((Judgement::Duplicate, earlier)) => Ok(Receipt {
                event: earlier.first.event,
                duplicate: true,
                acceptance: Acceptance::inbox(scope.partition, earlier.first.offset),
                accepted_at: earlier.first.appended_at,
                endpoints: earlier.endpoints,
            }),
            Some((Judgement::Conflict, _)) => Err(Refused::KeyMismatch),
            Some((Judgement::First, _)) | None => {
                let keyed = Some((scope, payload_sha256));
                self.take_routed(tenant, event, found, keyed).await
            }
        }
    }

    fn scope(
        &self,
        tenant: &TenantId,
        ordering: Option<&OrderingKey>,
        key: IdempotencyKey,
    ) -> KeyScope {
        let placed_by = ordering.map_or(key.as_str(), OrderingKey::as_str);
        KeyScope {
            tenant: tenant.clone(),
            partition: partition_of(placed_by.as_bytes(), self.inbox.count()),
            key,
        }
    }

    /// The event that has the key, when it is known and inside the window.
    async fn repeat_of(&self, scope: &KeyScope, sha256: &[u8; 32]) -> Option<(Judgement, Earlier)> {
        let now = self.clock.now();
        let window = self.config.idempotency_window;
        let judged = |first: &First| judge(first, now, sha256, window);
        if let Some(first) = self.look_up(scope).await {
            match judged(&first) {
                Judgement::First => {}
                Judgement::Conflict => {
                    let endpoints = Vec::new();
                    return Some((Judgement::Conflict, Earlier { first, endpoints }));
                }
                Judgement::Duplicate => {
                    let earlier = self.earlier(scope, first).await?;
                    return Some((Judgement::Duplicate, earlier));
                }
            }
        }
        let earlier = self.recent.lock().get(scope).cloned()?;
        Some((judged(&earlier.first), earlier))
    }

    async fn look_up(&self, scope: &KeyScope) -> Option<First> {
        let wanted = [(scope.clone(), u64::MAX)];
        let found = timeout(KEY_LOOK_UP, self.keys.firsts(&wanted)).await;
        match found {
            Ok(Ok(mut rows)) => rows.pop().flatten(),
            Ok(Err(error)) => {
                tracing::warn!(%error, "an idempotency key can't be looked up");
                None
            }
            Err(_late) => None,
        }
    }

    /// Where the first went, as its record says. A Kafka producer's doesn't say it: then the router
    /// decides about this one too.
    async fn earlier(&self, scope: &KeyScope, first: First) -> Option<Earlier> {
        let inbox = self.inbox.get(scope.partition)?;
        let record = self.log.read_at(inbox, first.offset).await.ok()??;
        let event = InboxEvent::decode(&record.into_parts()).ok()?;
        match event.door {
            Door::Http(http) => Some(Earlier {
                endpoints: endpoints(&http.routes),
                first,
            }),
            Door::Kafka { .. } => None,
        }
    }
}
