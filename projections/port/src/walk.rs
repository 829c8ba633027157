//! How a page is read: from where, in which direction, how far.

use std::ops::Bound;

use domain::time::Timestamp;

use crate::page::{Cursor, Order, Page, PageRequest};
use crate::views::Selection;

/// The most rows of one page.
pub const MAX_PAGE: usize = 250;

/// How many rows a request looks at: a filter that hardly anything passes must not read the store.
pub const MAX_SCAN: usize = 5_000;

/// A walk along a list.
#[derive(Clone, Copy, Debug)]
pub struct Walk {
    /// Where the range begins.
    pub lower: Bound<Cursor>,
    /// Where it ends.
    pub upper: Bound<Cursor>,
    /// Whether it is walked from its end.
    pub descending: bool,
    backwards: bool,
    begins_inside: bool,
    limit: usize,
}

impl Walk {
    /// The walk that gives the page asked for. A page before another is walked from there, against
    /// the order, and turned round.
    #[must_use]
    pub fn new(request: &PageRequest, selection: &Selection) -> Self {
        let backwards = request.before.is_some();
        let descending = (request.order == Order::Descending) != backwards;
        let begin = request.before.or(request.behind);
        let mut walk = Self {
            lower: first_after(selection.after),
            upper: last_before(selection.before),
            descending,
            backwards,
            begins_inside: begin.is_some(),
            limit: request.limit.clamp(1, MAX_PAGE),
        };
        match begin {
            Some(begin) if descending => walk.end_at(begin),
            Some(begin) => walk.begin_at(begin),
            None => {}
        }
        walk
    }

    fn begin_at(&mut self, begin: Cursor) {
        let is_above = match self.lower {
            Bound::Included(lower) | Bound::Excluded(lower) => begin >= lower,
            Bound::Unbounded => true,
        };
        if is_above {
            self.lower = Bound::Excluded(begin);
        }
    }

    fn end_at(&mut self, end: Cursor) {
        let is_below = match self.upper {
            Bound::Included(upper) | Bound::Excluded(upper) => end <= upper,
            Bound::Unbounded => true,
        };
        if is_below {
            self.upper = Bound::Excluded(end);
        }
    }

    /// How many rows the page has at most.
    #[must_use]
    pub const fn limit(&self) -> usize {
        self.limit
    }

    /// Whether no row can lie between the bounds: such a range makes ordered maps panic.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        match (self.lower, self.upper) {
            (Bound::Unbounded, _) | (_, Bound::Unbounded) => false,
            (Bound::Included(lower), Bound::Included(upper)) => lower > upper,
            (Bound::Excluded(lower), Bound::Included(upper))
            | (Bound::Included(lower) | Bound::Excluded(lower), Bound::Excluded(upper)) => {
                lower >= upper
            }
        }
    }

    /// Whether a delivery's place belongs to the event that the walk begins behind.
    #[must_use]
    pub fn is_begin(&self, event: Cursor) -> bool {
        let begin = if self.descending {
            self.upper
        } else {
            self.lower
        };
        begin == Bound::Excluded(event)
    }

    /// The page out of `rows`: each place in the direction of the walk, with its row if that is
    /// wanted.
    ///
    /// # Errors
    /// The first of `rows`.
    pub fn page<R, E>(
        &self,
        rows: impl Iterator<Item = Result<(Cursor, Option<R>), E>>,
    ) -> Result<Page<R>, E> {
        let mut kept = Vec::new();
        let mut more = None;
        for (scanned, row) in rows.enumerate() {
            let (cursor, row) = row?;
            if kept.len() == self.limit && row.is_some() {
                more = kept.last().map(|(cursor, _)| *cursor);
                break;
            }
            kept.extend(row.map(|row| (cursor, row)));
            if scanned + 1 == MAX_SCAN {
                more = Some(cursor);
                break;
            }
        }
        let front = kept.first().map(|(cursor, _)| *cursor);
        let behind_us = if self.begins_inside { front } else { None };
        if self.backwards {
            kept.reverse();
        }
        let (previous, next) = if self.backwards {
            (more, behind_us)
        } else {
            (behind_us, more)
        };
        Ok(Page {
            rows: kept,
            next,
            previous,
        })
    }
}

fn first_after(after: Option<Timestamp>) -> Bound<Cursor> {
    let next = |after: Timestamp| Timestamp::from_millis(after.as_millis().saturating_add(1));
    after.map_or(Bound::Unbounded, |after| {
        Bound::Included(Cursor::first_at(next(after)))
    })
}

fn last_before(before: Option<Timestamp>) -> Bound<Cursor> {
    before.map_or(Bound::Unbounded, |before| {
        Bound::Excluded(Cursor::first_at(before))
    })
}
