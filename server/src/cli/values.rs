//! Values of options that the standard library does not read.

use std::time::Duration;

use jiff::SpanRelativeTo;

/// A length of time: `30d`, `1h30m`, `5 min`. A day has 24 hours.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let rule = || "a length of time is written as 30d, 12h, 1h30m or 45s".to_owned();
    let span: jiff::Span = text.parse().map_err(|_| rule())?;
    let length = span
        .to_duration(SpanRelativeTo::days_are_24_hours())
        .map_err(|_| rule())?;
    Duration::try_from(length).map_err(|_| rule())
}

/// A header: `name=value`. The value may hold `=`, and may be empty.
pub(super) fn header(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        Some(_) | None => Err("a header is written as name=value".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time() {
        assert_eq!(duration("30d"), Ok(Duration::from_secs(30 * 86_400)));
        assert_eq!(duration("1h30m"), Ok(Duration::from_secs(5_400)));
        assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
        for bad in ["", "5", "-5m", "1 month", "soon"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn headers() {
        assert_eq!(header("a=b=c"), Ok(("a".to_owned(), "b=c".to_owned())));
        assert_eq!(header("a="), Ok(("a".to_owned(), String::new())));
        assert!(header("=b").is_err() && header("a").is_err());
    }
}
