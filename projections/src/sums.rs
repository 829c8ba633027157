//! Counts, made anew from the rows that they count.

use std::collections::BTreeMap;

use domain::time::Timestamp;
use projections_port::ledger::Ledger;
use projections_port::{Ending, Row};
use schemas::ids::EndpointId;
use schemas::text::TenantId;
use schemas::topics::Topic;

/// What the views' own rows come to.
pub(crate) struct Sums {
    ledger: Ledger,
    apart: BTreeMap<(TenantId, EndpointId), Apart>,
    /// Events accepted before that may be forgotten already, and their deliveries not yet.
    expired: Timestamp,
}

/// How far the folds of `events` and `inbox` are apart in one count.
#[derive(Clone, Copy, Default)]
struct Apart {
    /// Deliveries that only the fold of `inbox` knows.
    only_routed: i64,
    /// Those of the fold of `events`, less the routes of events: what it has taken on before the other came to them. More
    /// where events are forgotten already, and for copies, which have no row of an event.
    unrouted: i64,
}

impl Sums {
    /// Of rows of which those accepted before `expired` are being forgotten.
    pub(crate) fn new(expired: Timestamp) -> Self {
        Self {
            ledger: Ledger::default(),
            apart: BTreeMap::new(),
            expired,
        }
    }

    /// Takes one of the rows: all of them before any count.
    pub(crate) fn count(&mut self, row: Option<&Row>) {
        match row {
            Some(Row::Delivery(row)) => {
                let ledger = &mut self.ledger;
                ledger.delivery(&row.tenant, row.endpoint, None, Some(row.state));
                if row.is_routed_too() {
                    let apart = self.apart(&row.tenant, row.endpoint);
                    apart.unrouted += 1;
                    apart.only_routed += i64::from(row.is_only_routed());
                }
            }
            Some(Row::Event(row)) => {
                self.ledger.event(&row.tenant, None, Some(&row.ending));
                let is_of_inbox = row.acceptance.position().topic == Topic::Inbox;
                if let Ending::Routed(endpoints) = &row.ending
                    && is_of_inbox
                    && row.accepted_at >= self.expired
                {
                    for endpoint in endpoints {
                        self.apart(&row.tenant, *endpoint).unrouted -= 1;
                    }
                }
            }
            Some(
                Row::Minute(..) | Row::Endpoint(..) | Row::Accounting(..) | Row::Undelivered(..),
            )
            | None => {}
        }
    }

    fn apart(&mut self, tenant: &TenantId, endpoint: EndpointId) -> &mut Apart {
        self.apart.entry((tenant.clone(), endpoint)).or_default()
    }

    /// What a count has to be compared with: the sum of the views' own rows. Other rows are the log's.
    ///
    /// A store may keep the counts of the two folds apart, and add their difference: then as many of what is only routed
    /// are left out as were taken on before they were routed.
    pub(crate) fn summed(&self, view: Option<&Row>, log: Option<Row>) -> Option<Row> {
        match view.or(log.as_ref()) {
            Some(Row::Accounting(tenant, endpoint, _)) => {
                let shown = match view {
                    Some(Row::Accounting(_, _, counts)) => counts.deliveries,
                    Some(_) | None => 0,
                };
                let mut counts = self.ledger.accounting(tenant, endpoint);
                let apart = self.apart.get(&(tenant.clone(), *endpoint));
                let apart = apart.copied().unwrap_or_default();
                let most = u64::try_from(apart.unrouted.min(apart.only_routed)).unwrap_or(0);
                let left_out = counts.deliveries.saturating_sub(shown).min(most);
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
    use projections_port::conformance::samples::{
        delivered, delivery, endpoint, event, position, tenant,
    };
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
        row.place = row.acceptance.position();
        row
    }

    /// Taken on, and nothing came of it yet.
    fn pending(n: u64) -> DeliveryRow {
        let mut row = only_routed(n);
        row.place = position(Topic::Events, n);
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
        let taken_alone = vec![Row::Delivery(pending(1)), Row::Delivery(pending(2))];
        // Its event is forgotten already, or is told to be.
        let forgotten = vec![
            Row::Event(routed(0)),
            Row::Event(routed(2)),
            Row::Delivery(taken(1)),
            Row::Delivery(only_routed(2)),
        ];
        let cases = [
            (&taken_alone, counts(2, 0), true),
            (&taken_alone, counts(1, 0), false),
            (&forgotten, counts(1, 1), true),
            (&forgotten, counts(0, 1), true),
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
            let mut sums = Sums::new(event(1, endpoint(1)).accepted_at);
            for row in rows {
                sums.count(Some(row));
            }
            let shown = Row::Accounting(tenant("a"), endpoint(1), shown);
            let summed = sums.summed(Some(&shown), None).unwrap();
            assert_eq!(summed == shown, is_right, "{shown:?} of {rows:?}");
        }
    }
}
