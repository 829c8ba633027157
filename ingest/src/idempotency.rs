//! When two events with one idempotency key are the same (`docs/protocol.md`, R8).

use std::time::Duration;

use domain::time::Timestamp;
use projections_port::First;

/// What a record is to the first of its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Judgement {
    /// A first itself: the other is older than the window allows.
    First,
    /// The same event again.
    Duplicate,
    /// Another event under the same key.
    Conflict,
}

/// Judges a record that was appended at `at` by the latest first below it. By the log's times alone:
/// whoever judges again comes to the same.
pub(crate) fn judge(
    first: &First,
    at: Timestamp,
    sha256: &[u8; 32],
    window: Duration,
) -> Judgement {
    if at.saturating_since(first.appended_at) >= window {
        Judgement::First
    } else if first.payload_sha256 == *sha256 {
        Judgement::Duplicate
    } else {
        Judgement::Conflict
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repeat_is_younger_than_the_window_and_the_payload_says_which_kind() {
        let first = First {
            offset: 7,
            appended_at: Timestamp::from_millis(1_000),
            payload_sha256: [1; 32],
            event: "first".parse().unwrap(),
        };
        let window = Duration::from_millis(500);
        for (at, same, wanted) in [
            (1_000, true, Judgement::Duplicate),
            (1_499, true, Judgement::Duplicate),
            (1_499, false, Judgement::Conflict),
            (1_500, true, Judgement::First),
            (1_500, false, Judgement::First),
            // The engine's clock stepped back between the two.
            (0, true, Judgement::Duplicate),
            (0, false, Judgement::Conflict),
        ] {
            let sha256 = if same { [1; 32] } else { [2; 32] };
            let judged = judge(&first, Timestamp::from_millis(at), &sha256, window);
            assert_eq!(judged, wanted, "{at} {same}");
        }
        let none = Duration::ZERO;
        let at = Timestamp::from_millis(0);
        assert_eq!(judge(&first, at, &[1; 32], none), Judgement::First);
    }
}
