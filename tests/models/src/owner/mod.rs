//! The owner of one partition: two tiers, fences, epochs, takeovers, a zombie.
//!
//! Two processes, either of which may be given the partition, lose it, and go on without knowing;
//! `events` as input; two tiers, `attempts`, `dead-letters` and `progress` as outputs, two tiers of
//! them inputs again. Between any two steps of anybody, anybody else may take any number of steps: that
//! is what "frozen" and "zombie" are here. An *interruption* is a crash, a failed or unknown
//! append, or a partition taken away; what was under way then lands at any later time, in each
//! topic in its order, or at the very end, which is as good as never. Time is in ticks of half a
//! session. Nothing can go round in circles, so every path ends, and where it ends each delivery
//! must have one end.
//!
//! What is left out: one attempt in a tier delays by one tick, whatever the tier; priorities,
//! circuits, requests (see `lanes`); more than one process that wakes from an earlier epoch. An
//! acknowledgement that is lost is an append that fails and then lands. Fences land at once in a topic
//! that nobody else can still write, a takeover reads in one step (all that it reads lies before fences
//! and changes no more), and time passes only when somebody waits for it: none of these three
//! can be told from outside.
//!
//! The bounds of each search are the constants of `cases`; states and times stand in
//! `docs/protocol.md`, and `cargo run -p models -- owner` prints them.

mod actions;
mod cases;
mod checkpoint;
pub mod log;
mod properties;
mod rules;
pub mod state;
mod steps;
mod takeover;

use stateright::{Model, Property};

pub use self::actions::Action;
pub use self::cases::cases;
pub use self::properties::{
    CHEATED, EARLY, ENDS_TWICE, FORK, HALF_REQUEST, LOST, NEEDLESS, ONE_OUTCOME, ORDER, REPEATED,
    RESUMES, STUCK, USELESS,
};
pub use self::rules::{Bounds, Rule};
pub use self::state::State;

/// The model: the protocol with all of its rules, or without one.
#[derive(Clone, Copy, Debug)]
pub struct Owner {
    /// How far it goes.
    pub bounds: Bounds,
    /// The rule left out.
    pub without: Option<Rule>,
}

impl Owner {
    /// Whether the process may begin what only the present owner may: its lease holds, it believes
    /// so, or it is the variant that doesn't ask.
    fn leased(&self, state: &State, index: usize, rule: Rule) -> bool {
        let lease = state.processes[index].leased(state.now);
        lease || self.bounds.stopped_clock || !self.keeps(rule)
    }

    fn keeps(&self, rule: Rule) -> bool {
        self.without != Some(rule)
    }
}

impl Model for Owner {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![State::initial(&self.bounds)]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        self.every_action(state, actions);
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut state = last.clone();
        self.step(&mut state, action);
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        Self::every_property()
    }
}
