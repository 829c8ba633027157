//! Who asks, as the server's middleware finds out and handlers are told by extensions of the request.

use std::sync::Arc;

use schemas::actor::Actor;
use schemas::text::TenantId;

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Whose data it may see and change.
    pub tenant: TenantId,
    /// As whom its changes are recorded.
    pub actor: Actor,
}

/// The request's id, as `x-request-id` says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestId(pub Arc<str>);
