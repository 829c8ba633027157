//! An error of the server's, as people read it.

use http::StatusCode;
use serde::Deserialize;

use crate::output::{safe, safe_text};

/// How much of an answer that is no problem document is shown, in bytes.
const SHOWN: usize = 300;

/// The server refused.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Refused(String);

/// RFC 9457, as far as people are told of it.
#[derive(Deserialize)]
struct Document {
    #[serde(default)]
    code: String,
    #[serde(default)]
    detail: String,
    #[serde(default)]
    errors: Vec<Field>,
}

#[derive(Deserialize)]
struct Field {
    pointer: String,
    detail: String,
}

/// What an answer with an error status says.
pub(super) fn problem(
    status: StatusCode,
    body: &[u8],
    request: Option<String>,
    retry_after: Option<String>,
) -> Refused {
    let document = serde_json::from_slice::<Document>(body).ok();
    let document = document.filter(|document| !document.code.is_empty());
    let mut text = match document {
        Some(document) => told(status, &document),
        None => format!(
            "the server answered {status}: {}",
            safe(&body[..body.len().min(SHOWN)])
        ),
    };
    if let Some(after) = retry_after {
        push(&mut text, &format!("try again in {after} s"));
    }
    if let Some(request) = request {
        push(&mut text, &format!("request {request}"));
    }
    Refused(text)
}

fn told(status: StatusCode, document: &Document) -> String {
    let detail = safe_text(&document.detail);
    let mut text = format!(
        "{detail} ({} {})",
        status.as_u16(),
        safe_text(&document.code)
    );
    for field in &document.errors {
        let place = match field.pointer.as_str() {
            "" => "the body",
            pointer => pointer,
        };
        push(
            &mut text,
            &format!("{}: {}", safe_text(place), safe_text(&field.detail)),
        );
    }
    text
}

fn push(text: &mut String, line: &str) {
    text.push_str("\n  ");
    text.push_str(line);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_is_told_with_its_code_and_fields() {
        let body = br#"{"type":"urn:x","title":"T","status":422,"detail":"two fields are wrong","code":"invalid","errors":[{"pointer":"/url","detail":"no host"},{"pointer":"","detail":"line 1"}]}"#;
        let told = problem(
            StatusCode::UNPROCESSABLE_ENTITY,
            body,
            Some("req_1".into()),
            Some("2".into()),
        );
        assert_eq!(
            told.to_string(),
            "two fields are wrong (422 invalid)\n  /url: no host\n  the body: line 1\n  try again in 2 s\n  request req_1"
        );
        let told = problem(StatusCode::BAD_GATEWAY, b"<h1>\x1b[2J", None, None);
        assert_eq!(
            told.to_string(),
            "the server answered 502 Bad Gateway: <h1>\\u{1b}[2J"
        );
    }
}
