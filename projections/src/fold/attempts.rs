//! The attempts of a row, as a set: whatever order they come in, they end up the same.

use std::time::Duration;

use bytes::Bytes;
use domain::time::Timestamp;
use projections_port::AttemptRow;
use projections_port::row::{BODY_FRONT, MAX_ATTEMPTS};
use schemas::attempt::{Attempt, AttemptResult};
use schemas::origin::Position;
use schemas::scalar::{At, Blob};

/// A note of starts is made for all of the same few milliseconds, and says when the first of them
/// began. An owner that fences anew keeps its requests on the wire, and their outcomes have the new epoch:
/// an outcome that began this soon after a note of a lower epoch is of the attempt that was noted.
const NOTED_WITHIN: Duration = Duration::from_millis(100);

/// An attempt with its outcome, as a row holds it.
pub(crate) fn ended(epoch: u64, place: Position, mut attempt: Attempt) -> AttemptRow {
    attempt.headers = Vec::new();
    if let Some(Blob(body)) = &mut attempt.body
        && body.len() > BODY_FRONT
    {
        // In bytes of its own: a slice would keep the rest.
        *body = Bytes::copy_from_slice(&body[..BODY_FRONT]);
    }
    AttemptRow {
        epoch,
        place,
        attempt,
        has_outcome: true,
    }
}

/// An attempt of which only the start is known.
pub(crate) const fn started(epoch: u64, place: Position, number: u32, at: At) -> AttemptRow {
    AttemptRow {
        epoch,
        place,
        attempt: Attempt {
            number,
            started_at: at,
            duration_us: 0,
            result: AttemptResult::Unknown,
            status: None,
            error: None,
            headers: Vec::new(),
            body: None,
            keys: Vec::new(),
            address: None,
        },
        has_outcome: false,
    }
}

/// Adds `new` to `attempts`, and says whether that changed anything.
pub(crate) fn add(attempts: &mut Vec<AttemptRow>, new: AttemptRow) -> bool {
    let known = |row: &AttemptRow| {
        order(row) == order(&new) || (!new.has_outcome && is_outcome_of(row, &new))
    };
    if attempts.iter().any(known) {
        return false;
    }
    if new.has_outcome {
        attempts.retain(|row| !is_outcome_of(&new, row));
    }
    let at = attempts.partition_point(|row| order(row) < order(&new));
    attempts.insert(at, new);
    if attempts.len() > MAX_ATTEMPTS {
        attempts.remove(0);
    }
    true
}

const fn order(row: &AttemptRow) -> (u32, u64, bool) {
    (row.attempt.number, row.epoch, row.has_outcome)
}

fn is_outcome_of(outcome: &AttemptRow, start: &AttemptRow) -> bool {
    let began = |row: &AttemptRow| row.attempt.started_at.0;
    let soon = |noted: Timestamp, began: Timestamp| {
        began >= noted && began.saturating_since(noted) <= NOTED_WITHIN
    };
    let same = outcome.epoch == start.epoch
        || (outcome.epoch > start.epoch && soon(began(start), began(outcome)));
    outcome.has_outcome
        && !start.has_outcome
        && outcome.attempt.number == start.attempt.number
        && same
}

#[cfg(test)]
mod tests {
    use schemas::topics::Topic;

    use super::*;

    const PLACE: Position = Position {
        topic: Topic::Attempts,
        partition: 0,
        offset: 0,
    };

    fn start(epoch: u64, number: u32, at: i64) -> AttemptRow {
        started(epoch, PLACE, number, At(Timestamp::from_millis(at)))
    }

    fn end(epoch: u64, number: u32, at: i64) -> AttemptRow {
        ended(epoch, PLACE, start(epoch, number, at).attempt)
    }

    /// What is left of `rows`, whichever comes first.
    fn left(rows: [AttemptRow; 3]) -> Vec<(u32, u64, bool)> {
        let [a, b, c] = rows;
        let orders = [
            [&a, &b, &c],
            [&a, &c, &b],
            [&b, &a, &c],
            [&b, &c, &a],
            [&c, &a, &b],
            [&c, &b, &a],
        ];
        let mut results = orders.map(|rows| {
            let mut attempts = Vec::new();
            for row in rows {
                add(&mut attempts, row.clone());
                assert!(!add(&mut attempts, row.clone()), "known");
            }
            attempts.iter().map(order).collect::<Vec<_>>()
        });
        results.sort();
        assert_eq!(results[0], results[5], "the order does not matter");
        results[0].clone()
    }

    #[test]
    fn an_outcome_takes_the_place_of_its_start() {
        for (rows, wanted) in [
            // The usual way.
            (
                [start(1, 1, 0), end(1, 1, 5), start(1, 2, 9)],
                vec![(1, 1, true), (2, 1, false)],
            ),
            // Sent again by the next owner: the first is unknown.
            (
                [start(1, 1, 0), start(4, 1, 900), end(4, 1, 900)],
                vec![(1, 1, false), (1, 4, true)],
            ),
            // On the wire while its owner fenced anew.
            (
                [start(1, 1, 0), end(4, 1, 3), start(4, 2, 700)],
                vec![(1, 4, true), (2, 4, false)],
            ),
        ] {
            assert_eq!(left(rows), wanted);
        }
    }

    #[test]
    fn the_last_hundred_are_kept_and_the_front_of_a_body() {
        let mut attempts = Vec::new();
        for number in (1..=150).rev() {
            add(&mut attempts, end(1, number, 0));
        }
        let numbers: Vec<u32> = attempts.iter().map(|row| row.attempt.number).collect();
        assert_eq!(numbers, (51..=150).collect::<Vec<_>>());
        let mut long = end(1, 1, 0).attempt;
        long.body = Some(Blob(vec![b'x'; 16 << 10].into()));
        long.headers = vec![("server".to_owned(), "x".to_owned())];
        let row = ended(1, PLACE, long);
        assert_eq!(row.attempt.body.map(|body| body.0.len()), Some(BODY_FRONT));
        assert_eq!(row.attempt.headers, []);
    }
}
