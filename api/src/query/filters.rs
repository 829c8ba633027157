//! Filters that lists share.

use projections_port::Selection;
use schemas::dead_letter::DeadLetterReason;

use crate::params::Params;

/// Reads the filters that a list knows; those that it doesn't are never among the parameters.
pub(super) fn selection(params: &mut Params, statuses: &[&str]) -> Selection {
    Selection {
        endpoint: params.parsed("endpoint_id"),
        status: params.word("status", statuses),
        event_type: params.parsed("event_type"),
        source: params.parsed("source"),
        tag: params.by("tag", tag),
        status_code: params.by("status_code", status_code),
        reason: params.by("reason", reason),
        after: params.after(),
        before: params.before(),
    }
}

fn tag(text: &str) -> Result<String, String> {
    let fits = (1..=128).contains(&text.len()) && !text.contains(',');
    let rule = || "must be one tag: 1 to 128 bytes without a comma".to_owned();
    fits.then(|| text.to_owned()).ok_or_else(rule)
}

fn status_code(text: &str) -> Result<u16, String> {
    let code = text.parse().ok().filter(|code| (100..=999).contains(code));
    code.ok_or_else(|| "must be an HTTP status code".to_owned())
}

/// Every reason, by its name.
const REASONS: [(&str, DeadLetterReason); 6] = [
    ("attempts_exhausted", DeadLetterReason::AttemptsExhausted),
    ("permanent_failure", DeadLetterReason::PermanentFailure),
    ("gone", DeadLetterReason::Gone),
    ("endpoint_deleted", DeadLetterReason::EndpointDeleted),
    ("endpoint_disabled", DeadLetterReason::EndpointDisabled),
    ("expired", DeadLetterReason::Expired),
];

fn reason(text: &str) -> Result<DeadLetterReason, String> {
    let found = REASONS.iter().find(|(name, _)| *name == text);
    let rule = || {
        let names = REASONS.map(|(name, _)| name).join(", ");
        format!("must be one of {names}")
    };
    found.map(|(_, reason)| *reason).ok_or_else(rule)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_have_the_names_that_they_are_stored_under() {
        for (name, reason) in REASONS {
            let stored = serde_json::to_value(reason).unwrap();
            assert_eq!(stored, name);
        }
    }
}
