//! Bodies: read up to a limit, JSON to a depth.

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http::StatusCode;
use http_body_util::BodyExt;
use serde::de::Deserialize;

use crate::{FieldError, Problem};

/// The largest body that a door reads, in bytes.
pub const MAX_BODY: usize = 1 << 20;

/// How deep JSON may nest. Deeper than any payload that means something, and far from what a
/// recursive reader's stack takes.
pub const MAX_DEPTH: usize = 64;

/// How much of a body that is too large is read and thrown away, so that a client which writes all before
/// it reads gets the answer and not a reset connection.
const MAX_IGNORED: usize = 8 << 20;

/// Reads a body of at most [`MAX_BODY`] bytes. One that comes in one piece is not copied.
///
/// # Errors
/// 413 `payload_too_large` over the limit, 400 `body_incomplete` when it breaks off.
pub async fn read(mut body: Body) -> Result<Bytes, Problem> {
    let mut first = Bytes::new();
    let mut whole: Option<BytesMut> = None;
    let mut length = 0;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| incomplete(&error))?;
        let Ok(data) = frame.into_data() else {
            continue;
        };
        length += data.len();
        if length > MAX_BODY {
            ignore(body, MAX_IGNORED).await;
            return Err(too_large());
        }
        match &mut whole {
            Some(whole) => whole.extend_from_slice(&data),
            None if first.is_empty() => first = data,
            None => {
                let mut both = BytesMut::with_capacity(2 * (first.len() + data.len()));
                both.extend_from_slice(&first);
                both.extend_from_slice(&data);
                whole = Some(both);
            }
        }
    }
    Ok(whole.map_or(first, BytesMut::freeze))
}

/// Reads on without keeping anything, up to a limit.
async fn ignore(mut body: Body, limit: usize) {
    let mut length = 0;
    while let Some(Ok(frame)) = body.frame().await {
        length += frame.data_ref().map_or(0, Bytes::len);
        if length > limit {
            return;
        }
    }
}

fn too_large() -> Problem {
    Problem::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        "payload_too_large",
        format!("the body is larger than {MAX_BODY} bytes"),
    )
}

fn incomplete(error: &axum::Error) -> Problem {
    Problem::new(
        StatusCode::BAD_REQUEST,
        "body_incomplete",
        format!("the body could not be read to its end: {error}"),
    )
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
    // Counting is many times faster than following, and most bodies have too few to be deep.
    let opened = body.iter().filter(|byte| matches!(byte, b'{' | b'['));
    if opened.count() <= MAX_DEPTH {
        return Ok(());
    }
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

    #[tokio::test]
    async fn pieces_come_together_in_order() {
        let pieces =
            ["ab", "", "c", "def", "g"].map(|piece| Ok::<_, std::io::Error>(Bytes::from(piece)));
        let body = Body::from_stream(futures_util::stream::iter(pieces));
        assert_eq!(read(body).await.unwrap(), "abcdefg");
    }
}
