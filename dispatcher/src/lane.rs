//! One lane: an endpoint's events of one priority, from its resume offset up to `next`.
//!
//! Pure: offsets in, decisions out. The rules are L1 to L6 and L22 of `docs/protocol.md`, the
//! algorithm is that of the lanes' model (`tests/models/src/lanes`). The index's range begins at
//! the lane's `next` and grows forwards only, which is the model's "drained" in each case.

mod window;

use eventlog_port::{LaneNumber, Offset};

pub(crate) use window::Window;

/// How many of a lane's records lie between its resume offset and its `next`, done ones included.
pub(crate) const WINDOW: usize = 1_024;

/// Where a lane gets its records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    /// From the cursor.
    Live,
    /// From the index, whose notes of it are whole up to `to`; `None`: up to the cursor.
    Lagging { to: Option<Offset> },
}

/// A lane.
#[derive(Debug)]
pub(crate) struct Lane {
    /// No reader hands it a record below this offset. Of a live lane it may lie below the cursor,
    /// which then counts.
    next: Offset,
    reading: Reading,
    window: Window,
    /// How many notes of it at or above `next` the index has or is being given.
    notes: usize,
    /// What the index calls it.
    number: LaneNumber,
    /// Held ones whose payload was given back: to be read again by their offsets.
    pub(crate) parked: Vec<Offset>,
    /// Whether a read for it is under way.
    pub(crate) fetching: bool,
    /// What its held records weigh.
    pub(crate) bytes: u64,
    /// How often its notes were lost.
    losses: u32,
}

/// What the cursor does with a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Passed {
    /// The lane has come to it already: it is done.
    Below,
    /// The lane takes it.
    Handed,
    /// The lane lags, and the index is to note it.
    Noted,
    /// The lane lags and has no room for the note; the log has it.
    LeftOut,
}

impl Lane {
    /// A lane that reads on at `next`, with the cursor at `cursor`: it lags if that is below.
    pub(crate) fn new(next: Offset, cursor: Offset, number: LaneNumber) -> Self {
        let reading = if next < cursor {
            Reading::Lagging { to: Some(next) }
        } else {
            Reading::Live
        };
        Self {
            next,
            reading,
            window: Window::default(),
            notes: 0,
            number,
            parked: Vec::new(),
            fetching: false,
            bytes: 0,
            losses: 0,
        }
    }

    pub(crate) const fn number(&self) -> LaneNumber {
        self.number
    }

    pub(crate) const fn is_live(&self) -> bool {
        matches!(self.reading, Reading::Live)
    }

    pub(crate) const fn losses(&self) -> u32 {
        self.losses
    }

    pub(crate) const fn notes(&self) -> usize {
        self.notes
    }

    /// Where it reads next.
    pub(crate) fn next(&self, cursor: Offset) -> Offset {
        if self.is_live() {
            self.next.max(cursor)
        } else {
            self.next
        }
    }

    /// All of its records below this are done.
    pub(crate) fn resume(&self, cursor: Offset) -> Offset {
        self.window.oldest().unwrap_or_else(|| self.next(cursor))
    }

    pub(crate) const fn window(&self) -> &Window {
        &self.window
    }

    /// How many more records its window takes.
    pub(crate) fn room(&self) -> usize {
        WINDOW.saturating_sub(self.window.len())
    }

    /// Its record at `offset` has its outcome, durably. False when no reader has handed it that.
    pub(crate) fn done(&mut self, offset: Offset) -> bool {
        self.window.done(offset)
    }

    /// The cursor comes to its record at `offset`. `takes`: whether it can take one now; `most`:
    /// how many notes it may have.
    pub(crate) fn pass(&mut self, offset: Offset, takes: bool, most: usize) -> Passed {
        if offset < self.next {
            return Passed::Below;
        }
        if self.is_live() {
            if takes && self.room() > 0 && self.parked.is_empty() {
                self.next = offset + 1;
                return Passed::Handed;
            }
            self.next = offset;
            self.reading = Reading::Lagging { to: None };
        }
        match self.reading {
            Reading::Lagging { to: None } if self.notes < most => {
                self.notes += 1;
                Passed::Noted
            }
            Reading::Lagging { to: None } => {
                self.reading = Reading::Lagging { to: Some(offset) };
                Passed::LeftOut
            }
            Reading::Lagging { to: Some(_) } | Reading::Live => Passed::LeftOut,
        }
    }

    /// Its record at `offset`, which a reader hands it, is in its window from here on.
    pub(crate) fn take(&mut self, offset: Offset, done: bool) {
        self.next = self.next.max(offset + 1);
        self.window.push(offset, done);
    }

    /// Catch-up hands it a noted record. False when it has that already.
    pub(crate) fn catch_up(&mut self, offset: Offset) -> bool {
        if self.is_live() || offset < self.next {
            return false;
        }
        self.notes = self.notes.saturating_sub(1);
        self.next = offset + 1;
        true
    }

    /// The index had no more notes of it than were handed: what it was thought to have is lost.
    pub(crate) fn lost(&mut self) {
        self.notes = 0;
        self.losses = self.losses.wrapping_add(1);
        if !self.is_live() {
            self.reading = Reading::Lagging {
                to: Some(self.next),
            };
        }
    }

    /// After each step: where its notes are used up, `next` becomes the end of its range, and when
    /// that is the cursor, it is live (L5). True when it has just gone live.
    pub(crate) fn settle(&mut self, cursor: Offset) -> bool {
        let Reading::Lagging { to } = self.reading else {
            return false;
        };
        if self.notes > 0 || self.fetching {
            return false;
        }
        self.next = self.next.max(to.unwrap_or(cursor));
        let is_live = self.next >= cursor && self.parked.is_empty();
        if is_live {
            self.reading = Reading::Live;
        } else if self.next >= cursor {
            self.reading = Reading::Lagging { to: None };
        }
        is_live
    }

    /// From where the log has to be read again for it, if its range ends below the cursor and there
    /// is room for at least half of the notes it may have.
    pub(crate) fn wants_more(&self, cursor: Offset, most: usize) -> Option<Offset> {
        match self.reading {
            Reading::Lagging { to: Some(to) } => {
                let to = to.max(self.next);
                (to < cursor && self.notes <= most / 2).then_some(to)
            }
            Reading::Lagging { to: None } | Reading::Live => None,
        }
    }

    /// Its record at `offset` was read again, at or above where [`wants_more`](Self::wants_more)
    /// said. True: to be noted. False: no room, its range ends here.
    pub(crate) fn extend(&mut self, offset: Offset, most: usize) -> bool {
        let has_room = self.notes < most;
        if has_room {
            self.notes += 1;
        } else {
            self.reading = Reading::Lagging { to: Some(offset) };
        }
        has_room
    }

    /// The log was read again for it up to `end`.
    pub(crate) fn extended(&mut self, end: Offset, cursor: Offset) {
        if let Reading::Lagging { to: Some(to) } = self.reading {
            let end = end.max(to);
            let to = (end < cursor).then_some(end);
            self.reading = Reading::Lagging { to };
        }
    }

    /// Whether a pass over the log again has to note its record at `offset`.
    pub(crate) fn is_wanted(&self, offset: Offset) -> bool {
        match self.reading {
            Reading::Lagging { to: Some(to) } => offset >= to.max(self.next),
            Reading::Lagging { to: None } | Reading::Live => false,
        }
    }
}

#[cfg(test)]
mod tests;
