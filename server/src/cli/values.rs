//! Values of options that the standard library does not read.

use std::time::Duration;

use domain::time::Timestamp;
use jiff::SpanRelativeTo;

use super::api::Moment;

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

/// A length of time in milliseconds.
pub(super) fn millis(text: &str) -> Result<Duration, String> {
    let count = text.parse();
    count
        .map(Duration::from_millis)
        .map_err(|_| "a whole number of milliseconds".to_owned())
}

/// A field and its value: `name=JSON`.
pub(super) fn member(text: &str) -> Result<(String, serde_json::Value), String> {
    let (name, value) = header(text).map_err(|_| "a field is written as name=JSON".to_owned())?;
    match serde_json::from_str(&value) {
        Ok(value) => Ok((name, value)),
        Err(error) => Err(format!(
            "{value:?} is not JSON ({error}); a text needs quotes"
        )),
    }
}

/// A moment: RFC 3339, a day, or so long ago.
pub(super) fn moment(text: &str) -> Result<Moment, String> {
    let rule = || "a time is written as 2026-01-01T00:00:00Z, 2026-01-01 or -1h30m".to_owned();
    if let Some(ago) = text.strip_prefix('-') {
        return duration(ago).map(Moment::Ago).map_err(|_| rule());
    }
    let day = format!("{text}T00:00:00Z");
    let time: jiff::Timestamp = text.parse().or_else(|_| day.parse()).map_err(|_| rule())?;
    Ok(Moment::At(Timestamp::from_millis(time.as_millisecond())))
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

    #[test]
    fn moments_and_members() {
        let day = Timestamp::from_millis(1_767_225_600_000);
        assert_eq!(moment("2026-01-01"), Ok(Moment::At(day)));
        assert_eq!(moment("2026-01-01T01:00:00+01:00"), Ok(Moment::At(day)));
        assert_eq!(moment("-90s"), Ok(Moment::Ago(Duration::from_secs(90))));
        assert!(moment("now").is_err() && moment("-").is_err() && moment("5m").is_err());
        assert_eq!(member("a={\"b\":[1]}").unwrap().1["b"][0], 1);
        assert!(member("a=b").unwrap_err().contains("quotes"));
    }
}
