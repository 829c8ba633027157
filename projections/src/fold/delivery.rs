//! What one record changes in the row of its delivery.

use projections_port::{AttemptRow, DeliveryRow};

use super::attempts;

/// What a record says of a delivery.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Said {
    /// The row as it would be if nothing else were known; without attempts.
    pub(crate) row: DeliveryRow,
    /// The attempt that it is the outcome of.
    pub(crate) attempt: Option<AttemptRow>,
    /// Whether it is a note: its step is that of the input, which stays undone.
    pub(crate) is_note: bool,
}

/// Folds `said` into `row`. The highest step wins (O11); a note wins over its own input and over
/// earlier notes; what only routes say gives way. Says whether anything changed.
pub(crate) fn fold(row: &mut Option<DeliveryRow>, said: Said) -> bool {
    let Some(there) = row else {
        let mut new = said.row;
        new.attempts.extend(said.attempt);
        *row = Some(new);
        return true;
    };
    let wins = wins(there, &said);
    if wins {
        there.step = said.row.step;
        there.state = said.row.state;
        there.place = said.row.place;
        there.since = said.row.since;
    }
    let attempt = said.attempt;
    let is_new = attempt.is_some_and(|attempt| attempts::add(&mut there.attempts, attempt));
    wins || is_new
}

fn wins(there: &DeliveryRow, said: &Said) -> bool {
    let new = &said.row;
    if there.is_only_routed() {
        return !new.is_only_routed();
    }
    let later_note =
        said.is_note && new.step == there.step && !there.state.is_end() && new.since >= there.since;
    new.step > there.step || later_note
}

#[cfg(test)]
mod tests {
    use domain::time::Timestamp;
    use projections_port::DeliveryState;
    use projections_port::conformance::samples::{attempt, delivery, endpoint, position};
    use schemas::dead_letter::DeadLetterReason;
    use schemas::topics::{LADDER, Topic};

    use super::*;

    const DUE: DeliveryState = DeliveryState::Retrying {
        next_attempt_at: Timestamp::from_millis(5),
    };
    const DEAD: DeliveryState = DeliveryState::DeadLettered(DeadLetterReason::AttemptsExhausted);

    fn said(step: u32, state: DeliveryState, topic: Topic) -> Said {
        let mut row = delivery(1, endpoint(1));
        row.step = step;
        row.state = state;
        row.place = position(topic, u64::from(step));
        let mut attempt = attempt(&row, step, Some(500));
        attempt.has_outcome = true;
        Said {
            attempt: (step > 0).then_some(attempt),
            row,
            is_note: false,
        }
    }

    fn all_orders(facts: &[Said]) -> Vec<DeliveryRow> {
        let mut orders = vec![Vec::new()];
        for n in 0..facts.len() {
            let longer = |order: &Vec<usize>| {
                (0..=order.len()).map({
                    let order = order.clone();
                    move |at| {
                        let mut order = order.clone();
                        order.insert(at, n);
                        order
                    }
                })
            };
            orders = orders.iter().flat_map(longer).collect();
        }
        let fold_all = |order: &Vec<usize>| {
            let mut row = None;
            for n in order {
                fold(&mut row, facts[*n].clone());
            }
            row.unwrap()
        };
        orders.iter().map(fold_all).collect()
    }

    #[test]
    fn the_highest_step_wins_in_every_order() {
        let facts = [
            said(0, DeliveryState::Pending, Topic::Inbox),
            said(0, DeliveryState::Pending, Topic::Events),
            said(1, DUE, Topic::Retry(LADDER[0])),
            said(2, DUE, Topic::Retry(LADDER[1])),
            said(3, DEAD, Topic::DeadLetters),
        ];
        let rows = all_orders(&facts);
        assert_eq!(rows.len(), 120);
        for row in rows {
            assert_eq!((row.step, row.state), (3, DEAD));
            assert_eq!(row.place, position(Topic::DeadLetters, 3));
            let numbers: Vec<u32> = row.attempts.iter().map(|a| a.attempt.number).collect();
            assert_eq!(numbers, [1, 2, 3]);
        }
    }

    #[test]
    fn a_note_waits_at_its_input() {
        let input = said(0, DeliveryState::Pending, Topic::Events);
        let mut note = said(0, DUE, Topic::Events);
        note.is_note = true;
        for row in all_orders(&[input.clone(), note.clone()]) {
            assert_eq!((row.step, row.state, row.place), (0, DUE, input.row.place));
        }
        let mut end = said(1, DeliveryState::Cancelled, Topic::Attempts);
        end.attempt = None;
        for row in all_orders(&[input, note, end]) {
            assert_eq!(row.state, DeliveryState::Cancelled);
        }
    }

    #[test]
    fn nothing_new_changes_nothing() {
        let fact = said(1, DUE, Topic::Retry(LADDER[0]));
        let mut row = None;
        assert!(fold(&mut row, fact.clone()));
        assert!(!fold(&mut row, fact));
        assert!(!fold(
            &mut row,
            said(0, DeliveryState::Pending, Topic::Events)
        ));
    }
}
