//! What is wrong with a body, collected: a client is told of all of it at once.

use http::StatusCode;
use problem::{FieldError, Problem};

/// What is wrong, by kind. The gravest kind gives the answer its code; all are listed.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    invalid: Vec<FieldError>,
    forbidden: Vec<FieldError>,
    unsupported: Vec<FieldError>,
}

/// A JSON pointer to `member` of what `parent` points to (RFC 6901, section 3).
pub(crate) fn pointer(parent: &str, member: &str) -> String {
    let member = member.replace('~', "~0").replace('/', "~1");
    format!("{parent}/{member}")
}

impl Faults {
    /// A value that breaks a rule. `detail` never quotes one.
    pub(crate) fn invalid(&mut self, pointer: impl Into<String>, detail: impl Into<String>) {
        self.invalid.push(FieldError {
            pointer: pointer.into(),
            detail: detail.into(),
        });
    }

    /// A URL that may not be dialled.
    pub(crate) fn forbidden(&mut self, pointer: impl Into<String>, detail: impl Into<String>) {
        self.forbidden.push(FieldError {
            pointer: pointer.into(),
            detail: detail.into(),
        });
    }

    /// A value that the interface names and that isn't honoured yet.
    pub(crate) fn unsupported(&mut self, pointer: impl Into<String>, detail: impl Into<String>) {
        self.unsupported.push(FieldError {
            pointer: pointer.into(),
            detail: detail.into(),
        });
    }

    /// Nothing was wrong.
    ///
    /// # Errors
    /// 422, with all that was.
    pub(crate) fn finish(self) -> Result<(), Problem> {
        let code = match (&self.invalid, &self.forbidden, &self.unsupported) {
            (invalid, _, _) if !invalid.is_empty() => "validation_failed",
            (_, forbidden, _) if !forbidden.is_empty() => "url_forbidden",
            (_, _, unsupported) if !unsupported.is_empty() => "not_supported_yet",
            _ => return Ok(()),
        };
        let errors = [self.invalid, self.forbidden, self.unsupported].concat();
        let detail = match errors.as_slice() {
            [only] => format!("{}: {}", only.pointer, only.detail),
            errors => format!("{} members are wrong", errors.len()),
        };
        let problem = Problem::new(StatusCode::UNPROCESSABLE_ENTITY, code, detail);
        Err(problem.with_errors(errors))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pointers_are_escaped() {
        assert_eq!(pointer("/metadata", "a/b~c"), "/metadata/a~1b~0c");
    }

    #[test]
    fn the_gravest_fault_gives_the_code() {
        let code = |faults: Faults| faults.finish().err().map(|problem| problem.code());
        let mut faults = Faults::default();
        assert_eq!(code(Faults::default()), None);
        faults.unsupported("/filter", "x");
        faults.forbidden("/url", "x");
        assert_eq!(code(faults), Some("url_forbidden"));
        let mut faults = Faults::default();
        faults.unsupported("/filter", "x");
        faults.invalid("/name", "x");
        assert_eq!(code(faults), Some("validation_failed"));
    }
}
