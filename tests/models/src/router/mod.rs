//! Two routers, the dedup by origin, idempotency keys and `routed`.
//!
//! One inbox partition, complete from the beginning, is routed to two partitions of `events` with
//! two endpoints each by two routers that both take it for theirs: whichever rests is the zombie.
//! Each crashes or loses its writer at any point, starts again from whatever was last committed, and
//! leaves appends behind that land late, in part or not at all. A lost commit is one that is not
//! made. `control` changes between decisions.
//!
//! Here an owner is the fold of what lands. That a takeover at any point doesn't change the fold is
//! the `intake` model's part; it assumes of the routers what is proved here as "what an owner takes
//! has no gap".
//!
//! | inbox | records | restarts | states |
//! |---|---|---|---|
//! | HTTP events | 4 | 4 | 22,291 |
//! | Kafka records, `control` changes once | 3 | 3 | 122,563 |
//! | HTTP events with a key | 4 | 3 | 36,293 |
//! | Kafka records with a key, two settings of the window | 3 | 2 | 66,094 |
//! | both doors under one key | 4 | 1 | 312,316 |
//! | intake: 5 routes, 2 takeovers | | | 776,695 |
//!
//! With the 29 variants 15 s of processor time, most of it the intake's and the last inbox's.

mod canonical;
mod cases;
mod inbox;
mod intake;
mod keys;
mod lacking;
mod landing;
mod properties;
mod scenarios;
mod state;
mod work;

use stateright::{Model, Property};

pub use cases::cases;
use inbox::{Offset, Scenario};
use lacking::Lacking;
use landing::{OUTPUTS, ROUTED};
use state::{Commit, State};

/// The model: what is explored, and what it does without.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Routers {
    /// The inbox, and how much may happen.
    pub(crate) scenario: Scenario,
    /// The rule that is left out.
    pub(crate) lacking: Lacking,
}

/// A step. Routers are 0 and 1; outputs are the partitions of `events`, then `routed`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// The router looks a record up, decides, and appends the decision if it has to.
    Decide(usize),
    /// The router acts on a settled decision: the row is kept, the routes are accepted.
    Route(usize),
    /// The oldest append of a router to an output becomes durable and is acknowledged.
    Land(usize, usize),
    /// The router's commit is stored.
    Commit(usize),
    /// The router crashes, or an append fails or is unknown: it starts again from the commit.
    Restart(usize),
    /// Of what a writer left behind, the append at this place lands.
    LandStray(usize, usize),
    /// The set of subscribed endpoints changes.
    ChangeControl,
    /// The wall clock goes on.
    Tick,
    /// An append to an output fails, and the router only makes it again (without R4).
    Fail(usize, usize),
    /// The router writes a row at last (without R7).
    KeepLate(usize),
    /// A row is cleaned away (without R8).
    Expire(Offset),
}

impl Model for Routers {
    type State = State;
    type Action = Step;

    fn init_states(&self) -> Vec<State> {
        let mut state = State {
            routed: Vec::new(),
            taken: Default::default(),
            rows: Vec::new(),
            commit: Commit::default(),
            routers: Default::default(),
            strays: Vec::new(),
            control: 0,
            now: 0,
            restarts: self.scenario.restarts,
        };
        self.canonical(&mut state);
        vec![state]
    }

    fn actions(&self, state: &State, steps: &mut Vec<Step>) {
        for who in 0..state.routers.len() {
            self.own_steps(state, who, steps);
            self.faults(state, who, steps);
        }
        self.surroundings(state, steps);
    }

    fn next_state(&self, before: &State, step: Step) -> Option<State> {
        let mut state = before.clone();
        match step {
            Step::Decide(who) => self.decide(&mut state, who),
            Step::Route(who) => {
                let decision = self.settled(before, who)?;
                self.route(&mut state, who, &decision);
            }
            Step::Land(who, output) => self.land(&mut state, who, output),
            Step::Commit(who) => state.commit = self.commit(before, who),
            Step::Restart(who) => self.restart(&mut state, who),
            Step::LandStray(stray, place) => self.land_stray(&mut state, stray, place),
            Step::ChangeControl => state.control += 1,
            Step::Tick => state.now += 1,
            Step::Fail(who, output) => Self::fail(&mut state, who, output),
            Step::KeepLate(who) => {
                let offset = state.routers[who].unkept.remove(0);
                self.keep_row(&mut state, offset);
            }
            Step::Expire(offset) => state.rows.retain(|row| *row != offset),
        }
        self.canonical(&mut state);
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        properties::all()
    }
}

impl Routers {
    /// What router `who` can do towards its end.
    fn own_steps(&self, state: &State, who: usize, steps: &mut Vec<Step>) {
        if self.may_decide(state, who) {
            steps.push(Step::Decide(who));
        }
        if self.settled(state, who).is_some() {
            steps.push(Step::Route(who));
        }
        let waiting = (0..OUTPUTS).filter(|output| Self::on_the_way(state, who, *output) > 0);
        steps.extend(waiting.map(|output| Step::Land(who, output)));
    }

    fn faults(&self, state: &State, who: usize, steps: &mut Vec<Step>) {
        if self.commit(state, who) != state.commit {
            steps.push(Step::Commit(who));
        }
        if state.restarts > 0 {
            steps.push(Step::Restart(who));
        }
        let failing = self.outputs_with_gaps();
        let several = failing.filter(|output| Self::on_the_way(state, who, *output) > 1);
        steps.extend(several.map(|output| Step::Fail(who, output)));
        if !state.routers[who].unkept.is_empty() {
            steps.push(Step::KeepLate(who));
        }
    }

    fn outputs_with_gaps(&self) -> std::ops::Range<usize> {
        let events = self.lacking == Lacking::PrefixWriter;
        let routed = self.lacking == Lacking::PrefixWriterOfRouted;
        (if events { 0 } else { ROUTED })..(if routed { OUTPUTS } else { ROUTED })
    }

    fn surroundings(&self, state: &State, steps: &mut Vec<Step>) {
        let any = self.lacking == Lacking::PrefixOfStrays;
        for (index, stray) in state.strays.iter().enumerate() {
            let places = if any { stray.len() } else { 1 };
            steps.extend((0..places).map(|place| Step::LandStray(index, place)));
        }
        if usize::from(state.control) + 1 < self.scenario.control.len() {
            steps.push(Step::ChangeControl);
        }
        if state.now < self.scenario.ticks {
            steps.push(Step::Tick);
        }
        let expiring = state.rows.iter().filter(|row| self.expires(state, **row));
        steps.extend(expiring.map(|row| Step::Expire(*row)));
    }
}
