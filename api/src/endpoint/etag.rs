//! Versions of an endpoint, as HTTP has them: the version is the entity tag.

use http::header::IF_MATCH;
use http::{HeaderMap, HeaderValue, StatusCode};
use problem::Problem;

/// The header `etag` of `version`.
pub(super) fn etag(version: u64) -> HeaderValue {
    const DIGITS: &str = "digits and quotes fit a header";
    HeaderValue::try_from(format!("\"{version}\"")).expect(DIGITS)
}

/// What `If-Match` asks for (RFC 9110, section 13.1.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Condition {
    /// Nothing, or that there is one at all.
    None,
    /// That the version is one of these.
    OneOf(Vec<String>),
}

impl Condition {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let mut tags = Vec::new();
        for value in headers.get_all(IF_MATCH) {
            let tag = |tag: &str| tag.trim().to_owned();
            // A value that isn't text matches no version, and must not count as none given.
            tags.extend(value.to_str().unwrap_or("?").split(',').map(tag));
        }
        if tags.is_empty() || tags.iter().any(|tag| tag == "*") {
            Self::None
        } else {
            Self::OneOf(tags)
        }
    }

    /// Whether `version` is as was asked for. Compared strongly: a weak tag never is.
    pub(super) fn holds(&self, version: u64) -> bool {
        match self {
            Self::None => true,
            Self::OneOf(tags) => tags.contains(&format!("\"{version}\"")),
        }
    }
}

/// 412: it is another version by now.
pub(super) fn stale() -> Problem {
    Problem::new(
        StatusCode::PRECONDITION_FAILED,
        "precondition_failed",
        "the endpoint has been changed since: read it again, and change that",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_are_read_as_the_rfc_has_them() {
        for (given, version_7, version_8) in [
            (&[][..], true, true),
            (&["*"], true, true),
            (&["\"7\""], true, false),
            (&["\"6\", \"7\""], true, false),
            (&["\"6\"", "\"7\""], true, false),
            (&["W/\"7\""], false, false),
            (&["7"], false, false),
            (&[""], false, false),
        ] {
            let mut headers = HeaderMap::new();
            for value in given {
                headers.append(IF_MATCH, HeaderValue::from_static(value));
            }
            let condition = Condition::of(&headers);
            let held = (condition.holds(7), condition.holds(8));
            assert_eq!(held, (version_7, version_8), "{given:?}");
        }
        assert_eq!(etag(7), "\"7\"");
    }
}
