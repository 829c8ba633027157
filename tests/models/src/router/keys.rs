//! Idempotency keys: the keyed store as a router reads and writes it.

use super::Routers;
use super::inbox::{Decision, Keyed, Offset};
use super::lacking::Lacking;
use super::state::State;

/// What the keyed store makes of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    First,
    Duplicate(Offset),
    Conflict(Offset),
}

impl Verdict {
    /// As a decision, where the record is the end of it; a first still needs its routes.
    pub(super) fn ends(self) -> Option<Decision> {
        match self {
            Self::First => None,
            Self::Duplicate(first) => Some(Decision::Duplicate(first)),
            Self::Conflict(first) => Some(Decision::Conflict(first)),
        }
    }
}

impl Routers {
    /// Router `who` looks the record at `offset` up.
    pub(super) fn look_up(&self, state: &State, who: usize, offset: Offset) -> Verdict {
        let Some(keyed) = self.scenario.record(offset).key else {
            return Verdict::First;
        };
        let first = self.latest_first(state, offset);
        match first {
            None => Verdict::First,
            Some(own) if own == offset && self.lacking != Lacking::Redo => Verdict::First,
            Some(first) if self.within_window(state, who, offset, first) => {
                self.same_key_again(&keyed, first)
            }
            Some(_) => Verdict::First,
        }
    }

    fn latest_first(&self, state: &State, offset: Offset) -> Option<Offset> {
        let all = self.lacking == Lacking::RowPerFirst;
        state
            .rows
            .iter()
            .copied()
            .rfind(|row| all || *row <= offset)
    }

    fn within_window(&self, state: &State, who: usize, offset: Offset, first: Offset) -> bool {
        let record = self.scenario.record(offset);
        let keyed = record.key.expect("looked up for its key");
        let at = match self.lacking == Lacking::AppendTime {
            true => state.now,
            false => keyed.appended_at,
        };
        let stated = record.routes.is_some() && self.lacking != Lacking::WindowOfRecord;
        let window = if stated {
            keyed.window
        } else {
            self.scenario.windows[who]
        };
        at.saturating_sub(self.keyed(first).appended_at) < window
    }

    fn same_key_again(&self, keyed: &Keyed, first: Offset) -> Verdict {
        let same = self.keyed(first).payload == keyed.payload;
        if same || self.lacking == Lacking::PayloadHash {
            Verdict::Duplicate(first)
        } else {
            Verdict::Conflict(first)
        }
    }

    pub(super) fn keyed(&self, offset: Offset) -> Keyed {
        self.scenario
            .record(offset)
            .key
            .expect("a row stands for a record with a key")
    }

    /// Writes the row of the first at `offset`; writing it again changes nothing.
    pub(super) fn keep_row(&self, state: &mut State, offset: Offset) {
        if self.lacking == Lacking::RowPerFirst {
            // Its timestamp is the fact's, so that an old first doesn't overwrite a newer one.
            let latest = state.rows.first().map_or(offset, |row| offset.max(*row));
            state.rows = vec![latest];
        } else if let Err(place) = state.rows.binary_search(&offset) {
            state.rows.insert(place, offset);
        }
    }

    /// Whether the row of `first` may be gone by `now`.
    pub(super) fn expires(&self, state: &State, first: Offset) -> bool {
        let keyed = self.keyed(first);
        self.lacking == Lacking::RowsOutliveInbox && state.now >= keyed.appended_at + keyed.window
    }
}
