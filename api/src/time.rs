//! Times as clients write and read them: RFC 3339.

use domain::time::Timestamp;
use schemas::text::EventTime;
use serde::{Serialize, Serializer};

/// A moment, shown in UTC with milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shown(pub(crate) Timestamp);

impl Serialize for Shown {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(EventTime::new(self.0).as_str())
    }
}

/// Which whole millisecond stands for a moment that lies between two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Round {
    Down,
    Up,
}

/// Reads an RFC 3339 time, at any offset.
pub(crate) fn parse(text: &str, round: Round) -> Result<Timestamp, String> {
    let rule = "must be a time as RFC 3339 has it: 2026-01-02T03:04:05Z";
    let _: EventTime = text.parse().map_err(|_| rule.to_owned())?;
    let read: jiff::Timestamp = text.parse().map_err(|_| rule.to_owned())?;
    let floor = read.as_nanosecond().div_euclid(1_000_000);
    let is_between = read.as_nanosecond().rem_euclid(1_000_000) != 0;
    let millis = floor + i128::from(is_between && round == Round::Up);
    let millis = i64::try_from(millis).map_err(|_| rule.to_owned())?;
    Ok(Timestamp::from_millis(millis))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_at_any_offset_and_shown_in_utc() {
        for (text, shown) in [
            ("2026-01-02T03:04:05Z", "2026-01-02T03:04:05.000Z"),
            ("2026-01-02T03:04:05.678901Z", "2026-01-02T03:04:05.678Z"),
            ("2026-01-02T05:04:05+02:00", "2026-01-02T03:04:05.000Z"),
            ("1969-12-31t23:59:59.9995z", "1969-12-31T23:59:59.999Z"),
        ] {
            let read = parse(text, Round::Down).unwrap();
            assert_eq!(EventTime::new(read).as_str(), shown);
        }
        let up = parse("2026-01-02T03:04:05.678901Z", Round::Up).unwrap();
        assert_eq!(EventTime::new(up).as_str(), "2026-01-02T03:04:05.679Z");
        for bad in [
            "",
            "yesterday",
            "2026-01-02",
            "2026-02-30T00:00:00Z",
            "1767323045",
        ] {
            assert!(parse(bad, Round::Down).is_err(), "{bad}");
        }
    }
}
