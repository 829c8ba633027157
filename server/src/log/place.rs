//! A place in a log, as people name it.

use std::str::FromStr;
use std::time::Duration;

use anyhow::{Result, anyhow};
use domain::time::{Clock, Timestamp};
use eventlog_port::{Bounds, EventLog, Offset, TopicPartition};
use jiff::SpanRelativeTo;

/// What `--from` and `--to` say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// The first record that is there.
    Start,
    /// Behind the last one.
    End,
    /// An offset.
    Offset(Offset),
    /// So many records before the end.
    Last(u64),
    /// The first record appended then or later.
    At(Timestamp),
    /// The first record appended so long ago or later.
    Ago(Duration),
}

const RULE: &str = "a place is start, end, an offset (1234), so many before the end (-20), so long \
                    ago (-5m), or a time (2026-01-01T00:00:00Z)";

impl FromStr for Place {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        match text {
            "start" => return Ok(Self::Start),
            "end" => return Ok(Self::End),
            _ => {}
        }
        if let Some(back) = text.strip_prefix('-') {
            return match back.parse() {
                Ok(records) => Ok(Self::Last(records)),
                Err(_) => ago(back).map(Self::Ago).ok_or(RULE),
            };
        }
        match text.parse() {
            Ok(offset) if text.starts_with(|c: char| c.is_ascii_digit()) => {
                Ok(Self::Offset(offset))
            }
            Ok(_) | Err(_) => time(text).map(Self::At).ok_or(RULE),
        }
    }
}

fn ago(text: &str) -> Option<Duration> {
    let span: jiff::Span = text.parse().ok()?;
    let length = span.to_duration(SpanRelativeTo::days_are_24_hours()).ok()?;
    Duration::try_from(length).ok()
}

/// A moment, or midnight (UTC) where a day begins.
fn time(text: &str) -> Option<Timestamp> {
    let moment: Option<jiff::Timestamp> = text.parse().ok();
    let day = || {
        format!("{}T00:00:00Z", text.parse::<jiff::civil::Date>().ok()?)
            .parse()
            .ok()
    };
    let moment = moment.or_else(day)?;
    Some(Timestamp::from_millis(moment.as_millisecond()))
}

impl Place {
    /// The offset that it means in a partition that holds `bounds`.
    pub(super) async fn offset(
        self,
        log: &dyn EventLog,
        clock: &dyn Clock,
        partition: &TopicPartition,
        bounds: Bounds,
    ) -> Result<Offset> {
        let at = match self {
            Self::Start => return Ok(bounds.start),
            Self::End => return Ok(bounds.end),
            Self::Offset(offset) => return checked(offset, partition, bounds),
            Self::Last(records) => {
                return Ok(bounds.end.saturating_sub(records).max(bounds.start));
            }
            Self::At(time) => time,
            Self::Ago(length) => clock.now().saturating_sub(length),
        };
        let found = log.offset_at(partition, at).await?;
        Ok(found.clamp(bounds.start, bounds.end))
    }
}

fn checked(offset: Offset, partition: &TopicPartition, bounds: Bounds) -> Result<Offset> {
    let Bounds { start, end } = bounds;
    if (start..=end).contains(&offset) {
        return Ok(offset);
    }
    let holds = match end.checked_sub(1) {
        Some(last) if start < end => format!("it holds {start} to {last}"),
        Some(_) | None => format!("it is empty, and its next offset is {end}"),
    };
    Err(anyhow!(
        "there is no offset {offset} in {partition}: {holds}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places() {
        let day = Timestamp::from_millis(1_767_225_600_000);
        for (text, place) in [
            ("start", Place::Start),
            ("end", Place::End),
            ("0", Place::Offset(0)),
            ("-10", Place::Last(10)),
            ("-5m", Place::Ago(Duration::from_secs(300))),
            ("-1h30m", Place::Ago(Duration::from_secs(5_400))),
            ("-2d", Place::Ago(Duration::from_secs(2 * 86_400))),
            ("2026-01-01", Place::At(day)),
            ("2026-01-01T00:00:00Z", Place::At(day)),
            ("2026-01-01T01:00:00+01:00", Place::At(day)),
        ] {
            assert_eq!(text.parse(), Ok(place), "{text}");
        }
        for bad in [
            "",
            "-",
            "+5",
            "now",
            "--5m",
            "5m",
            "2026-13-01",
            "99999999999999999999",
        ] {
            assert_eq!(bad.parse::<Place>(), Err(RULE), "{bad}");
        }
    }
}
