//! What the views show.

use checker::history::*;

use super::{A, ADDRESSED, AGAIN, B, Ids, NOWHERE, SPREAD, ids};

pub(super) fn views() -> Views {
    let Ids {
        addressed,
        spread_a,
        spread_b,
    } = ids();
    let event = |id: &str, acceptance: &str, at, ending| EventRow {
        id: id.to_owned(),
        tenant: "default".to_owned(),
        acceptance: acceptance.to_owned(),
        accepted_at: at,
        event_type: "order.created".to_owned(),
        ending,
    };
    let to = |ids: &[&str]| Ending::Routed(ids.iter().map(|id| (*id).to_owned()).collect());
    let nowhere = event(NOWHERE, "inbox/0/2", 14, to(&[]));
    let again = Ending::Duplicate(SPREAD.to_owned());
    let counts = |totals: [u64; 3]| Totals {
        deliveries: totals[0],
        delivered: totals[1],
        dead_lettered: totals[2],
        ..Totals::default()
    };
    let totals = [("", [3, 2, 1]), (A, [2, 2, 0]), (B, [1, 0, 1])];
    Views {
        name: "live".to_owned(),
        events: vec![
            event(ADDRESSED, "events/0/0", 10, to(&[A])),
            event(SPREAD, "inbox/0/0", 11, to(&[A, B])),
            event(AGAIN, "inbox/0/1", 12, again),
            EventRow {
                event_type: "nothing".to_owned(),
                ..nowhere
            },
        ],
        deliveries: vec![
            row(
                &addressed,
                (A, ADDRESSED),
                ("events/0/0", 10),
                1,
                ("attempts/0/3", 50),
                &[(1, 200)],
            ),
            row(
                &spread_a,
                (A, SPREAD),
                ("inbox/0/0", 11),
                2,
                ("attempts/0/5", 5_080),
                &[(1, 503), (2, 200)],
            ),
            row(
                &spread_b,
                (B, SPREAD),
                ("inbox/0/0", 11),
                1,
                ("dead-letters/1/1", 62),
                &[(1, 404)],
            ),
        ],
        minutes: vec![
            MinuteRow {
                endpoint: A.to_owned(),
                minute: 0,
                succeeded: 2,
                failed: 1,
                delivered: 2,
                dead_lettered: 0,
            },
            MinuteRow {
                endpoint: B.to_owned(),
                minute: 0,
                succeeded: 0,
                failed: 1,
                delivered: 0,
                dead_lettered: 1,
            },
        ],
        totals: totals
            .into_iter()
            .map(|(name, of)| (name.to_owned(), counts(of)))
            .collect(),
        undelivered: Undelivered {
            no_route: 1,
            duplicate: 1,
            conflict: 0,
        },
    }
}

fn row(
    id: &str,
    (endpoint, event): (&str, &str),
    (acceptance, accepted_at): (&str, i64),
    step: u64,
    (place, since): (&str, i64),
    attempts: &[(u64, u64)],
) -> DeliveryRow {
    let ends_well = attempts.last().is_some_and(|(_, status)| *status == 200);
    let attempt = |&(number, status): &(u64, u64)| AttemptRow {
        number,
        result: if status == 200 { "succeeded" } else { "failed" }.to_owned(),
        status: Some(status),
        has_outcome: true,
    };
    DeliveryRow {
        id: id.to_owned(),
        tenant: "default".to_owned(),
        endpoint: endpoint.to_owned(),
        event: event.to_owned(),
        event_type: "order.created".to_owned(),
        acceptance: acceptance.to_owned(),
        accepted_at,
        step,
        state: if ends_well {
            "delivered"
        } else {
            "dead_lettered"
        }
        .to_owned(),
        reason: (!ends_well).then(|| "permanent_failure".to_owned()),
        next_attempt_at: None,
        place: place.to_owned(),
        since,
        attempts: attempts.iter().map(attempt).collect(),
    }
}
