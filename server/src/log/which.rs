//! Which topic and partitions are meant.

use anyhow::{Result, anyhow};
use domain::time::Clock;
use eventlog_port::{Bounds, EventLog, Offset, TopicInfo, TopicPartition};
use futures_util::future::try_join_all;

use super::place::Place;
use crate::exit::WrongUse;
use crate::nearest::nearest;

/// A stretch of one partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) partition: TopicPartition,
    pub(super) from: Offset,
    /// The offset behind the last one.
    pub(super) to: Offset,
}

/// The topic called `name`.
pub(super) async fn topic(log: &dyn EventLog, name: &str) -> Result<TopicInfo> {
    let mut topics = log.topics().await?;
    match topics.iter().position(|info| info.spec.name == name) {
        Some(found) => Ok(topics.swap_remove(found)),
        None => Err(unknown(name, &topics)),
    }
}

fn unknown(name: &str, topics: &[TopicInfo]) -> anyhow::Error {
    if topics.is_empty() {
        return anyhow!(
            "there is no topic {name:?}: this log has none yet; `postrider log plan --apply` makes \
             Postrider's, `postrider log append --create` makes the one that it names"
        );
    }
    let names: Vec<&str> = topics.iter().map(|info| info.spec.name.as_str()).collect();
    let meant = nearest(name, names.iter().copied());
    let meant = meant.map_or(String::new(), |meant| format!(" Did you mean {meant:?}?"));
    anyhow!(
        "there is no topic {name:?}.{meant} There are {}",
        names.join(", ")
    )
}

/// The partitions of a topic, or the one that was asked for.
pub(super) fn partitions(info: &TopicInfo, only: Option<u32>) -> Result<Vec<TopicPartition>> {
    let name: std::sync::Arc<str> = info.spec.name.as_str().into();
    let count = info.spec.partitions;
    match only {
        Some(number) if number >= count => Err(anyhow!(
            "{name} has no partition {number}: it has 0 to {}",
            count.saturating_sub(1)
        )),
        Some(number) => Ok(vec![TopicPartition::new(name, number)]),
        None => Ok((0..count)
            .map(|number| TopicPartition::new(name.clone(), number))
            .collect()),
    }
}

/// What each of the partitions holds now.
pub(super) async fn bounds(
    log: &dyn EventLog,
    partitions: &[TopicPartition],
) -> Result<Vec<Bounds>> {
    Ok(try_join_all(partitions.iter().map(|partition| log.bounds(partition))).await?)
}

/// What lies between two places in each of the partitions, and no further than it goes now.
pub(super) async fn ranges(
    log: &dyn EventLog,
    clock: &dyn Clock,
    partitions: &[TopicPartition],
    places: (Place, Place),
) -> Result<Vec<Range>> {
    let (from, to) = places;
    let is_offset = |place| matches!(place, Place::Offset(_));
    if partitions.len() > 1 && (is_offset(from) || is_offset(to)) {
        let rule = "an offset belongs to one partition: name it with --partition";
        return Err(WrongUse(rule.to_owned()).into());
    }
    let bounds = bounds(log, partitions).await?;
    let range = async |(partition, bounds): (&TopicPartition, &Bounds)| {
        let from = from.offset(log, clock, partition, *bounds).await?;
        let to = to.offset(log, clock, partition, *bounds).await?;
        anyhow::Ok(Range {
            partition: partition.clone(),
            from,
            to,
        })
    };
    try_join_all(partitions.iter().zip(&bounds).map(range)).await
}
