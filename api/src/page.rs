//! Lists, a page at a time.

use axum::response::{IntoResponse, Response};
use projections_port::{Cursor, Order, Page, PageRequest};
use schemas::text::TenantId;
use serde::Serialize;

use crate::cursor::{At, ListId, Place};
use crate::json::Json;
use crate::limits::{DEFAULT_PAGE, PAGE};
use crate::params::Params;

/// The parameters that every list has.
pub(crate) const PARAMS: &[&str] = &["limit", "cursor", "order"];

/// The parameters of a list by time.
pub(crate) const TIMES: &[&str] = &["after", "before"];

/// Which page of which list.
#[derive(Debug)]
pub(crate) struct Wanted<P> {
    list: ListId,
    pub(crate) limit: usize,
    pub(crate) order: Order,
    pub(crate) at: Option<At<P>>,
}

/// A page as clients get it.
#[derive(Debug, Serialize)]
pub(crate) struct List<T> {
    data: Vec<T>,
    next_cursor: Option<String>,
    prev_cursor: Option<String>,
    has_more: bool,
}

impl<T: Serialize> IntoResponse for List<T> {
    fn into_response(self) -> Response {
        Json(self).into_response()
    }
}

impl<P: Place> Wanted<P> {
    /// Reads what `params` say of the page of the list called `name`. All of the list's own filters
    /// have to be among the parameters given: a cursor belongs to them.
    pub(crate) fn read(
        params: &mut Params,
        name: &str,
        tenant: &TenantId,
        unless_said: Order,
    ) -> Self {
        let limit = params.by("limit", |text| {
            let limit = text.parse().ok().filter(|limit| PAGE.contains(limit));
            let (least, most) = (PAGE.start(), PAGE.end());
            limit.ok_or_else(|| format!("must be a number from {least} to {most}"))
        });
        let order = params.word("order", &["asc", "desc"]);
        let order = match order.as_deref() {
            Some("asc") => Order::Ascending,
            Some(_) => Order::Descending,
            None => unless_said,
        };
        let list = list_id(params, name, tenant, order);
        let at = params.by("cursor", |text| {
            let rule = "is no cursor of this list with these filters in this order";
            list.open(text).ok_or_else(|| rule.to_owned())
        });
        Self {
            limit: limit.unwrap_or(DEFAULT_PAGE),
            list,
            order,
            at,
        }
    }

    /// The page as clients get it.
    pub(crate) fn answer<T>(&self, data: Vec<T>, next: Option<P>, previous: Option<P>) -> List<T> {
        let next_cursor = next.map(|place| self.list.seal(&At::Behind(place)));
        let prev_cursor = previous.map(|place| self.list.seal(&At::Before(place)));
        List {
            data,
            has_more: next_cursor.is_some(),
            next_cursor,
            prev_cursor,
        }
    }
}

impl Wanted<Cursor> {
    /// As the views are asked.
    pub(crate) fn request(&self) -> PageRequest {
        let (behind, before) = match self.at {
            None => (None, None),
            Some(At::Behind(place)) => (Some(place), None),
            Some(At::Before(place)) => (None, Some(place)),
        };
        PageRequest {
            limit: self.limit,
            order: self.order,
            behind,
            before,
        }
    }

    /// What the views gave, with its rows as they are shown.
    pub(crate) fn answer_page<R, T>(&self, page: &Page<R>, data: Vec<T>) -> List<T> {
        self.answer(data, page.next, page.previous)
    }
}

/// A page of rows that are all here. `place` must ascend along `rows`.
pub(crate) fn of_rows<P: Place + Copy + Ord, R>(
    wanted: &Wanted<P>,
    rows: Vec<R>,
    place: impl Fn(&R) -> P,
) -> (Vec<R>, Option<P>, Option<P>) {
    let mut rows = rows;
    if wanted.order == Order::Descending {
        rows.reverse();
    }
    // How many rows of the list lie at or in front of the row that the cursor names, which may be gone.
    let up_to = |from: P, with_it: bool| {
        rows.partition_point(|row| match wanted.order {
            Order::Ascending => place(row) < from || (with_it && place(row) == from),
            Order::Descending => place(row) > from || (with_it && place(row) == from),
        })
    };
    let (start, end) = match wanted.at {
        None => (0, wanted.limit),
        Some(At::Behind(from)) => {
            let start = up_to(from, true);
            (start, start + wanted.limit)
        }
        Some(At::Before(from)) => {
            let end = up_to(from, false);
            (end.saturating_sub(wanted.limit), end)
        }
    };
    let end = end.min(rows.len());
    let has_next = end < rows.len();
    rows.truncate(end);
    let page = rows.split_off(start.min(rows.len()));
    let next = page.last().filter(|_| has_next).map(&place);
    let previous = page.first().filter(|_| start > 0).map(&place);
    (page, next, previous)
}

fn list_id(params: &Params, name: &str, tenant: &TenantId, order: Order) -> ListId {
    let mut id = format!("{name}\0{tenant}\0{order:?}");
    let own = params
        .given()
        .iter()
        .filter(|(name, _)| !PARAMS.contains(&name.as_str()));
    for (name, value) in own {
        // A parameter's length tells where it ends.
        id.push_str(&format!("\0{name}={}:{value}", value.len()));
    }
    ListId(id)
}
