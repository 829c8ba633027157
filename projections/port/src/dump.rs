//! Every row there is, for verification and for whoever checks a history.

use domain::time::Timestamp;
use schemas::ids::EndpointId;
use schemas::text::TenantId;

use crate::page::Cursor;
use crate::row::{Accounting, DeliveryRow, EndpointRow, EventRow, MinuteRow};
use crate::views::Undelivered;

/// A row of any kind.
#[derive(Clone, Debug, PartialEq)]
pub enum Row {
    /// An event.
    Event(EventRow),
    /// A delivery.
    Delivery(DeliveryRow),
    /// A minute of an endpoint, by its first moment.
    Minute(EndpointId, Timestamp, MinuteRow),
    /// An endpoint.
    Endpoint(EndpointId, EndpointRow),
    /// Where a tenant's deliveries to an endpoint stand.
    Accounting(TenantId, EndpointId, Accounting),
    /// How many of a tenant's events went nowhere.
    Undelivered(TenantId, Undelivered),
}

/// What a row is found by. Kinds come in this order, and within a kind keys ascend.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RowKey {
    /// Of an event.
    Event(TenantId, Cursor),
    /// Of a delivery.
    Delivery(TenantId, Cursor),
    /// Of a minute.
    Minute(EndpointId, Timestamp),
    /// Of an endpoint.
    Endpoint(EndpointId),
    /// Of a count of deliveries.
    Accounting(TenantId, EndpointId),
    /// Of a count of events.
    Undelivered(TenantId),
}

impl Row {
    /// What it is found by.
    #[must_use]
    pub fn key(&self) -> RowKey {
        match self {
            Self::Event(row) => RowKey::Event(row.tenant.clone(), row.cursor()),
            Self::Delivery(row) => RowKey::Delivery(row.tenant.clone(), row.cursor()),
            Self::Minute(endpoint, minute, _) => RowKey::Minute(*endpoint, *minute),
            Self::Endpoint(endpoint, _) => RowKey::Endpoint(*endpoint),
            Self::Accounting(tenant, endpoint, _) => RowKey::Accounting(tenant.clone(), *endpoint),
            Self::Undelivered(tenant, _) => RowKey::Undelivered(tenant.clone()),
        }
    }
}
