//! `GET /endpoints`.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Response};
use control::Current;
use domain::subscription::Pattern;
use domain::time::Timestamp;
use problem::Problem;
use projections_port::Order;
use schemas::text::EventType;

use super::shown::{ShownEndpoint, created_at};
use crate::asking::Asking;
use crate::limits::MAX_SEARCH;
use crate::page::{self, Wanted, of_rows};
use crate::params::Params;
use crate::shared::Shared;

/// The filters, less `circuit_state`.
const FILTERS: &[&str] = &["is_active", "event_type", "q"];

struct Filter {
    is_active: Option<bool>,
    /// Those that get events of this type.
    event_type: Option<EventType>,
    /// Those with this in their id, name or URL, in lower case.
    search: Option<String>,
    after: Option<Timestamp>,
    before: Option<Timestamp>,
}

impl Filter {
    fn read(params: &mut Params) -> Self {
        let is_active = params.word("is_active", &["true", "false"]);
        Self {
            is_active: is_active.map(|word| word == "true"),
            event_type: params.parsed("event_type"),
            search: params.by("q", search),
            after: params.after(),
            before: params.before(),
        }
    }

    fn takes(&self, current: &Current) -> bool {
        let at = created_at(current);
        self.is_active
            .is_none_or(|wanted| wanted == current.is_active())
            && self
                .event_type
                .as_ref()
                .is_none_or(|of| subscribes(current, of))
            && self
                .search
                .as_ref()
                .is_none_or(|search| is_found(current, search))
            && self.after.is_none_or(|after| at > after)
            && self.before.is_none_or(|before| at < before)
    }
}

fn search(text: &str) -> Result<String, String> {
    let fits = (1..=MAX_SEARCH).contains(&text.chars().count());
    let rule = || format!("must be a text of 1 to {MAX_SEARCH} characters");
    fits.then(|| text.to_lowercase()).ok_or_else(rule)
}

fn subscribes(current: &Current, event_type: &EventType) -> bool {
    let patterns = &current.endpoint.event_types;
    let takes = |pattern: &String| {
        Pattern::parse(pattern).is_ok_and(|pattern| pattern.matches(event_type.as_str()))
    };
    patterns.is_empty() || patterns.iter().any(takes)
}

fn is_found(current: &Current, search: &str) -> bool {
    let endpoint = &current.endpoint;
    let name = endpoint.name.as_deref().unwrap_or_default();
    let has = |text: &str| text.to_lowercase().contains(search);
    has(name) || has(&endpoint.url) || has(&endpoint.id.to_string())
}

/// The tenant's endpoints, newest first.
pub(crate) async fn list(
    State(shared): State<Arc<Shared>>,
    asking: Asking,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let known = &[page::PARAMS, page::TIMES, FILTERS, &["circuit_state"]];
    let mut params = Params::of(query.as_deref(), known);
    let tenant = &asking.caller.tenant;
    let wanted = Wanted::read(&mut params, "endpoints", tenant, Order::Descending);
    let filter = Filter::read(&mut params);
    let by_circuit = params.text("circuit_state").is_some();
    params.finish()?;
    if by_circuit {
        // Circuits are their owners' and nowhere in a view yet.
        return Err(Problem::not_supported_yet("the filter circuit_state"));
    }
    shared.read_control().await?;
    let all: Vec<Arc<Current>> = shared
        .control
        .read(|state| state.endpoints_of(tenant).cloned().collect());
    let found = all.into_iter().filter(|current| filter.takes(current));
    let (rows, next, previous) = of_rows(&wanted, found.collect(), |row| row.endpoint.id);
    let data = rows
        .iter()
        .map(|row| ShownEndpoint::of(&row.endpoint, row.version, None))
        .collect();
    Ok(wanted.answer(data, next, previous).into_response())
}
