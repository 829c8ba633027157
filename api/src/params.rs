//! Query parameters. All that are wrong are told at once; one that isn't known is wrong.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::str::FromStr;

use domain::time::Timestamp;
use http::StatusCode;
use problem::{FieldError, Problem};

use crate::time::{self, Round};

/// The parameters of one request.
#[derive(Debug, Default)]
pub(crate) struct Params {
    given: BTreeMap<String, String>,
    errors: Vec<FieldError>,
}

impl Params {
    /// Those of `query`, which may be the ones `known`, each once.
    pub(crate) fn of(query: Option<&str>, known: &[&[&str]]) -> Self {
        let mut params = Self::default();
        let pairs = url::form_urlencoded::parse(query.unwrap_or_default().as_bytes());
        for (name, value) in pairs {
            if !known.iter().any(|names| names.contains(&&*name)) {
                params.wrong(&name, "there is no such parameter");
            } else if params.given.contains_key(&*name) {
                params.wrong(&name, "is given twice");
            } else {
                params.given.insert(name.into_owned(), value.into_owned());
            }
        }
        params
    }

    /// What was given, by name.
    pub(crate) fn given(&self) -> &BTreeMap<String, String> {
        &self.given
    }

    /// A parameter as it was given.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.given.get(name).map(String::as_str)
    }

    /// Reads a parameter by a rule.
    pub(crate) fn by<T>(
        &mut self,
        name: &str,
        read: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        match read(self.given.get(name)?) {
            Ok(value) => Some(value),
            Err(detail) => {
                self.wrong(name, detail);
                None
            }
        }
    }

    /// Reads a parameter whose type has the rule.
    pub(crate) fn parsed<T: FromStr<Err: Display>>(&mut self, name: &str) -> Option<T> {
        self.by(name, |text| {
            text.parse().map_err(|rule: T::Err| rule.to_string())
        })
    }

    /// Reads a parameter that is one of some words.
    pub(crate) fn word(&mut self, name: &str, words: &[&str]) -> Option<String> {
        self.by(name, |text| {
            let is_known = words.contains(&text);
            let rule = || format!("must be one of {}", words.join(", "));
            is_known.then(|| text.to_owned()).ok_or_else(rule)
        })
    }

    /// The time that rows have to be later than.
    pub(crate) fn after(&mut self) -> Option<Timestamp> {
        self.by("after", |text| time::parse(text, Round::Down))
    }

    /// The time that rows have to be earlier than.
    pub(crate) fn before(&mut self) -> Option<Timestamp> {
        self.by("before", |text| time::parse(text, Round::Up))
    }

    /// Notes what is wrong with a parameter.
    pub(crate) fn wrong(&mut self, name: &str, detail: impl Into<String>) {
        self.errors.push(FieldError {
            pointer: format!("?{name}"),
            detail: detail.into(),
        });
    }

    /// Nothing was wrong.
    ///
    /// # Errors
    /// 400, with all that was.
    pub(crate) fn finish(self) -> Result<(), Problem> {
        if self.errors.is_empty() {
            return Ok(());
        }
        let detail = match self.errors.as_slice() {
            [only] => format!("{}: {}", only.pointer, only.detail),
            errors => format!("{} parameters are wrong", errors.len()),
        };
        let problem = Problem::new(StatusCode::BAD_REQUEST, "invalid_parameters", detail);
        Err(problem.with_errors(self.errors))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_is_wrong_is_told_at_once() {
        let query = "a=1&a=2&b=x&after=noon&strange=1&c=%C3%A9";
        let mut params = Params::of(Some(query), &[&["a", "b"], &["after", "c"]]);
        assert_eq!(params.text("c"), Some("é"));
        assert_eq!(params.parsed::<u32>("a"), Some(1));
        assert_eq!(params.parsed::<u32>("b"), None);
        assert_eq!(params.after(), None);
        assert_eq!(params.word("c", &["d", "e"]), None);
        let wrong: Vec<_> = params.errors.iter().map(|e| e.pointer.as_str()).collect();
        assert_eq!(wrong, ["?a", "?strange", "?b", "?after", "?c"]);
        assert_eq!(params.finish().unwrap_err().code(), "invalid_parameters");
        assert!(Params::of(None, &[]).finish().is_ok());
    }
}
