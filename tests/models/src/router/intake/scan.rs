//! A scan that begins in the past: catch-up, a replay, a rebuild.

use super::state::{AsOf, Highest, Origin, State};
use super::{Intake, Lacking};

impl Intake {
    /// Where a scan of the records from `from` on begins to read, and with which highest origins;
    /// `None` where it has to refuse.
    pub(super) fn scan_begins(&self, state: &State, from: u8) -> Option<AsOf> {
        let without = |highest| {
            Some(AsOf {
                offset: from,
                highest,
            })
        };
        if self.lacking == Lacking::ScanFromNote {
            return without(Highest::default());
        }
        if self.lacking == Lacking::ScanAsOfPast {
            return without(state.owner.highest);
        }
        self.note_below(state, from)
    }

    /// The last note at or below `from` that can be read from.
    fn note_below(&self, state: &State, from: u8) -> Option<AsOf> {
        let gone_too = self.lacking == Lacking::NoteAboveStart;
        let usable = |note: &&AsOf| note.offset <= from && (gone_too || note.offset >= state.start);
        let nothing = AsOf::default();
        let notes = state.notes.iter().chain([&nothing]).filter(usable);
        let note = *notes.max_by_key(|note| note.offset)?;
        Some(AsOf {
            offset: note.offset.max(state.start),
            ..note
        })
    }

    /// Which offsets from `from` on such a scan takes.
    pub(super) fn scan(&self, state: &State, from: u8) -> Option<Vec<u8>> {
        let begins = self.scan_begins(state, from)?;
        let taken = fold(state, begins).into_iter();
        Some(taken.filter(|offset| *offset >= from).collect())
    }
}

/// Which offsets are taken from `begins` on: the definition of the dedup.
pub(super) fn fold(state: &State, begins: AsOf) -> Vec<u8> {
    let mut highest = begins.highest;
    let records = (0..).zip(&state.log).skip(usize::from(begins.offset));
    let take = |(offset, origin): (u8, &Origin)| {
        let above = origin.rank > highest[origin.inbox];
        highest[origin.inbox] = highest[origin.inbox].max(origin.rank);
        above.then_some(offset)
    };
    records.filter_map(take).collect()
}
