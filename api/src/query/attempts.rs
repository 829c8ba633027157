//! `GET /events/{id}/attempts`: the attempts of all deliveries of an event, delivery by delivery in the
//! order of endpoints. An event may go to every endpoint there is, so a page reads no further than it
//! has to, and names attempts by where they are: the delivery, and the attempt in it.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Response};
use problem::Problem;
use projections_port::{AttemptRow, DeliveryRow, EventRow, Order};
use schemas::ids::{DeliveryId, EndpointId};
use serde::Serialize;

use super::attempt::{Budget, ShownAttempt};
use super::payload::attempt_at;
use super::{delivery, event};
use crate::asking::{Asking, PathId};
use crate::cursor::{At, Place};
use crate::page::{self, Wanted};
use crate::params::Params;
use crate::shared::Shared;

/// An attempt's place: which delivery of the event, and which attempt of that, by epoch and number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct AttemptPlace {
    delivery: usize,
    number: u32,
    epoch: u64,
}

impl Place for AttemptPlace {
    fn write(&self) -> String {
        format!("{};{};{}", self.delivery, self.number, self.epoch)
    }

    fn read(text: &str) -> Option<Self> {
        let mut parts = text.split(';');
        Some(Self {
            delivery: parts.next()?.parse().ok()?,
            number: parts.next()?.parse().ok()?,
            epoch: parts.next()?.parse().ok()?,
        })
    }
}

/// An attempt, and of which delivery.
#[derive(Serialize)]
struct ShownOfEvent {
    delivery_id: DeliveryId,
    endpoint_id: EndpointId,
    #[serde(flatten)]
    attempt: ShownAttempt,
}

struct Found {
    place: AttemptPlace,
    delivery: DeliveryRow,
    attempt: AttemptRow,
}

/// A page of an event's attempts.
pub(crate) async fn event_attempts(
    State(shared): State<Arc<Shared>>,
    asking: Asking,
    PathId(id): PathId,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let mut params = Params::of(query.as_deref(), &[page::PARAMS]);
    let tenant = &asking.caller.tenant;
    let row = event::find(&shared, tenant, &id).await;
    // The cursor belongs to the event, whatever it is called by.
    let list = match &row {
        Ok(row) => format!("attempts of {}", row.acceptance),
        Err(_) => "attempts".to_owned(),
    };
    let wanted = Wanted::read(&mut params, &list, tenant, Order::Descending);
    params.finish()?;
    let (page, next, previous) = walk(&shared, &row?, &wanted).await?;
    let mut budget = Budget::default();
    let mut data = Vec::new();
    for found in page {
        data.push(shown(&shared, found, &mut budget).await?);
    }
    Ok(wanted.answer(data, next, previous).into_response())
}

async fn shown(
    shared: &Shared,
    found: Found,
    budget: &mut Budget,
) -> Result<ShownOfEvent, Problem> {
    let Found {
        delivery,
        attempt: mut row,
        ..
    } = found;
    let mut attempt = ShownAttempt::brief(&delivery, &row);
    if row.has_outcome {
        if let Some(stored) = attempt_at(shared, row.place).await?
            && stored.number == row.attempt.number
        {
            row.attempt = stored;
        }
        attempt = ShownAttempt::of(&delivery, row, budget);
    }
    Ok(ShownOfEvent {
        delivery_id: delivery.id,
        endpoint_id: delivery.endpoint,
        attempt,
    })
}

/// The page that is wanted, what is behind it, and what in front.
async fn walk(
    shared: &Shared,
    event: &EventRow,
    wanted: &Wanted<AttemptPlace>,
) -> Result<(Vec<Found>, Option<AttemptPlace>, Option<AttemptPlace>), Problem> {
    let is_backwards = matches!(wanted.at, Some(At::Before(_)));
    let is_up = (wanted.order == Order::Ascending) != is_backwards;
    let from = match wanted.at {
        None => None,
        Some(At::Behind(place) | At::Before(place)) => Some(place),
    };
    let mut ids: Vec<(usize, DeliveryId)> = event.deliveries().enumerate().collect();
    if !is_up {
        ids.reverse();
    }
    let is_ahead = |place: AttemptPlace| {
        from.is_none_or(|from| if is_up { place > from } else { place < from })
    };
    let mut found = Vec::new();
    for (index, id) in ids {
        let is_past = from.is_some_and(|from| match is_up {
            true => index < from.delivery,
            false => index > from.delivery,
        });
        if is_past || found.len() > wanted.limit {
            continue;
        }
        let Some(row) = delivery::of_views(shared, &event.tenant, &id).await? else {
            continue;
        };
        let attempts = of_delivery(index, &row, is_up);
        found.extend(attempts.into_iter().filter(|found| is_ahead(found.place)));
    }
    let has_more = found.len() > wanted.limit;
    found.truncate(wanted.limit);
    if is_backwards {
        found.reverse();
    }
    let first = found.first().map(|found| found.place);
    let last = found.last().map(|found| found.place);
    // Where the walk came from there is at least the row that the cursor names.
    Ok(match (is_backwards, from.is_some()) {
        (false, came) => (found, last.filter(|_| has_more), first.filter(|_| came)),
        (true, _) => (found, last, first.filter(|_| has_more)),
    })
}

/// The attempts of one delivery in the direction of the walk.
fn of_delivery(index: usize, row: &DeliveryRow, is_up: bool) -> Vec<Found> {
    let found = |attempt: &AttemptRow| Found {
        place: AttemptPlace {
            delivery: index,
            number: attempt.attempt.number,
            epoch: attempt.epoch,
        },
        delivery: row.clone(),
        attempt: attempt.clone(),
    };
    let mut all: Vec<Found> = row.attempts.iter().map(found).collect();
    all.sort_by_key(|found| found.place);
    if !is_up {
        all.reverse();
    }
    all
}
