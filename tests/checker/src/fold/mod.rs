//! The checker's fold of the log.

mod deliveries;
mod endpoints;
mod inbox;
mod outcomes;

use std::collections::BTreeMap;

use crate::history::{History, Problem, Record};

pub(crate) use deliveries::Delivery;
pub(crate) use endpoints::{Endpoints, Version};
pub(crate) use inbox::Accepted;
pub(crate) use outcomes::{Fence, Kind, Outcome, Start};

/// What the log comes to.
#[derive(Default)]
pub(crate) struct Folded<'a> {
    /// Every endpoint, by id.
    pub(crate) endpoints: Endpoints,
    /// Every event, by its acceptance.
    pub(crate) accepted: BTreeMap<String, Accepted<'a>>,
    /// Every delivery, by id.
    pub(crate) deliveries: BTreeMap<String, Delivery<'a>>,
    /// Every outcome that counts.
    pub(crate) outcomes: Vec<Outcome<'a>>,
    /// Every start that counts.
    pub(crate) starts: Vec<Start>,
    /// The fences in `progress`, by partition, ascending.
    pub(crate) fences: BTreeMap<u32, Vec<Fence>>,
    /// Which outcomes name an input as their origin, by the input's position.
    pub(crate) of_origin: BTreeMap<String, Vec<usize>>,
    /// The outcomes of a delivery, by its id, in the order of steps.
    pub(crate) of_delivery: BTreeMap<String, Vec<usize>>,
}

impl<'a> Folded<'a> {
    /// Folds the log of `history`, and says what was wrong with it on the way.
    pub(crate) fn new(history: &'a History) -> (Self, Vec<Problem>) {
        let mut problems = Vec::new();
        let endpoints = endpoints::fold(history, &mut problems);
        let mut accepted = inbox::fold(history, &mut problems);
        let deliveries = deliveries::fold(history, &mut accepted, &mut problems);
        let mut folded = Self {
            endpoints,
            accepted,
            deliveries,
            ..Self::default()
        };
        outcomes::fold(history, &mut folded, &mut problems);
        for (index, outcome) in folded.outcomes.iter().enumerate() {
            let of = |map: &mut BTreeMap<String, Vec<usize>>, key: &str| {
                map.entry(key.to_owned()).or_default().push(index);
            };
            of(&mut folded.of_origin, &outcome.origin);
            of(&mut folded.of_delivery, &outcome.delivery);
        }
        for indices in folded.of_delivery.values_mut() {
            indices.sort_by_key(|index| folded.outcomes[*index].step);
        }
        (folded, problems)
    }

    /// The outcomes of a delivery that count, by step.
    pub(crate) fn outcomes_of(&self, delivery: &str) -> impl Iterator<Item = &Outcome<'a>> {
        let indices = self.of_delivery.get(delivery).into_iter().flatten();
        indices.map(|index| &self.outcomes[*index])
    }
}

/// The partitions of `topic`, with their numbers.
pub(crate) fn of_topic<'h>(
    history: &'h History,
    topic: &str,
) -> impl Iterator<Item = (u32, &'h [Record])> {
    let partitions = history
        .partitions
        .iter()
        .filter(move |((found, _), _)| found == topic);
    let topic = topic.to_owned();
    partitions
        .filter(move |((found, _), _)| *found == topic)
        .map(|((_, partition), records)| (*partition, records.as_slice()))
}
