//! Times and sizes as people write them.

use std::time::Duration;

use domain::time::Timestamp;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// A moment as RFC 3339 has it, in UTC, with milliseconds; beyond the year 9999 the bare number.
pub(crate) fn rfc3339(at: Timestamp) -> String {
    jiff::Timestamp::from_millisecond(at.as_millis())
        .map_or_else(|_| at.to_string(), |time| format!("{time:.3}"))
}

/// For how long records are kept.
pub(crate) fn kept(time: Option<Duration>) -> String {
    let Some(time) = time else {
        return "for ever".to_owned();
    };
    if time.subsec_nanos() != 0 {
        return format!("{} ms", time.as_millis());
    }
    let seconds = time.as_secs();
    let units = [(DAY, "d"), (HOUR, "h"), (MINUTE, "min"), (1, "s")];
    let fits = units
        .iter()
        .find(|(unit, _)| seconds >= *unit && seconds.is_multiple_of(*unit));
    fits.map_or("0 s".to_owned(), |(unit, name)| {
        format!("{} {name}", seconds / unit)
    })
}

/// A number of bytes, in the largest binary unit that it fills.
pub(crate) fn bytes(count: u64) -> String {
    let units = ["bytes", "KiB", "MiB", "GiB", "TiB"];
    let steps = (1..units.len())
        .take_while(|step| count >> (10 * step) > 0)
        .count();
    if steps == 0 {
        return format!("{count} bytes");
    }
    let tenths = (u128::from(count) * 10) >> (10 * steps);
    match tenths % 10 {
        0 => format!("{} {}", tenths / 10, units[steps]),
        tenth => format!("{}.{tenth} {}", tenths / 10, units[steps]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_sizes_read_well() {
        assert_eq!(
            rfc3339(Timestamp::from_millis(1_767_225_600_007)),
            "2026-01-01T00:00:00.007Z"
        );
        assert_eq!(
            rfc3339(Timestamp::from_millis(i64::MAX)),
            "9223372036854775807 ms"
        );
        assert_eq!(kept(None), "for ever");
        assert_eq!(kept(Some(Duration::from_secs(30 * DAY))), "30 d");
        assert_eq!(kept(Some(Duration::from_secs(90))), "90 s");
        assert_eq!(kept(Some(Duration::from_millis(1_500))), "1500 ms");
        assert_eq!(kept(Some(Duration::ZERO)), "0 s");
        assert_eq!(bytes(0), "0 bytes");
        assert_eq!(bytes(1_572_864), "1.5 MiB");
        assert_eq!(bytes(1 << 30), "1 GiB");
        assert_eq!(bytes(u64::MAX), "16777215.9 TiB");
    }
}
