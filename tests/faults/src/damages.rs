//! Damages to a good history. Each must be found, or the verdict on the good one says nothing.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, ensure};
use checker::history::{Arrival, Ending, Record, Reply};
use checker::{History, Limits};
use serde_json::Value;

/// What a fence says of itself.
const FENCE: &str = r#""kind":"fence""#;

/// A name, and what is done.
type Damage = (&'static str, fn(&mut History) -> Option<()>);

/// Every damage. One that finds nothing to damage says `None`.
const DAMAGES: &[Damage] = &[
    ("a receiver's line lost", |h| {
        let first = one_attempt(h)?;
        h.arrivals.remove(first);
        Some(())
    }),
    ("a receiver's line doubled, with one owner", |h| {
        let first = one_attempt(h)?;
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
        let first = one_attempt(h)?;
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
        let tiers = h.partitions.keys().map(|(topic, _)| topic.clone());
        let tiers: BTreeSet<_> = tiers.filter(|topic| topic.starts_with("retry.")).collect();
        tiers.iter().find_map(|tier| of_topic(h, tier, is_retry))
    }),
    ("a fence lost", fence_lost),
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
    ("a record in quarantine lost", quarantined),
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
    let each = each(history, limits);
    for (name, is_found) in &each {
        let is_found = is_found.with_context(|| format!("{name}: there is nothing to damage"))?;
        ensure!(is_found, "{name}: the checker did not find it");
    }
    Ok(each.len())
}

/// Damages `history` in every way: the name of each, and whether the checker found it; `None` when there was nothing to
/// damage.
#[must_use]
pub fn each(history: &History, limits: &Limits) -> Vec<(&'static str, Option<bool>)> {
    let more: &[Damage] = if history.foreign.is_empty() {
        &[]
    } else {
        OF_FOREIGN
    };
    let damage = |(name, damage): &Damage| {
        let mut damaged = history.clone();
        let done = damage(&mut damaged);
        (
            *name,
            done.map(|()| !checker::check(&damaged, limits).is_empty()),
        )
    };
    DAMAGES.iter().chain(more).map(damage).collect()
}

/// The one request that there was of an attempt that was answered well, and whose outcome counts. Of all such that which
/// is the furthest from any fence: around one a repeat is allowed, and clocks differ.
fn one_attempt(history: &History) -> Option<usize> {
    let succeeded: BTreeSet<_> = partitions_of(history, "attempts")
        .flat_map(|(_, records)| counting(records))
        .filter_map(|(_, record)| attempt_that_succeeded(record))
        .collect();
    let mut arrivals: BTreeMap<_, Vec<usize>> = BTreeMap::new();
    for (index, arrival) in history.arrivals.iter().enumerate() {
        arrivals.entry(attempt_of(arrival)).or_default().push(index);
    }
    let fences: Vec<i64> = partitions_of(history, "progress")
        .flat_map(|(_, records)| records)
        .filter(|record| holds(record, FENCE))
        .map(|fence| fence.appended_at)
        .collect();
    let from_fences = |index: &usize| {
        let at = history.arrivals[*index].at;
        fences.iter().map(|fence| fence.abs_diff(at)).min()
    };
    let ones = arrivals.into_iter().filter_map(|(attempt, indices)| {
        let [only] = indices[..] else { return None };
        (succeeded.contains(&attempt?) && history.arrivals[only].reply == Reply::Status(200))
            .then_some(only)
    });
    ones.max_by_key(from_fences)
}

/// A delivery, and the number of one of its attempts.
type Attempt = (String, u64);

fn attempt_of(arrival: &Arrival) -> Option<Attempt> {
    let named = |name: &str| {
        let found = arrival.headers.iter().find(|(found, _)| found == name);
        found.map(|(_, value)| value.clone())
    };
    let number = named("webhook-attempt")?.parse().ok()?;
    Some((named("x-webhook-id")?, number))
}

fn attempt_that_succeeded(record: &Record) -> Option<Attempt> {
    let json = json(record.value.as_deref()?)?;
    let said = |path| json.pointer(path);
    if said("/kind")? != "succeeded" {
        return None;
    }
    let delivery = said("/delivery/id")?.as_str()?;
    Some((delivery.to_owned(), said("/attempt/number")?.as_u64()?))
}

/// Removes the first record of `topic` that fits, and counts.
fn of_topic(history: &mut History, topic: &str, fits: fn(&Record) -> bool) -> Option<()> {
    let mut partitions = history.partitions.iter_mut();
    partitions.find_map(|((found, _), records)| {
        if found != topic {
            return None;
        }
        let (first, _) = counting(records).find(|(_, record)| fits(record))?;
        records.remove(first);
        Some(())
    })
}

/// The records that count, with their places: what is late, behind the fence of a later owner, is not missed.
fn counting(records: &[Record]) -> impl Iterator<Item = (usize, &Record)> {
    let mut highest = None;
    records.iter().enumerate().filter(move |(_, record)| {
        let epoch = epoch(record);
        let counts = epoch.is_none() || epoch >= highest;
        highest = highest.max(epoch);
        counts
    })
}

/// Removes the first fence from `progress` whose owner has written anything: one that was killed before is not missed.
fn fence_lost(history: &mut History) -> Option<()> {
    let (partition, lost) =
        partitions_of(history, "progress").find_map(|(partition, records)| {
            let outcomes = partitions_of(history, "attempts").find(|(of, _)| *of == partition);
            let (_, outcomes) = outcomes?;
            let written: BTreeSet<_> = outcomes.iter().filter_map(epoch).collect();
            let is_missed =
                |record: &Record| holds(record, FENCE) && written.contains(&record.offset);
            Some((partition, records.iter().position(is_missed)?))
        })?;
    let fences = history
        .partitions
        .get_mut(&("progress".to_owned(), partition))?;
    fences.remove(lost);
    Some(())
}

/// The partitions of a topic.
fn partitions_of<'h>(
    history: &'h History,
    topic: &'static str,
) -> impl Iterator<Item = (u32, &'h [Record])> {
    let partitions = history.partitions.iter();
    partitions
        .filter(move |((found, _), _)| found == topic)
        .map(|((_, partition), records)| (*partition, records.as_slice()))
}

/// Swaps two neighbours in `events` that one partition of `inbox` has sent there for the first time, each keeping its
/// offset. A router that begins again may send them once more; those count for nothing, in whatever order they are.
fn swapped(history: &mut History) -> Option<()> {
    let mut partitions = history.partitions.iter_mut();
    partitions.find_map(|((topic, _), records)| {
        if topic != "events" {
            return None;
        }
        let mut highest: BTreeMap<String, Option<u64>> = BTreeMap::new();
        let is_pair = |pair: &[Record]| {
            let Some((from, offset)) = origin(&pair[0]) else {
                return false;
            };
            let highest = highest.entry(from.to_owned()).or_default();
            let is_first_time = *highest < Some(offset);
            *highest = (*highest).max(Some(offset));
            let next = origin(&pair[1]);
            is_first_time && next.is_some_and(|(also, next)| also == from && next > offset)
        };
        let first = records.windows(2).position(is_pair)?;
        let offset = records[first].offset;
        records.swap(first, first + 1);
        records[first + 1].offset = records[first].offset;
        records[first].offset = offset;
        Some(())
    })
}

/// Where in `inbox` an event was accepted: topic and partition, and offset.
fn origin(record: &Record) -> Option<(&str, u64)> {
    let origin = record.headers.iter().find(|(name, _)| name == "origin");
    let origin = std::str::from_utf8(origin?.1.as_deref()?).ok()?;
    let (from, offset) = origin.rsplit_once('/')?;
    Some((from, offset.parse().ok()?))
}

/// The epoch of the owner that wrote it.
fn epoch(record: &Record) -> Option<u64> {
    let json = json(beside(record).or(record.value.as_deref())?)?;
    let epoch = json.pointer("/link/epoch").or(json.pointer("/epoch"));
    epoch?.as_u64()
}

/// What an owner says of a record, beside its payload.
fn beside(record: &Record) -> Option<&[u8]> {
    let said = record.headers.iter().find(|(name, _)| name == "postrider");
    said?.1.as_deref()
}

fn json(text: &[u8]) -> Option<Value> {
    serde_json::from_slice(text).ok()
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
    let said = beside(record).unwrap_or_default();
    String::from_utf8_lossy(said).contains(r#""kind":"retry""#)
}

/// Removes the first record of `quarantine` that has to be there, and is once: who begins again may leave it there twice,
/// and what others wrote into the topics of owners need not be there.
fn quarantined(history: &mut History) -> Option<()> {
    let needed: BTreeSet<_> = history
        .foreign
        .iter()
        .filter(|(topic, _, _)| topic == "inbox" || topic == "events")
        .map(|(topic, partition, offset)| format!("{topic}/{partition}/{offset}"))
        .collect();
    let mut places: BTreeMap<String, Vec<(u32, usize)>> = BTreeMap::new();
    for (partition, records) in partitions_of(history, "quarantine") {
        for (at, record) in records.iter().enumerate() {
            let said = beside(record).and_then(json).unwrap_or_default();
            let origin = said.pointer("/origin").and_then(Value::as_str);
            let places = places.entry(origin.unwrap_or_default().to_owned());
            places.or_default().push((partition, at));
        }
    }
    let (partition, at) = places.into_iter().find_map(|(origin, places)| {
        let [once] = places[..] else { return None };
        needed.contains(&origin).then_some(once)
    })?;
    let records = history
        .partitions
        .get_mut(&("quarantine".to_owned(), partition))?;
    records.remove(at);
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(offset: u64, name: &str, said: &str) -> Record {
        Record {
            offset,
            headers: vec![(name.to_owned(), Some(said.as_bytes().to_vec()))],
            ..Record::default()
        }
    }

    /// A record of an owner's, its JSON where a topic without payloads has it.
    fn of_owner(offset: u64, json: &str) -> Record {
        Record {
            value: Some(json.as_bytes().to_vec()),
            ..record(offset, "by", "an owner")
        }
    }

    fn history(partitions: &[(&str, Vec<Record>)]) -> History {
        let partition =
            |(topic, records): &(&str, Vec<Record>)| (((*topic).to_owned(), 0), records.clone());
        History {
            partitions: partitions.iter().map(partition).collect(),
            ..History::default()
        }
    }

    fn offsets(history: &History, topic: &str) -> Vec<u64> {
        let records = &history.partitions[&(topic.to_owned(), 0)];
        records.iter().map(|record| record.offset).collect()
    }

    #[test]
    fn what_a_router_sent_again_is_not_swapped() {
        let origins = ["3/0", "1/0", "3/1", "1/1", "3/0", "3/1", "3/2", "3/3"];
        let records = (0..)
            .zip(origins)
            .map(|(offset, origin)| record(offset, "origin", &format!("inbox/{origin}")));
        let mut history = history(&[("events", records.collect())]);
        swapped(&mut history).unwrap();
        let records = &history.partitions[&("events".to_owned(), 0)];
        let swapped: Vec<_> = records.iter().filter_map(origin).collect();
        assert_eq!(swapped[4..6], [("inbox/3", 0), ("inbox/3", 1)]);
        assert_eq!(swapped[6..8], [("inbox/3", 3), ("inbox/3", 2)]);
        assert_eq!(offsets(&history, "events"), (0..8).collect::<Vec<_>>());
    }

    #[test]
    fn what_came_late_is_not_lost() {
        let mut history = history(&[(
            "attempts",
            vec![
                of_owner(0, r#"{"kind":"fence","epoch":0}"#),
                of_owner(1, r#"{"kind":"fence","epoch":2}"#),
                of_owner(2, r#"{"kind":"succeeded","link":{"epoch":0}}"#),
                of_owner(3, r#"{"kind":"succeeded","link":{"epoch":2}}"#),
            ],
        )]);
        of_topic(&mut history, "attempts", |record| {
            holds(record, "succeeded")
        });
        assert_eq!(offsets(&history, "attempts"), [0, 1, 2]);
    }

    #[test]
    fn a_fence_of_an_owner_that_wrote_nothing_is_not_lost() {
        let mut history = history(&[
            (
                "attempts",
                vec![of_owner(0, r#"{"kind":"fence","epoch":1}"#)],
            ),
            (
                "progress",
                vec![
                    of_owner(0, r#"{"kind":"fence","owner":"killed at once"}"#),
                    of_owner(1, r#"{"kind":"fence","owner":"writes"}"#),
                ],
            ),
        ]);
        fence_lost(&mut history).unwrap();
        assert_eq!(offsets(&history, "progress"), [0]);
    }

    #[test]
    fn what_is_in_quarantine_twice_or_need_not_be_there_is_not_lost() {
        let origins = [
            "routed/0/5",
            "inbox/0/1",
            "inbox/0/1",
            "attempts/0/2",
            "inbox/0/3",
        ];
        let kept = (0..).zip(origins).map(|(offset, origin)| {
            record(offset, "postrider", &format!(r#"{{"origin":"{origin}"}}"#))
        });
        let mut history = history(&[("quarantine", kept.collect())]);
        history.foreign = [("routed", 5), ("inbox", 1), ("attempts", 2), ("inbox", 3)]
            .map(|(topic, offset)| (topic.to_owned(), 0, offset))
            .into();
        quarantined(&mut history).unwrap();
        assert_eq!(offsets(&history, "quarantine"), [0, 1, 2, 3]);
    }
}
