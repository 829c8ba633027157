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
    // How many each takeover repeated: by partition and epoch.
    let mut repeated: BTreeMap<(u32, u64), usize> = BTreeMap::new();
    for ((delivery, number), arrivals) in attempts(history) {
        let Some(delivery) = folded.deliveries.get(delivery) else {
            continue;
        };
        for pair in arrivals.windows(2) {
            let [first, again] = pair else { continue };
            let fences = folded.fences.get(&delivery.partition);
            let between = fences
                .into_iter()
                .flatten()
                .rfind(|fence| (first.at..=again.at).contains(&fence.at));
            let about = format!("{} attempt {number}", delivery.id);
            let when = format!("at {} and at {}", first.at, again.at);
            match between {
                None => problems.found("I3", about, format!("{when}, with one owner")),
                Some(_) if !was_interrupted(first, again, history) => {
                    problems.found("I3", about, format!("{when}, by a process that knew of it"));
                }
                Some(fence) => {
                    *repeated
                        .entry((delivery.partition, fence.epoch))
                        .or_default() += 1;
                }
            }
        }
    }
    for ((partition, epoch), count) in repeated {
        if count > limits.in_flight {
            let fences = &folded.fences[&partition];
            let owner = fences.iter().find(|fence| fence.epoch == epoch);
            let owner = owner.map_or("", |fence| fence.owner.as_str());
            let about = format!("epoch {epoch} of partition {partition}, of {owner}");
            problems.found("I3", about, format!("repeated {count} attempts"));
        }
    }
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
