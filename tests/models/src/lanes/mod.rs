//! Checkpoint, lanes and catch-up: one owner at a time of one partition of `events`, its cursor, the
//! lanes of two endpoints and of a key that is split off, the index, the windows, `attempts`,
//! `progress`, and one request to cancel. Rules L.
//!
//! What may happen, at any point and in any order: the cursor moves; catch-up hands out a record; the
//! index grows by a record, or is lost; an attempt begins; its outcome becomes durable; the head of
//! the failing key fails, and its due time comes; the request is acted on; a key is merged; a
//! checkpoint is begun, and becomes durable; and an interruption, a crash or an append that failed or
//! is unknown, before which any of the outcomes under way may have landed, and any first part of the
//! checkpoint. A takeover follows at once: that it is fenced is the owner's model's concern.
//!
//! Bounds, and the states within them (`worlds`):
//!
//! | world | records | window | interruptions | checkpoints | states |
//! |---|---|---|---|---|---|
//! | one lags | A A B A, the last is cancelled | 2 | 1 | 2 | 1,280,578 |
//! | one lags, two interruptions | A A B A | 2 | 2 | 2 | 532,503 |
//! | both lag | A A B A B | 1 | 1 | 1 | 93,051 |
//! | a key is blocked | K M K M | 2 | 1 | 1 | 259,348 |
//! | a key is blocked, two interruptions | K M K | 2 | 2 | 2 | 596,921 |
//! | a key is blocked, both lag | K M K M | 1 | 1 | 1 | 159,060 |
//! | a blocked head is cancelled | K M K, the first is cancelled | 2 | 1 | 1 | 187,429 |
//!
//! K and M are keys of a strict endpoint, and K fails once. The index has room for one note a lane. All
//! of it, with the 37 variants, takes 22 s of processor time.
//!
//! What is left out because it changes nothing that an onlooker sees: an answer, its append and its
//! acknowledgement are one step (at an interruption they are apart); of appends that landed
//! unheard the order is one of many, since a takeover reads all or none of them.
//!
//! That there is always a step left until all has ended is checked; that there can't be such steps
//! for ever follows, because none goes back within an owner's life: the cursor, a lane's `next`, what
//! is known of a record, the begin of a range down to `next` and then its end up to the cursor.

mod cases;
mod checkpoint;
mod index;
mod journal;
mod keys;
mod properties;
mod rule;
mod send;
mod state;
mod takeover;
mod walk;
mod world;
mod worlds;

use stateright::{Model, Property};

use journal::Journal;
use rule::Rule;
use send::Append;
use state::{Known, PartitionRecord, Progress, Request, State};
use takeover::Interruption;
use world::{LANES, LaneId, Offsets, RECORDS, World};

pub use cases::cases;

/// The model, whole or without one rule.
#[derive(Clone, Debug)]
struct Lanes {
    world: World,
    without: Option<Rule>,
}

/// A step.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Action {
    /// The cursor takes the next record of `events`.
    Cursor,
    /// Catch-up hands a lane its next record.
    CatchUp(LaneId),
    /// For a variant: the lane goes live some time after catch-up has found nothing more.
    GoLive(LaneId),
    /// The index takes in the record below a lane's range.
    GrowBackwards(LaneId),
    /// The index takes in the record at the end of a lane's range.
    GrowForwards(LaneId),
    /// The index is lost.
    LoseIndex,
    /// An attempt begins.
    Send(u8),
    /// An outcome or note is durable, and the owner knows.
    Durable(Append),
    /// The due time of a failed head comes.
    Due(u8),
    /// The owner acts on the request.
    Request(u8),
    /// The key goes back to its endpoint's lane.
    Merge,
    /// A checkpoint is begun: what it will append is decided.
    Checkpoint { whole: bool },
    /// All of the checkpoint is durable.
    CheckpointDurable,
    /// A crash, or an append that failed or is unknown.
    Interrupt(Interruption),
}

impl Action {
    /// Whether it brings the work forward.
    fn is_work(&self) -> bool {
        match self {
            Self::Cursor
            | Self::CatchUp(_)
            | Self::GoLive(_)
            | Self::GrowBackwards(_)
            | Self::GrowForwards(_)
            | Self::Send(_)
            | Self::Durable(_)
            | Self::Due(_)
            | Self::Request(_) => true,
            Self::LoseIndex
            | Self::Merge
            | Self::Checkpoint { .. }
            | Self::CheckpointDurable
            | Self::Interrupt(_) => false,
        }
    }
}

impl Lanes {
    fn keeps(&self, rule: Rule) -> bool {
        self.without != Some(rule)
    }

    fn start(&self) -> State {
        let mut state = State {
            attempts: Vec::new(),
            progress: vec![Progress::Partition(PartitionRecord::first())],
            cursor: 0,
            lanes: [None; LANES],
            known: [Known::Undone; RECORDS],
            failed: [0; RECORDS],
            notes: Offsets::default(),
            ahead: Offsets::default(),
            request: Request::Waiting,
            checkpoint: Vec::new(),
            first_set: true,
            failures_left: self.world.failures,
            interruptions_left: self.world.interruptions,
            checkpoints_left: self.world.checkpoints,
            journal: Journal::default(),
        };
        self.take_over(&mut state);
        state
    }

    fn reading(&self, state: &State, actions: &mut Vec<Action>) {
        if self.can_move(state) {
            actions.push(Action::Cursor);
        }
        for id in LaneId::ALL {
            if self.can_catch_up(state, id) {
                actions.push(Action::CatchUp(id));
            }
            if self.can_grow_backwards(state, id) {
                actions.push(Action::GrowBackwards(id));
            }
            if self.can_grow_forwards(state, id) {
                actions.push(Action::GrowForwards(id));
            }
            if state.lane(id).is_some_and(|lane| lane.decided) {
                actions.push(Action::GoLive(id));
            }
        }
        if self.has_index(state) {
            actions.push(Action::LoseIndex);
        }
    }

    fn delivering(&self, state: &State, actions: &mut Vec<Action>) {
        let offsets = || self.world.offsets();
        actions.extend(
            offsets()
                .filter(|at| self.can_send(state, *at))
                .map(Action::Send),
        );
        actions.extend(self.results(state).into_iter().map(Action::Durable));
        actions.extend(
            offsets()
                .filter(|at| state.journal.is_waiting(*at))
                .map(Action::Due),
        );
        if let Some(offset) = self
            .world
            .cancel
            .filter(|_| state.request == Request::Waiting)
        {
            actions.push(Action::Request(offset));
        }
        if self.can_merge(state) {
            actions.push(Action::Merge);
        }
    }

    fn recording(&self, state: &State, actions: &mut Vec<Action>) {
        if !state.checkpoint.is_empty() {
            actions.push(Action::CheckpointDurable);
        } else if state.checkpoints_left > 0 {
            let whole_only = state.first_set && self.keeps(Rule::FirstSetIsWhole);
            let kinds = if whole_only {
                &[true][..]
            } else {
                &[true, false][..]
            };
            for whole in kinds.iter().copied() {
                if !self.checkpoint(state, whole).is_empty() {
                    actions.push(Action::Checkpoint { whole });
                }
            }
        }
        if state.interruptions_left > 0 {
            let ways = self.interruptions(state).into_iter();
            actions.extend(ways.map(Action::Interrupt));
        }
    }

    fn apply(&self, state: &mut State, action: Action) {
        match action {
            Action::Cursor => self.move_cursor(state),
            Action::CatchUp(id) => self.catch_up(state, id),
            Action::GoLive(id) => self.go_live(state, id),
            Action::GrowBackwards(id) => self.grow_backwards(state, id),
            Action::GrowForwards(id) => self.grow_forwards(state, id),
            Action::LoseIndex => self.lose_index(state),
            Action::Send(offset) => self.send(state, offset),
            Action::Durable(result) => {
                self.append(state, result);
                self.acknowledge(state, result);
            }
            Action::Due(offset) => state.journal.comes_due(offset),
            Action::Request(offset) => self.act_on_request(state, offset),
            Action::Merge => self.merge(state),
            Action::Checkpoint { whole } => {
                state.checkpoints_left -= 1;
                state.checkpoint = self.checkpoint(state, whole);
            }
            Action::CheckpointDurable => self.complete_checkpoint(state),
            Action::Interrupt(how) => {
                state.interruptions_left -= 1;
                self.interrupt(state, &how);
            }
        }
    }
}

impl Model for Lanes {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![self.start()]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        if state.journal.is_clean() && self.has_no_gap(state) {
            self.reading(state, actions);
            self.delivering(state, actions);
            self.recording(state, actions);
        }
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut state = last.clone();
        self.apply(&mut state, action);
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        properties::all()
    }
}
