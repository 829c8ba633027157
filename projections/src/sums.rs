//! Counts, made anew from the rows that they count.

use std::collections::BTreeMap;

use projections_port::ledger::Ledger;
use projections_port::{Ending, Row};
use schemas::ids::EndpointId;
use schemas::text::TenantId;
use schemas::topics::Topic;

/// What the views' own rows come to.
#[derive(Default)]
pub(crate) struct Sums {
    ledger: Ledger,
    /// Of each count, how many deliveries the fold of `events` has taken on before that of `inbox` came to their events.
    unrouted: BTreeMap<(TenantId, EndpointId), i64>,
}

impl Sums {
    /// Takes one of the rows: all of them before any count.
    pub(crate) fn count(&mut self, row: Option<&Row>) {
        match row {
            Some(Row::Delivery(row)) => {
                let ledger = &mut self.ledger;
                ledger.delivery(&row.tenant, row.endpoint, None, Some(row.state));
                if row.is_routed() {
                    *self.unrouted(&row.tenant, row.endpoint) += 1;
                }
            }
            Some(Row::Event(row)) => {
                self.ledger.event(&row.tenant, None, Some(&row.ending));
                if let Ending::Routed(endpoints) = &row.ending
                    && row.acceptance.position().topic == Topic::Inbox
                {
                    for endpoint in endpoints {
                        *self.unrouted(&row.tenant, *endpoint) -= 1;
                    }
                }
            }
            Some(
                Row::Minute(..) | Row::Endpoint(..) | Row::Accounting(..) | Row::Undelivered(..),
            )
            | None => {}
        }
    }

    fn unrouted(&mut self, tenant: &TenantId, endpoint: EndpointId) -> &mut i64 {
        let counted = (tenant.clone(), endpoint);
        self.unrouted.entry(counted).or_default()
    }

    /// What a count has to be compared with: the sum of the views' own rows. Other rows are the log's.
    ///
    /// A store may keep the counts of the two folds apart: so many of what is pending may be left out as are not routed yet.
    pub(crate) fn summed(&self, view: Option<&Row>, log: Option<Row>) -> Option<Row> {
        match view.or(log.as_ref()) {
            Some(Row::Accounting(tenant, endpoint, shown)) => {
                let mut counts = self.ledger.accounting(tenant, endpoint);
                let counted = (tenant.clone(), *endpoint);
                let unrouted = self.unrouted.get(&counted).copied().unwrap_or_default();
                let most = u64::try_from(unrouted).unwrap_or(0).min(counts.pending);
                let left_out = counts.deliveries.saturating_sub(shown.deliveries).min(most);
                counts.deliveries -= left_out;
                counts.pending -= left_out;
                Some(Row::Accounting(tenant.clone(), *endpoint, counts))
            }
            Some(Row::Undelivered(tenant, _)) => {
                let counts = self.ledger.undelivered(tenant);
                Some(Row::Undelivered(tenant.clone(), counts))
            }
            Some(Row::Event(_) | Row::Delivery(_) | Row::Minute(..) | Row::Endpoint(..)) | None => {
                log
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed case panics")]
mod tests {
    use projections_port::conformance::samples::{delivered, delivery, endpoint, event, tenant};
    use projections_port::{Accounting, DeliveryRow, EventRow};
    use schemas::origin::Acceptance;

    use super::*;

    fn routed(n: u64) -> EventRow {
        let mut row = event(n, endpoint(1));
        row.acceptance = Acceptance::inbox(0, n);
        row
    }

    fn taken(n: u64) -> DeliveryRow {
        let mut row = delivered(delivery(n, endpoint(1)));
        row.acceptance = Acceptance::inbox(0, n);
        row
    }

    fn only_routed(n: u64) -> DeliveryRow {
        let mut row = delivery(n, endpoint(1));
        row.acceptance = Acceptance::inbox(0, n);
        row
    }

    /// A count by state: pending, delivered.
    fn counts(pending: u64, delivered: u64) -> Accounting {
        Accounting {
            deliveries: pending + delivered,
            pending,
            delivered,
            ..Accounting::default()
        }
    }

    /// Of what is only routed as many may be left out as were delivered before the fold of `inbox` came to them, and no
    /// more.
    #[test]
    fn a_count_may_leave_out_what_is_not_routed_yet() {
        let addressed = vec![
            Row::Event(event(9, endpoint(1))),
            Row::Delivery(delivery(9, endpoint(1))),
        ];
        let level = vec![
            Row::Event(routed(1)),
            Row::Event(routed(2)),
            Row::Delivery(taken(1)),
            Row::Delivery(only_routed(2)),
        ];
        let ahead = vec![
            Row::Event(routed(2)),
            Row::Delivery(taken(1)),
            Row::Delivery(only_routed(2)),
        ];
        let cases = [
            (&level, counts(1, 1), true),
            (&level, counts(0, 1), false),
            (&ahead, counts(1, 1), true),
            (&ahead, counts(0, 1), true),
            (&ahead, counts(1, 0), false),
            (&ahead, counts(0, 0), false),
            (&ahead, counts(0, 2), false),
            (&ahead, counts(2, 1), false),
            (&addressed, counts(1, 0), true),
            (&addressed, counts(0, 0), false),
        ];
        for (rows, shown, is_right) in cases {
            let mut sums = Sums::default();
            for row in rows {
                sums.count(Some(row));
            }
            let shown = Row::Accounting(tenant("a"), endpoint(1), shown);
            let summed = sums.summed(Some(&shown), None).unwrap();
            assert_eq!(summed == shown, is_right, "{shown:?} of {rows:?}");
        }
    }
}
