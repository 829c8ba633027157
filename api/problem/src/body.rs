//! Bodies: read up to a limit, JSON to a depth.

use axum::body::Body;
use bytes::Bytes;
use http::StatusCode;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::de::Deserialize;

use crate::{FieldError, Problem};

/// The largest body that a door reads, in bytes.
pub const MAX_BODY: usize = 1 << 20;

/// How deep JSON may nest. Deeper than any payload that means something, and far from what a
/// recursive reader's stack takes.
pub const MAX_DEPTH: usize = 64;

/// Reads a body of at most [`MAX_BODY`] bytes.
///
/// # Errors
/// 413 `payload_too_large` over the limit, 400 `body_incomplete` when it breaks off.
pub async fn read(body: Body) -> Result<Bytes, Problem> {
    match Limited::new(body, MAX_BODY).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.downcast_ref::<LengthLimitError>().is_some() => Err(Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "payload_too_large",
            format!("the body is larger than {MAX_BODY} bytes"),
        )),
        Err(error) => Err(Problem::new(
            StatusCode::BAD_REQUEST,
            "body_incomplete",
            format!("the body could not be read to its end: {error}"),
        )),
    }
}

/// Reads JSON that nests at most [`MAX_DEPTH`] deep. Members that `T` doesn't have are errors if
/// `T` says so. What `T` borrows, it borrows from the body.
///
/// # Errors
/// 400 `invalid_json`, saying where; 400 `json_too_deep`.
pub fn json<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Problem> {
    check_depth(body)?;
    serde_json::from_slice(body).map_err(|error| {
        let at = format!("line {}, column {}", error.line(), error.column());
        let problem = Problem::new(
            StatusCode::BAD_REQUEST,
            "invalid_json",
            format!("the body is not the JSON that is expected: {error}"),
        );
        problem.with_errors(vec![FieldError {
            pointer: String::new(),
            detail: at,
        }])
    })
}

/// Whether JSON nests too deep. Looks at brackets outside strings only, so it is right about JSON
/// and says nothing about anything else.
fn check_depth(body: &[u8]) -> Result<(), Problem> {
    let mut depth = 0_usize;
    let mut in_string = false;
    let mut escaped = false;
    for byte in body {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => depth += 1,
            b'}' | b']' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > MAX_DEPTH {
            return Err(Problem::new(
                StatusCode::BAD_REQUEST,
                "json_too_deep",
                format!("the body nests deeper than {MAX_DEPTH} levels"),
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_is_that_of_brackets_outside_strings() {
        let nested = |depth: usize| format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
        assert!(json::<serde_json::Value>(nested(MAX_DEPTH).as_bytes()).is_ok());
        let deep = json::<serde_json::Value>(nested(MAX_DEPTH + 1).as_bytes());
        assert_eq!(deep.unwrap_err().code(), "json_too_deep");
        let quoted = format!("\"\\\"{}\"", "[".repeat(1_000));
        assert!(json::<String>(quoted.as_bytes()).is_ok());
    }

    #[tokio::test]
    async fn a_body_over_the_limit_is_refused() {
        let whole = read(Body::from(vec![b' '; MAX_BODY])).await.unwrap();
        assert_eq!(whole.len(), MAX_BODY);
        let over = read(Body::from(vec![b' '; MAX_BODY + 1]))
            .await
            .unwrap_err();
        assert_eq!(over.status(), StatusCode::PAYLOAD_TOO_LARGE);
    }
}
