//! What an answer means.

use std::time::{Duration, SystemTime};

use crate::limits::{MAX_RETRY_AFTER, MAX_RETRY_AFTER_LEN, SLOW_WITHOUT_WORD};
use crate::retry::RetryOn;
use crate::time::Timestamp;

/// What came back of one attempt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Answered<'a> {
    /// The response's status; `None`: no response came.
    pub status: Option<u16>,
    /// Whether the response could not be read to where it had to be: it broke off, or took longer
    /// than the attempt may.
    pub broke_off: bool,
    /// `Retry-After`, as it was sent.
    pub retry_after: Option<&'a str>,
}

/// What becomes of the delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The receiver took it.
    Delivered,
    /// Another attempt, if the schedule has one.
    Retry {
        /// The receiver asked for at least this long from now, at most [`MAX_RETRY_AFTER`]: the
        /// wait is the longer of this and the schedule's.
        not_before: Option<Duration>,
    },
    /// No attempt would change it.
    Permanent,
    /// 410: the receiver wants nothing more, ever.
    Gone,
}

/// What an answer means, for the delivery and for the endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// For the delivery.
    pub verdict: Verdict,
    /// Whether the endpoint looks dead: it counts against the circuit. An answer that does not is a
    /// good one for a probe, even when it delivers nothing: somebody is there.
    pub counts_against_circuit: bool,
    /// The endpoint's lane sends nothing for this long: the receiver is there, and it is too much.
    pub slow_for: Option<Duration>,
}

impl Judgement {
    const fn of(verdict: Verdict) -> Self {
        Self {
            verdict,
            counts_against_circuit: false,
            slow_for: None,
        }
    }
}

/// Judges an answer that came at `now`, by the wall clock, in which HTTP dates are.
#[must_use]
pub fn judge(answered: Answered<'_>, retry_on: RetryOn, now: Timestamp) -> Judgement {
    let retry = Judgement::of(Verdict::Retry { not_before: None });
    let looks_dead = Judgement {
        counts_against_circuit: true,
        ..retry
    };
    let asked = || {
        answered
            .retry_after
            .and_then(|text| parse_retry_after(text, now))
    };
    let Some(status) = answered.status else {
        return looks_dead;
    };
    match status {
        // A success that was not read to its end: whether it is one, nobody knows.
        200..=299 if answered.broke_off => looks_dead,
        200..=299 => Judgement::of(Verdict::Delivered),
        300..=399 | 425 => retry,
        408 => looks_dead,
        410 => Judgement::of(Verdict::Gone),
        429 => Judgement {
            verdict: Verdict::Retry {
                not_before: asked(),
            },
            counts_against_circuit: false,
            slow_for: Some(asked().unwrap_or(SLOW_WITHOUT_WORD)),
        },
        400..=499 => match retry_on {
            RetryOn::Transient => Judgement::of(Verdict::Permanent),
            RetryOn::AnyFailure => retry,
        },
        503 => Judgement {
            verdict: Verdict::Retry {
                not_before: asked(),
            },
            ..looks_dead
        },
        // 5xx, and numbers that HTTP has no meaning for.
        _ => looks_dead,
    }
}

/// Reads `Retry-After` (RFC 9110, section 10.2.3): seconds or an HTTP date, held between nothing
/// and [`MAX_RETRY_AFTER`]. `None` for anything else, and for what is longer than any of these.
#[must_use]
pub fn parse_retry_after(text: &str, now: Timestamp) -> Option<Duration> {
    let text = text.trim();
    if text.is_empty() || text.len() > MAX_RETRY_AFTER_LEN {
        return None;
    }
    let wait = if text.bytes().all(|b| b.is_ascii_digit()) {
        // Digits that don't fit say more than any limit.
        text.parse().map_or(Duration::MAX, Duration::from_secs)
    } else {
        let until = httpdate::parse_http_date(text).ok()?;
        let since_1970 = until.duration_since(SystemTime::UNIX_EPOCH).ok()?;
        let until = i64::try_from(since_1970.as_millis()).unwrap_or(i64::MAX);
        Timestamp::from_millis(until).saturating_since(now)
    };
    Some(wait.min(MAX_RETRY_AFTER))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// 2026-11-25T00:00:00Z.
    const NOW: Timestamp = Timestamp::from_millis(1_795_564_800_000);

    fn of(status: u16) -> Judgement {
        let answered = Answered {
            status: Some(status),
            ..Answered::default()
        };
        judge(answered, RetryOn::Transient, NOW)
    }

    #[test]
    fn every_status_means_something() {
        use Verdict::{Delivered, Gone, Permanent, Retry};
        let retry = Retry { not_before: None };
        for (statuses, verdict, counts, slows) in [
            (&[200, 201, 202, 204, 206, 299][..], Delivered, false, false),
            (&[300, 301, 302, 304, 307, 308, 399], retry, false, false),
            (
                &[400, 401, 403, 404, 405, 413, 422, 451, 499],
                Permanent,
                false,
                false,
            ),
            (&[410], Gone, false, false),
            (&[408], retry, true, false),
            (&[425], retry, false, false),
            (&[429], retry, false, true),
            (&[500, 501, 502, 503, 504, 599], retry, true, false),
            (&[0, 100, 101, 199, 600, 999, u16::MAX], retry, true, false),
        ] {
            for status in statuses {
                let judgement = of(*status);
                assert_eq!(judgement.verdict, verdict, "{status}");
                assert_eq!(judgement.counts_against_circuit, counts, "{status}");
                assert_eq!(judgement.slow_for.is_some(), slows, "{status}");
            }
        }
    }

    #[test]
    fn what_did_not_come_in_whole_is_tried_again() {
        let judged = |status, broke_off| {
            let answered = Answered {
                status,
                broke_off,
                retry_after: None,
            };
            judge(answered, RetryOn::Transient, NOW)
        };
        let retry = Verdict::Retry { not_before: None };
        for (status, broke_off) in [(None, true), (None, false), (Some(200), true)] {
            let judgement = judged(status, broke_off);
            assert_eq!(judgement.verdict, retry);
            assert!(judgement.counts_against_circuit);
        }
        assert_eq!(judged(Some(410), true).verdict, Verdict::Gone);
        assert_eq!(judged(Some(404), true).verdict, Verdict::Permanent);
    }

    #[test]
    fn an_endpoint_may_have_all_but_a_410_tried_again() {
        for status in 100..600 {
            let answered = Answered {
                status: Some(status),
                ..Answered::default()
            };
            let all = judge(answered, RetryOn::AnyFailure, NOW);
            match of(status).verdict {
                Verdict::Permanent => {
                    assert_eq!(all.verdict, Verdict::Retry { not_before: None });
                    assert!(!all.counts_against_circuit, "{status} counts for nothing");
                }
                Verdict::Delivered | Verdict::Retry { .. } | Verdict::Gone => {
                    assert_eq!(all, of(status));
                }
            }
        }
    }

    #[test]
    fn retry_after_is_read_and_clamped() {
        let seconds = |s| Some(Duration::from_secs(s));
        let day = seconds(86_400);
        for (text, wait) in [
            ("0", seconds(0)),
            ("7", seconds(7)),
            (" 120 ", seconds(120)),
            ("86401", day),
            ("1000000000000", day),
            ("99999999999999999999999999", day),
            ("Wed, 25 Nov 2026 00:02:00 GMT", seconds(120)),
            ("Wednesday, 25-Nov-26 00:02:00 GMT", seconds(120)),
            ("Wed Nov 25 00:02:00 2026", seconds(120)),
            ("Wed, 25 Nov 2099 00:02:00 GMT", day),
            ("Sun, 06 Nov 1994 08:49:37 GMT", seconds(0)),
            ("", None),
            ("-1", None),
            ("1.5", None),
            ("1e3", None),
            ("soon", None),
            ("7 seconds", None),
            ("\u{0}", None),
            ("٣", None),
        ] {
            assert_eq!(parse_retry_after(text, NOW), wait, "{text:?}");
        }
        assert_eq!(parse_retry_after(&"9".repeat(1 << 20), NOW), None);
    }

    #[test]
    fn only_429_and_503_may_put_off() {
        let judged = |status, retry_after| {
            let answered = Answered {
                status: Some(status),
                broke_off: false,
                retry_after: Some(retry_after),
            };
            judge(answered, RetryOn::Transient, NOW)
        };
        let minute = Some(Duration::from_secs(60));
        let put_off = Verdict::Retry { not_before: minute };
        assert_eq!(judged(429, "60").verdict, put_off);
        assert_eq!(judged(429, "60").slow_for, minute);
        assert_eq!(judged(429, "soon").slow_for, Some(SLOW_WITHOUT_WORD));
        assert_eq!(judged(503, "60").verdict, put_off);
        assert_eq!(judged(503, "60").slow_for, None);
        for status in [301, 408, 425, 500, 502, 504] {
            let verdict = judged(status, "60").verdict;
            assert_eq!(verdict, Verdict::Retry { not_before: None }, "{status}");
        }
    }

    proptest! {
        #[test]
        fn no_header_puts_off_for_longer_than_the_limit(
            status: u16, text in ".{0,80}", now: i64, any_failure: bool,
        ) {
            let answered = Answered { status: Some(status), broke_off: false, retry_after: Some(&text) };
            let retry_on = if any_failure { RetryOn::AnyFailure } else { RetryOn::Transient };
            let judgement = judge(answered, retry_on, Timestamp::from_millis(now));
            prop_assert!(judgement.slow_for.is_none_or(|wait| wait <= MAX_RETRY_AFTER));
            if let Verdict::Retry { not_before } = judgement.verdict {
                prop_assert!(not_before.is_none_or(|wait| wait <= MAX_RETRY_AFTER));
            }
        }
    }
}
