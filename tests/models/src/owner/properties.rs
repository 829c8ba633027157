//! What must hold in every state.

use stateright::Property;

use super::Owner;
use super::actions::{Action, deposed};
use super::log::{
    Body, Input, OUTCOMES, OUTPUTS, Outcome, Position, Record, Source, Topic, What, counted,
    epoch_below,
};
use super::rules::Rule;
use super::state::{Phase, State};

/// I1: who holds the partition has nothing left to do, and yet a delivery has no end.
pub const LOST: &str = "nothing accepted is lost";
/// I1: neither is everything done, nor can anything more be done.
pub const STUCK: &str = "nothing is stuck";
/// I1: two outcomes that end the same delivery count.
pub const ENDS_TWICE: &str = "nothing ends twice";
/// I1: an input has two outcomes that count.
pub const ONE_OUTCOME: &str = "an input has one outcome";
/// I1: a delivery has more or fewer than one live record or end.
pub const FORK: &str = "no retry chain forks";
/// I2: an interrupted request has reached some of its endpoints.
pub const HALF_REQUEST: &str = "a request reaches all of its endpoints or none";
/// I3: the same life of a process sends the same attempt twice.
pub const REPEATED: &str = "only an interruption repeats an attempt";
/// I6: a send begins though the outcome of its input is in the log.
pub const NEEDLESS: &str = "no send begins once the outcome is in the log";
/// I6: a send begins in an epoch that has been fenced where its outcome would go.
pub const USELESS: &str = "no send begins whose outcome would be ignored";
/// I6: a send begins before it is due.
pub const EARLY: &str = "nothing is sent before it is due";
/// A delivery is dead-lettered with attempts left.
pub const CHEATED: &str = "every attempt is made before the dead letter";
/// I7: a reader that goes on where it was counts other records than one that begins at 0.
pub const RESUMES: &str = "a reader that resumes counts the same records";
/// I7: what a reader says in the end depends on which topic it read first.
pub const ORDER: &str = "the topics may be read in any order";
/// An example that must be found: an outcome lands behind a later epoch's fence.
pub(super) const IGNORED: &str = "an outcome comes too late to count";
/// An example that must be found: a later owner brings everything to its end.
pub(super) const OTHER_OWNER: &str = "a later owner ends everything";

impl Owner {
    pub(super) fn every_property() -> Vec<Property<Self>> {
        let always = Property::<Self>::always;
        vec![
            always(LOST, |model, state| !settled(state) || model.ended(state)),
            always(STUCK, |model, state| {
                settled(state) || model.may_go_on(state)
            }),
            always(ENDS_TWICE, |model, state| {
                model.ends(state).iter().all(|ends| *ends <= 1)
            }),
            always(ONE_OUTCOME, |model, state| model.one_outcome(state)),
            always(FORK, |model, state| model.one_head(state)),
            always(HALF_REQUEST, |model, state| {
                state.ingesting || [0, model.bounds.deliveries].contains(&state.accepted)
            }),
            always(REPEATED, |_, state| !state.seen.repeated),
            always(NEEDLESS, |_, state| !state.seen.needless),
            always(USELESS, |_, state| !state.seen.useless),
            always(EARLY, |_, state| !state.seen.early),
            always(CHEATED, |model, state| model.no_attempt_left_out(state)),
            always(RESUMES, |model, state| model.resumes(state)),
            always(ORDER, |model, state| model.any_order(state)),
            Property::<Self>::sometimes(IGNORED, |model, state| {
                let is_outcome = |record: &&Record| matches!(record.body, Body::Outcome(_));
                let landed = state.logs.iter().flatten().filter(is_outcome);
                landed.count() > model.outcomes(state).count()
            }),
            Property::<Self>::sometimes(OTHER_OWNER, |model, state| {
                let epochs = state.processes.iter().map(|process| process.epoch);
                epochs.max() >= Some(2) && settled(state) && model.ended(state)
            }),
        ]
    }

    /// Every outcome that counts.
    fn outcomes<'a>(&self, state: &'a State) -> impl Iterator<Item = (Topic, u8, &'a Outcome)> {
        let lenient = !self.keeps(Rule::IgnoreLower);
        OUTCOMES.into_iter().flat_map(move |topic| {
            let log = state.log(topic);
            let records = counted(log, Position::default(), log.len(), lenient);
            records.filter_map(move |(offset, record)| match &record.body {
                Body::Outcome(outcome) => Some((topic, offset, outcome)),
                Body::Fence | Body::Start(_) | Body::Lanes(_) | Body::Partition(_) => None,
            })
        })
    }

    pub(super) fn has_outcome(&self, state: &State, input: Input) -> bool {
        self.outcomes(state)
            .any(|(_, _, outcome)| outcome.origin == input)
    }

    /// By delivery, how many outcomes end it.
    fn ends(&self, state: &State) -> [u8; 2] {
        let mut ends = [0; 2];
        for (_, _, outcome) in self.outcomes(state) {
            ends[usize::from(outcome.delivery)] += u8::from(outcome.what.ends());
        }
        ends
    }

    fn ended(&self, state: &State) -> bool {
        self.ends(state)[..usize::from(state.accepted)]
            .iter()
            .all(|ends| *ends == 1)
    }

    fn one_outcome(&self, state: &State) -> bool {
        let mut origins: Vec<_> = self
            .outcomes(state)
            .map(|(_, _, said)| said.origin)
            .collect();
        origins.sort_unstable();
        origins.windows(2).all(|pair| pair[0] != pair[1])
    }

    /// Each delivery has one record that is still to be acted on, or one end.
    fn one_head(&self, state: &State) -> bool {
        let mut heads = self.ends(state);
        let events = (0..state.accepted).map(|offset| (offset, Source::Events, offset));
        let retries = self.outcomes(state).filter_map(|(topic, offset, outcome)| {
            let source = if topic == Topic::Tier0 {
                Source::Tier0
            } else {
                Source::Tier1
            };
            matches!(outcome.what, What::Again(_)).then_some((outcome.delivery, source, offset))
        });
        for (delivery, source, offset) in events.chain(retries) {
            let live = !self.has_outcome(state, Input { source, offset });
            heads[usize::from(delivery)] += u8::from(live);
        }
        heads[..usize::from(state.accepted)]
            .iter()
            .all(|heads| *heads == 1)
    }

    fn no_attempt_left_out(&self, state: &State) -> bool {
        self.outcomes(state)
            .filter(|(_, _, outcome)| outcome.what == What::Dead)
            .all(|(.., said)| said.made == self.bounds.attempts)
    }

    fn resumes(&self, state: &State) -> bool {
        let lenient = !self.keeps(Rule::IgnoreLower);
        OUTPUTS.into_iter().all(|topic| {
            let log = state.log(topic);
            let whole = || counted(log, Position::default(), log.len(), lenient);
            (0..super::log::as_offset(log.len())).all(|offset| {
                let kept = self.keeps(Rule::EpochWithPosition);
                let epoch = if kept { epoch_below(log, offset) } else { 0 };
                let resumed = counted(log, Position { offset, epoch }, log.len(), lenient);
                resumed.eq(whole().filter(|(place, _)| *place >= offset))
            })
        })
    }

    /// What a reader of one topic after the other says of each delivery, whichever it begins with.
    fn any_order(&self, state: &State) -> bool {
        let forward: Vec<_> = self
            .outcomes(state)
            .map(|(_, _, outcome)| *outcome)
            .collect();
        let backward = OUTCOMES.iter().rev().flat_map(|wanted| {
            let of_topic = self
                .outcomes(state)
                .filter(move |(topic, ..)| topic == wanted);
            of_topic.map(|(_, _, outcome)| *outcome)
        });
        self.told(forward.into_iter()) == self.told(backward)
    }

    fn told(&self, read: impl Iterator<Item = Outcome>) -> [Option<(u8, What)>; 2] {
        let mut told: [Option<(u8, What)>; 2] = [None; 2];
        for outcome in read {
            let known = &mut told[usize::from(outcome.delivery)];
            let higher = known.is_none_or(|(step, _)| step < outcome.step);
            if higher || !self.keeps(Rule::HighestStep) {
                *known = Some((outcome.step, outcome.what));
            }
        }
        told
    }

    /// Whether somebody can still do something that is not a record landing too late.
    fn may_go_on(&self, state: &State) -> bool {
        let mut actions = Vec::new();
        self.every_action(state, &mut actions);
        actions
            .iter()
            .any(|action| !matches!(action, Action::LandLate(..)))
    }
}

/// Whether who holds the partition acts and has nothing left to do.
fn settled(state: &State) -> bool {
    let Some(holder) = state.group.holder else {
        return false;
    };
    let process = &state.processes[holder];
    process.phase == Phase::Running
        && process.open.is_empty()
        && process.queue.is_empty()
        && !state.ingesting
        && !deposed(state, holder)
}
