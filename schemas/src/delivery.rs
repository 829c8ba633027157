//! What every outcome says of its delivery.

use domain::time::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ids::{DeliveryId, EndpointId, EventId};
use crate::origin::{Acceptance, Position, Run};
use crate::scalar::At;
use crate::text::{EventType, TenantId};

/// Which delivery a record is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Delivery {
    /// Its id, derived from the three below and the endpoint. Readers trust it.
    pub id: DeliveryId,
    /// Where the event was accepted.
    pub acceptance: Acceptance,
    /// The append time of the acceptance.
    pub accepted_at: At,
    /// Which pass over the log.
    pub run: Run,
}

impl Delivery {
    /// The delivery of what was accepted at `acceptance` to `endpoint` in `run`.
    #[must_use]
    pub fn new(
        acceptance: Acceptance,
        accepted_at: Timestamp,
        endpoint: EndpointId,
        run: Run,
    ) -> Self {
        let id = DeliveryId::derive(acceptance, accepted_at, endpoint, run);
        Self {
            id,
            acceptance,
            accepted_at: At(accepted_at),
            run,
        }
    }
}

/// Whose delivery it is, on records that have no CloudEvents headers to say it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Subject {
    /// Whose the endpoint is.
    pub tenant: TenantId,
    /// The endpoint.
    pub endpoint: EndpointId,
    /// The event.
    pub event: EventId,
    /// What happened.
    pub event_type: EventType,
}

/// How an outcome hangs together with the rest of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Link {
    /// The input that ends here. With the delivery's run it is the outcome's origin.
    pub origin: Position,
    /// The request that led to it, which ends here too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<Position>,
    /// The acceptance is 0, each outcome of the delivery one more. In every fold the highest wins.
    pub step: u32,
    /// The epoch of the owner that wrote it. A record below the highest epoch seen is ignored.
    pub epoch: u64,
}
