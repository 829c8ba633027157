//! Damages to a good history. Each must be found, or the verdict on the good one says nothing.

use anyhow::{Context as _, ensure};
use checker::history::{Arrival, Ending, Record, Reply};
use checker::{History, Limits};

/// A name, and what is done.
type Damage = (&'static str, fn(&mut History) -> Option<()>);

/// Every damage. One that finds nothing to damage says `None`.
const DAMAGES: &[Damage] = &[
    ("a receiver's line lost", |h| {
        let first = first_attempt(h)?;
        h.arrivals.remove(first);
        Some(())
    }),
    ("a receiver's line doubled, with one owner", |h| {
        let first = first_attempt(h)?;
        let again = h.arrivals[first].clone();
        h.arrivals.insert(first + 1, again);
        Some(())
    }),
    ("a byte of a request changed", |h| {
        let arrival = h.arrivals.first_mut()?;
        *arrival.body.first_mut()? ^= 1;
        Some(())
    }),
    ("an answer of a receiver changed", |h| {
        let first = first_attempt(h)?;
        h.arrivals[first].reply = Reply::Status(500);
        Some(())
    }),
    ("a record of events lost", |h| {
        of_topic(h, "events", |_| true)
    }),
    ("a record of inbox lost", |h| {
        of_topic(h, "inbox", is_routed)
    }),
    ("two records of events in each other's place", swapped),
    ("an outcome lost", |h| {
        of_topic(h, "attempts", |record| {
            holds(record, r#""kind":"succeeded""#)
        })
    }),
    ("a retry lost", |h| {
        let topic = h.partitions.keys().find_map(|(topic, _)| {
            let some = of_retry(h, topic);
            some.then(|| topic.clone())
        })?;
        of_topic(h, &topic, is_retry)
    }),
    ("a fence lost", |h| {
        of_topic(h, "progress", |record| holds(record, r#""kind":"fence""#))
    }),
    ("a 202 to what is not in the log", |h| {
        let taken = h.requests.iter().position(|request| {
            let status = request.answer.as_ref().map(|answer| answer.status);
            status == Some(202)
        })?;
        h.requests[taken].payload = b"{}".to_vec();
        Some(())
    }),
    ("a client's line lost", |h| {
        let is_alone = |request: &&checker::history::Request| request.key.is_none();
        let lost = h.requests.iter().filter(is_alone).position(|request| {
            let status = request.answer.as_ref().map(|answer| answer.status);
            status == Some(202)
        })?;
        let (lost, _) = h
            .requests
            .iter()
            .enumerate()
            .filter(|(_, r)| r.key.is_none())
            .nth(lost)?;
        h.requests.remove(lost);
        Some(())
    }),
    ("a row of a delivery lost", |h| {
        h.views.first_mut()?.deliveries.pop().map(drop)
    }),
    ("a row of a delivery changed", |h| {
        let row = h.views.first_mut()?.deliveries.first_mut()?;
        row.state = "pending".to_owned();
        Some(())
    }),
    ("a row of an event changed", |h| {
        let row = h.views.first_mut()?.events.first_mut()?;
        row.ending = Ending::Routed(vec!["ep_nobody".to_owned()]);
        Some(())
    }),
    ("a count changed", |h| {
        h.views.first_mut()?.totals.get_mut("")?.delivered += 1;
        Some(())
    }),
];

/// What can only be lost where others have written.
const OF_FOREIGN: &[Damage] = &[
    ("a record in quarantine lost", |h| {
        of_topic(h, "quarantine", |_| true)
    }),
    ("a record of others lost", |h| {
        let (topic, partition, offset) = h.foreign.first()?.clone();
        let records = h.partitions.get_mut(&(topic, partition))?;
        records.retain(|record| record.offset != offset);
        Some(())
    }),
    ("a record of others that nobody tells of", |h| {
        h.foreign.pop_first().map(drop)
    }),
];

/// Damages `history` in every way, and sees each be found. How many there were.
///
/// # Errors
/// What was not found; or had nothing to damage.
pub fn are_found(history: &History, limits: &Limits) -> anyhow::Result<usize> {
    let more: &[Damage] = if history.foreign.is_empty() {
        &[]
    } else {
        OF_FOREIGN
    };
    let damages = || DAMAGES.iter().chain(more);
    for (name, damage) in damages() {
        let mut damaged = history.clone();
        damage(&mut damaged).with_context(|| format!("{name}: there is nothing to damage"))?;
        let found = checker::check(&damaged, limits);
        ensure!(!found.is_empty(), "{name}: the checker did not find it");
    }
    Ok(damages().count())
}

/// The one request that there was of an attempt that was answered well.
fn first_attempt(history: &History) -> Option<usize> {
    let of = |arrival: &Arrival| {
        let named = |name: &str| {
            let found = arrival.headers.iter().find(|(found, _)| found == name);
            found.map(|(_, value)| value.clone())
        };
        (named("x-webhook-id"), named("webhook-attempt"))
    };
    history.arrivals.iter().position(|arrival| {
        let same = history
            .arrivals
            .iter()
            .filter(|other| of(other) == of(arrival));
        arrival.reply == Reply::Status(200) && same.count() == 1
    })
}

/// Removes the first record of `topic` that fits.
fn of_topic(history: &mut History, topic: &str, fits: fn(&Record) -> bool) -> Option<()> {
    let mut partitions = history.partitions.iter_mut();
    partitions.find_map(|((found, _), records)| {
        let first = (found == topic).then(|| records.iter().position(fits))??;
        records.remove(first);
        Some(())
    })
}

/// Swaps two neighbours in `events` that one partition of `inbox` has sent there, each keeping its offset.
fn swapped(history: &mut History) -> Option<()> {
    let mut partitions = history.partitions.iter_mut();
    partitions.find_map(|((topic, _), records)| {
        let is_pair = |pair: &[Record]| {
            let origins = pair.iter().map(origin).collect::<Option<Vec<_>>>();
            let partition = |origin: &&str| {
                origin
                    .rsplit_once('/')
                    .map(|(partition, _)| partition.to_owned())
            };
            origins.is_some_and(|both| {
                both[0] != both[1] && partition(&both[0]) == partition(&both[1])
            })
        };
        let first = (topic == "events").then(|| records.windows(2).position(is_pair))??;
        let offset = records[first].offset;
        records.swap(first, first + 1);
        records[first + 1].offset = records[first].offset;
        records[first].offset = offset;
        Some(())
    })
}

/// Where in `inbox` an event was accepted.
fn origin(record: &Record) -> Option<&str> {
    let origin = record.headers.iter().find(|(name, _)| name == "origin");
    std::str::from_utf8(origin?.1.as_deref()?).ok()
}

fn holds(record: &Record, words: &str) -> bool {
    let value = record.value.as_deref().unwrap_or_default();
    String::from_utf8_lossy(value).contains(words)
}

fn is_routed(record: &Record) -> bool {
    let routes = record.headers.iter().find(|(name, _)| name == "routes");
    routes.is_some_and(|(_, value)| value.as_deref().is_some_and(|value| value != b"[]"))
}

fn is_retry(record: &Record) -> bool {
    let said = record.headers.iter().find(|(name, _)| name == "postrider");
    let said = said
        .and_then(|(_, value)| value.as_deref())
        .unwrap_or_default();
    String::from_utf8_lossy(said).contains(r#""kind":"retry""#)
}

fn of_retry(history: &History, topic: &str) -> bool {
    let records = history.partitions.iter();
    topic.starts_with("retry.")
        && records
            .filter(|((found, _), _)| found == topic)
            .any(|(_, records)| records.iter().any(is_retry))
}
