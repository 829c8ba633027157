//! An attempt as clients see it.

use projections_port::{AttemptRow, DeliveryRow, DeliveryState};
use schemas::attempt::{Attempt, AttemptError, AttemptResult};
use serde::Serialize;

use super::payload::encoded;
use crate::limits::MAX_BODIES_SHOWN;
use crate::time::Shown;

/// How many more bytes of receivers' answers a response may show.
pub(super) struct Budget(usize);

impl Default for Budget {
    fn default() -> Self {
        Self(MAX_BODIES_SHOWN)
    }
}

impl Budget {
    /// Takes `bytes` if there are so many left.
    fn take(&mut self, bytes: usize) -> bool {
        let left = self.0.checked_sub(bytes);
        self.0 = left.unwrap_or(self.0);
        left.is_some()
    }
}

/// One attempt.
#[derive(Serialize)]
pub(super) struct ShownAttempt {
    number: u32,
    started_at: Shown,
    #[serde(skip_serializing_if = "Option::is_none")]
    duration_ms: Option<f64>,
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    status_code: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<AttemptError>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    response_headers: Vec<ShownHeader>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_body: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_body_base64: Option<String>,
    /// There was more of a response, and this answer has no room for it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    response_left_out: bool,
    signing_keys: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<String>,
}

#[derive(Serialize)]
struct ShownHeader {
    name: String,
    value: String,
}

impl ShownAttempt {
    /// An attempt of `delivery`, with its response as far as `row` has it and `budget` goes.
    pub(super) fn of(delivery: &DeliveryRow, row: AttemptRow, budget: &mut Budget) -> Self {
        let mut shown = Self::brief(delivery, &row);
        shown.add_response(row.attempt, budget);
        shown
    }

    /// As in lists: without the response.
    pub(super) fn brief(delivery: &DeliveryRow, row: &AttemptRow) -> Self {
        let attempt = &row.attempt;
        let duration_ms = attempt.duration_us as f64 / 1_000.0;
        Self {
            number: attempt.number,
            started_at: Shown(attempt.started_at.0),
            duration_ms: row.has_outcome.then_some(duration_ms),
            outcome: outcome(delivery, row),
            status_code: attempt.status,
            error: attempt.error.clone(),
            response_headers: Vec::new(),
            response_body: None,
            response_body_base64: None,
            response_left_out: false,
            signing_keys: attempt.keys.clone(),
            address: attempt.address.clone(),
        }
    }

    fn add_response(&mut self, attempt: Attempt, budget: &mut Budget) {
        let headers = attempt
            .headers
            .iter()
            .map(|(name, value)| name.len() + value.len());
        let body = attempt.body.as_ref().map_or(0, |body| body.0.len());
        if !budget.take(headers.sum::<usize>() + body) {
            self.response_left_out = true;
            return;
        }
        let named = |(name, value)| ShownHeader { name, value };
        self.response_headers = attempt.headers.into_iter().map(named).collect();
        let Some(body) = attempt.body else { return };
        match std::str::from_utf8(&body.0) {
            Ok(text) => self.response_body = Some(text.to_owned()),
            Err(_) => self.response_body_base64 = Some(encoded(&body.0)),
        }
    }
}

/// One that was started and has no outcome is under way while nothing says that its owner is gone.
fn outcome(delivery: &DeliveryRow, row: &AttemptRow) -> &'static str {
    if !row.has_outcome {
        let is_last = delivery.attempts.last().is_some_and(|last| last == row);
        let is_under_way = is_last && delivery.state == DeliveryState::Delivering;
        return if is_under_way {
            "in_progress"
        } else {
            "unknown"
        };
    }
    match row.attempt.result {
        AttemptResult::Succeeded => "succeeded",
        AttemptResult::Failed => "failed",
        AttemptResult::Unknown => "unknown",
    }
}

/// How many attempts of a delivery were spent: an unknown one spends no number.
pub(super) fn count(delivery: &DeliveryRow) -> usize {
    let spent = |row: &&AttemptRow| row.has_outcome && row.attempt.result != AttemptResult::Unknown;
    delivery.attempts.iter().filter(spent).count()
}
