//! The fold of an owner's partition: `events`, the tiers, `attempts`, `dead-letters`.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use projections_port::{
    Advance, Batch, DeliveryChange, DeliveryRow, DeliveryState, EndpointRow, EventChange,
    MinuteRow, Progress, Sought,
};
use schemas::ids::{DeliveryId, EndpointId};
use schemas::topics::Topic;

use super::delivery::{self, Said};
use super::facts::{self, Fact};
use super::names::Names;
use super::statistics::{Minute, Statistics, minute};
use super::{Place, Taken, TooNew, attempts};

/// Rows of deliveries that haven't ended are held between turns, the last of this many that came: most
/// end in the next. What an endpoint that never answers leaves behind is read again when it ends.
const MOST_HELD: usize = 2_048;

/// A fold of one partition.
pub(crate) struct Deliveries {
    partition: u32,
    places: BTreeMap<Topic, Place>,
    /// In boxes: rows are large, and a tree moves what it holds.
    rows: BTreeMap<DeliveryId, Box<Held>>,
    /// Those that this turn has something to do with.
    touched: Vec<DeliveryId>,
    /// Those that stay, the oldest first, and some that have gone.
    held: VecDeque<DeliveryId>,
    statistics: Statistics,
    names: Names,
    reads_ahead: bool,
}

#[derive(Default)]
struct Held {
    row: Option<DeliveryRow>,
    /// The state that the store has of this fold.
    was: Option<DeliveryState>,
    changed: bool,
    touched: bool,
    stays: bool,
}

/// What a turn says, and the rows that it needs of the store before it can be folded.
pub(crate) struct Turn {
    facts: Vec<Fact>,
    /// Deliveries.
    pub(crate) sought: Vec<Sought>,
    /// Minutes.
    pub(crate) minutes: Vec<Minute>,
    /// Endpoints.
    pub(crate) endpoints: Vec<EndpointId>,
}

/// The rows that a turn asked for.
pub(crate) struct Found {
    pub(crate) rows: Vec<DeliveryRow>,
    pub(crate) minutes: Vec<MinuteRow>,
    pub(crate) endpoints: Vec<Option<EndpointRow>>,
}

impl Held {
    fn touch(&mut self, id: DeliveryId, touched: &mut Vec<DeliveryId>) {
        if !self.touched {
            self.touched = true;
            touched.push(id);
        }
    }

    /// What changed, of a row that is not held any more.
    fn into_change(self) -> Option<DeliveryChange> {
        let row = self.row.filter(|_| self.changed)?;
        Some(DeliveryChange { was: self.was, row })
    }

    /// What changed, of a row that stays; the next turn begins from there.
    fn take_change(&mut self) -> Option<DeliveryChange> {
        self.touched = false;
        if !std::mem::replace(&mut self.changed, false) {
            return None;
        }
        let row = self.row.clone()?;
        let was = self.was.replace(row.state);
        Some(DeliveryChange { was, row })
    }
}

impl Deliveries {
    /// Goes on from `progress`. With `reads_ahead`, `events` is always read further than any record
    /// that names one of it: then an event that is new has no row yet, and none is looked for.
    pub(crate) fn new(
        partition: u32,
        progress: impl IntoIterator<Item = (Topic, Progress)>,
        reads_ahead: bool,
    ) -> Self {
        let places = progress.into_iter();
        Self {
            partition,
            places: places
                .map(|(topic, now)| (topic, Place::new(topic, now)))
                .collect(),
            rows: BTreeMap::new(),
            touched: Vec::new(),
            held: VecDeque::new(),
            statistics: Statistics::default(),
            names: Names::default(),
            reads_ahead,
        }
    }

    /// Reads what a turn brought, `events` first.
    pub(crate) fn read(&mut self, taken: Vec<Taken>) -> Result<Turn, TooNew> {
        let mut facts = Vec::with_capacity(taken.iter().map(|taken| taken.records.len()).sum());
        for taken in taken {
            let place = self.places.entry(taken.topic);
            let place = place.or_insert_with(|| Place::new(taken.topic, Progress::default()));
            for record in taken.records {
                facts.extend(facts::read(place, self.partition, record, &mut self.names)?);
            }
            place.now.offset = taken.position;
        }
        let mut turn = Turn {
            sought: self.sought(&facts),
            minutes: Vec::new(),
            endpoints: Vec::new(),
            facts,
        };
        self.wanted(&mut turn);
        Ok(turn)
    }

    fn sought(&self, facts: &[Fact]) -> Vec<Sought> {
        let mut sought: BTreeMap<_, Sought> = BTreeMap::new();
        let mut new = BTreeSet::new();
        let mut seek = |id, said: Option<&Said>, new: &BTreeSet<DeliveryId>| {
            if self.rows.contains_key(&id) || new.contains(&id) {
                return;
            }
            let at = said.map(|said| (said.row.tenant.clone(), said.row.cursor()));
            // A start doesn't say where; what came of it may, in the same turn.
            let known = sought.entry(id).or_insert(Sought { id, at: None });
            known.at = known.at.take().or(at);
        };
        for fact in facts {
            match fact {
                Fact::Accepted(said, _) if self.reads_ahead => drop(new.insert(said.row.id)),
                Fact::Accepted(said, _) | Fact::Outcome(said) => {
                    seek(said.row.id, Some(said), &new);
                }
                Fact::Started(starts) => {
                    starts.iter().for_each(|(id, _)| seek(*id, None, &new));
                }
                Fact::Circuit(..) => {}
            }
        }
        sought.into_values().collect()
    }

    fn wanted(&self, turn: &mut Turn) {
        let (mut minutes, mut endpoints) = (BTreeSet::new(), BTreeSet::new());
        for fact in &turn.facts {
            match fact {
                Fact::Outcome(said) => {
                    minutes.insert(minute(said, said.row.since));
                    endpoints.insert(said.row.endpoint);
                }
                Fact::Circuit(endpoint, _) => drop(endpoints.insert(*endpoint)),
                Fact::Accepted(..) | Fact::Started(_) => {}
            }
        }
        turn.minutes = self.statistics.unknown_minutes(minutes);
        turn.endpoints = self.statistics.unknown_endpoints(endpoints);
    }

    /// Folds a turn, given what it asked for.
    pub(crate) fn fold(&mut self, turn: Turn, found: Found) -> Batch {
        for row in found.rows {
            self.know(row);
        }
        for (minute, row) in turn.minutes.into_iter().zip(found.minutes) {
            self.statistics.know_minute(minute, row);
        }
        for (endpoint, row) in turn.endpoints.into_iter().zip(found.endpoints) {
            self.statistics.know_endpoint(endpoint, row);
        }
        let mut batch = Batch::default();
        for fact in turn.facts {
            self.apply(fact, &mut batch);
        }
        batch.deliveries = self.take_changed();
        self.statistics.take_into(&mut batch);
        batch.progress = self.advances();
        batch
    }

    fn know(&mut self, row: DeliveryRow) {
        let was = (!row.is_only_routed()).then_some(row.state);
        let id = row.id;
        let known = Box::new(Held {
            was,
            changed: false,
            touched: false,
            stays: false,
            row: Some(row),
        });
        self.rows
            .entry(id)
            .or_insert(known)
            .touch(id, &mut self.touched);
    }

    fn apply(&mut self, fact: Fact, batch: &mut Batch) {
        match fact {
            Fact::Accepted(said, event) => {
                let new = event.map(|row| EventChange {
                    was: None,
                    row: *row,
                });
                batch.events.extend(new);
                self.say(said);
            }
            Fact::Outcome(said) => {
                self.statistics.count(&said, said.row.since);
                self.say(said);
            }
            Fact::Started(starts) => {
                for (id, start) in starts {
                    // One whose delivery retention has taken is shown nowhere.
                    if let Some(held) = self.rows.get_mut(&id)
                        && let Some(row) = &mut held.row
                    {
                        held.changed |= attempts::add(&mut row.attempts, start);
                        held.touch(id, &mut self.touched);
                    }
                }
            }
            Fact::Circuit(endpoint, row) => self.statistics.circuit(endpoint, row),
        }
    }

    fn say(&mut self, said: Said) {
        let id = said.row.id;
        let held = self.rows.entry(id).or_default();
        held.touch(id, &mut self.touched);
        held.changed |= delivery::fold(&mut held.row, said);
    }

    /// The rows that changed. Those that have ended are given away, the others held, up to a bound.
    fn take_changed(&mut self) -> Vec<DeliveryChange> {
        let mut changes = Vec::with_capacity(self.touched.len());
        for id in std::mem::take(&mut self.touched) {
            let Entry::Occupied(mut held) = self.rows.entry(id) else {
                continue;
            };
            if held.get().row.as_ref().is_none_or(|row| row.state.is_end()) {
                changes.extend(held.remove().into_change());
            } else {
                let held = held.get_mut();
                if !std::mem::replace(&mut held.stays, true) {
                    self.held.push_back(id);
                }
                changes.extend(held.take_change());
            }
        }
        while self.held.len() > MOST_HELD {
            let oldest = self.held.pop_front();
            oldest.and_then(|id| self.rows.remove(&id));
        }
        changes
    }

    fn advances(&mut self) -> Vec<Advance> {
        let partition = self.partition;
        let places = self.places.values_mut();
        places
            .filter_map(|place| place.advance(partition))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use projections_port::conformance::samples::{delivered, delivery, endpoint};

    use super::*;

    fn said(row: DeliveryRow) -> Said {
        Said {
            row,
            attempt: None,
            is_note: false,
        }
    }

    #[test]
    fn what_waits_for_long_is_let_go_and_what_is_new_is_held() {
        let mut fold = Deliveries::new(0, [], true);
        let most = MOST_HELD as u64;
        for n in 0..3 * most {
            fold.say(said(delivery(n, endpoint(1))));
            assert_eq!(fold.take_changed().len(), 1);
        }
        assert_eq!((fold.rows.len(), fold.held.len()), (MOST_HELD, MOST_HELD));
        for n in (2 * most..3 * most).rev() {
            let row = delivered(delivery(n, endpoint(1)));
            fold.say(said(row));
            let change = fold.take_changed().pop().unwrap();
            assert_eq!(change.was, Some(DeliveryState::Pending), "it was held");
        }
        assert_eq!(fold.rows.len(), 0);
        for n in 0..3 * most {
            fold.say(said(delivered(delivery(n, endpoint(2)))));
        }
        assert_eq!(fold.take_changed().len(), 3 * MOST_HELD);
        assert_eq!(fold.rows.len(), 0, "what has ended is not held");
    }
}
