//! Whether a row is wanted.

use crate::row::{DeliveryRow, DeliveryState, EventRow};
use crate::views::Selection;

impl Selection {
    /// Whether a delivery is wanted, as it is shown. Times are the walk's affair.
    #[must_use]
    pub fn fits_delivery(&self, row: &DeliveryRow) -> bool {
        let same = |wanted: &str| wanted == row.state.name();
        let because = |reason| row.state == DeliveryState::DeadLettered(reason);
        self.endpoint
            .is_none_or(|endpoint| endpoint == row.endpoint)
            && self.status.as_deref().is_none_or(same)
            && self
                .event_type
                .as_ref()
                .is_none_or(|of| *of == row.event_type)
            && self
                .status_code
                .is_none_or(|code| row.last_status() == Some(code))
            && self.reason.is_none_or(because)
    }

    /// Whether an event is wanted, as far as its own row says; its status is in its deliveries.
    #[must_use]
    pub fn fits_event(&self, row: &EventRow) -> bool {
        let tagged = |tag: &String| {
            let tags = row.tags.as_ref();
            tags.is_some_and(|tags| tags.iter().any(|one| one == tag))
        };
        self.event_type
            .as_ref()
            .is_none_or(|of| *of == row.event_type)
            && self.source.as_ref().is_none_or(|of| *of == row.source)
            && self.tag.as_ref().is_none_or(tagged)
    }
}
