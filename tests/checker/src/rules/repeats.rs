//! I3: an attempt is made again only when its owner was interrupted, and then at most as many as were
//! on the wire.

use std::collections::BTreeMap;

use super::arrivals::attempts;
use crate::fold::Folded;
use crate::history::{Arrival, Became, Found, History, Limits, Problem};

pub(crate) fn check(
    folded: &Folded<'_>,
    history: &History,
    limits: &Limits,
    problems: &mut Vec<Problem>,
) {
    // How many were repeated of what one life sent: by that, and by the fence that took a partition from
    // it, by partition and epoch.
    let mut repeated: BTreeMap<(Option<u64>, u32, u64), usize> = BTreeMap::new();
    for ((delivery, number), arrivals) in attempts(history) {
        let Some(delivery) = folded.deliveries.get(delivery) else {
            continue;
        };
        for pair in arrivals.windows(2) {
            let [first, again] = pair else { continue };
            let when = first.at - limits.clocks_apart..=again.at + limits.clocks_apart;
            let fences = folded.fences.get(&delivery.partition);
            let between: Vec<_> = fences
                .into_iter()
                .flatten()
                .filter(|fence| when.contains(&fence.at))
                .collect();
            let of_others = between.iter().find(|fence| {
                let life = life_of(&fence.owner, fence.at, history);
                life.is_some() && life != first.life
            });
            let about = format!("{} attempt {number}", delivery.id);
            let twice = format!("at {} and at {}", first.at, again.at);
            let is_told = limits.expulsions_are_told || of_others.is_none();
            match of_others.or_else(|| between.last()) {
                None => problems.found("I3", about, format!("{twice}, with one owner")),
                Some(_) if is_told && !was_interrupted(first, again, history) => {
                    problems.found(
                        "I3",
                        about,
                        format!("{twice}, by a process that knew of it"),
                    );
                }
                Some(fence) => {
                    *repeated
                        .entry((first.life, delivery.partition, fence.epoch))
                        .or_default() += 1;
                }
            }
        }
    }
    for ((life, partition, epoch), count) in repeated {
        if count > limits.in_flight {
            let about = format!("epoch {epoch} of partition {partition}");
            let what = format!("repeated {count} attempts of life {life:?}");
            problems.found("I3", about, what);
        }
    }
}

/// The life of the process of that name at a time.
fn life_of(name: &str, at: i64, history: &History) -> Option<u64> {
    let started = history
        .processes
        .iter()
        .rfind(|line| line.what == Became::Started && line.name == name && line.at <= at);
    started.map(|line| line.life)
}

/// Whether whoever sent the second could not know of the first: another life, or one that was kept from
/// its partition in between.
fn was_interrupted(first: &Arrival, again: &Arrival, history: &History) -> bool {
    let Some(life) = first.life else {
        return true;
    };
    let kept_from = |what| matches!(what, Became::Thawed | Became::Expelled);
    again.life != Some(life)
        || history.processes.iter().any(|line| {
            line.life == life && kept_from(line.what) && (first.at..=again.at).contains(&line.at)
        })
}
