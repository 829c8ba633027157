//! The owner of a partition of `events`: what it takes of what routers wrote, across takeovers, and
//! what a scan of the past takes.
//!
//! Two inbox partitions are routed into one partition of `events`. What arrives is anything that
//! the routers' model allows: of each inbox partition any origin again, or the next that is owed
//! (its property "what an owner takes has no gap"). Origins are numbered in the order of (offset,
//! endpoint id). One owner at a time, taken over at any point; two at once are the owner's model's.

mod properties;
mod scan;
mod state;

use stateright::{Model, Property};

pub(super) use properties::{NOTED, NOTHING_DOUBLED, NOTHING_LOST, SCAN};
pub(crate) use state::State;
use state::{Highest, INBOXES, Marker, Origin, Owner};

/// How many offsets of `events` lie between two notes; 100,000 in the product.
pub(crate) const NOTE_INTERVAL: u8 = 2;
/// An owner has no more than this on the way to `progress`.
const QUEUE: usize = 2;

/// The rule, or the part of one, that a variant of this model does without.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lacking {
    /// Nothing: the protocol as it is.
    Nothing,
    /// R2: one highest origin for all inbox partitions.
    HighestPerInbox,
    /// R3: the checkpoint has the highest origins of the cursor.
    HighestAsOfOffset,
    /// R3: the checkpoint has no highest origins.
    HighestInCheckpoint,
    /// R3: what is done is passed without folding its origin in.
    FoldWhatIsDone,
    /// R9: a scan begins without highest origins.
    ScanFromNote,
    /// R9: a scan begins with the highest origins of the cursor.
    ScanAsOfPast,
    /// R9: a note may be appended behind a checkpoint that is above it.
    NoteFirst,
    /// R11: a note is used whose offset is gone.
    NoteAboveStart,
}

/// The model.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Intake {
    /// How many records arrive.
    pub(crate) records: u8,
    /// How many takeovers there are.
    pub(crate) takeovers: u8,
    /// The rule that is left out.
    pub(crate) lacking: Lacking,
}

/// A step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// A route lands.
    Arrive(Origin),
    /// The owner's cursor passes a record.
    Pass,
    /// The outcome of the record at this offset becomes durable.
    End(u8),
    /// The owner appends a checkpoint.
    Checkpoint,
    /// The oldest append to `progress` becomes durable.
    LandProgress,
    /// Another owner takes over; what was on the way to `progress` is fenced off.
    TakeOver,
    /// Retention moves the start of the partition up by one record.
    Trim,
    /// The owner appends a note that it owes (without R9's order).
    NoteLate,
}

impl Model for Intake {
    type State = State;
    type Action = Step;

    fn init_states(&self) -> Vec<State> {
        vec![State::new(self.takeovers)]
    }

    fn actions(&self, state: &State, steps: &mut Vec<Step>) {
        if state.log.len() < usize::from(self.records) {
            let arriving = (0..INBOXES).flat_map(|inbox| state.may_arrive(inbox));
            steps.extend(arriving.map(Step::Arrive));
        }
        self.owners_steps(state, steps);
        if state.takeovers > 0 {
            steps.push(Step::TakeOver);
        }
        if state.start < state.checkpoint().offset {
            steps.push(Step::Trim);
        }
    }

    fn next_state(&self, before: &State, step: Step) -> Option<State> {
        let mut state = before.clone();
        match step {
            Step::Arrive(origin) => state.log.push(origin),
            Step::Pass => self.pass(&mut state),
            Step::End(offset) => {
                state.owner.open.retain(|open| *open != offset);
                state.ended.push(offset);
                state.ended.sort_unstable();
                state.raise_floor();
            }
            Step::Checkpoint => {
                let checkpoint = self.checkpoint(&mut state.owner);
                state.owner.queue.push(checkpoint);
            }
            Step::LandProgress => {
                let landed = state.owner.queue.remove(0);
                state.land(landed);
            }
            Step::TakeOver => self.take_over(&mut state),
            Step::Trim => state.start += 1,
            Step::NoteLate => {
                let note = state.owner.unnoted.take()?;
                state.owner.queue.push(note);
            }
        }
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        properties::all()
    }
}

impl Intake {
    fn owners_steps(&self, state: &State, steps: &mut Vec<Step>) {
        let owner = &state.owner;
        let room = owner.queue.len() < QUEUE;
        if usize::from(owner.cursor) < state.log.len() && room && owner.unnoted.is_none() {
            steps.push(Step::Pass);
        }
        steps.extend(owner.open.iter().map(|open| Step::End(*open)));
        if room && owner.floor > owner.told {
            steps.push(Step::Checkpoint);
        }
        if !owner.queue.is_empty() {
            steps.push(Step::LandProgress);
        }
        if room && owner.unnoted.is_some() {
            steps.push(Step::NoteLate);
        }
    }

    /// The cursor passes the next record: taken, dropped, or found done.
    fn pass(&self, state: &mut State) {
        let offset = state.owner.cursor;
        let origin = state.log[usize::from(offset)];
        let done = state.ended.contains(&offset);
        let owner = &mut state.owner;
        let above = self.is_above(&owner.highest, origin);
        if above && !done {
            owner.open.push(offset);
        }
        if above && !(done && self.lacking == Lacking::FoldWhatIsDone) {
            owner.highest[origin.inbox] = origin.rank;
        }
        owner.cursor += 1;
        self.note(owner);
        state.raise_floor();
    }

    /// Whether `origin` is to be taken, by what its owner keeps.
    fn is_above(&self, highest: &Highest, origin: Origin) -> bool {
        match self.lacking == Lacking::HighestPerInbox {
            true => highest.iter().all(|highest| origin.rank > *highest),
            false => origin.rank > highest[origin.inbox],
        }
    }

    fn note(&self, owner: &mut Owner) {
        if !owner.cursor.is_multiple_of(NOTE_INTERVAL) {
            return;
        }
        let note = Marker::Note {
            offset: owner.cursor,
            highest: owner.highest,
        };
        match self.lacking == Lacking::NoteFirst {
            true => owner.unnoted = Some(note),
            false => owner.queue.push(note),
        }
    }

    fn checkpoint(&self, owner: &mut Owner) -> Marker {
        owner.told = owner.floor;
        let highest = match self.lacking == Lacking::HighestAsOfOffset {
            true => owner.highest,
            false => owner.floor_highest,
        };
        Marker::Checkpoint {
            offset: owner.floor,
            highest,
        }
    }

    fn take_over(&self, state: &mut State) {
        let mut from = state.checkpoint();
        if self.lacking == Lacking::HighestInCheckpoint {
            from.highest = Highest::default();
        }
        state.owner = Owner::at(from);
        state.takeovers -= 1;
    }
}
