//! What has been seen of an answer so far.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use http::header::{HeaderName, RETRY_AFTER};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use schemas::attempt::MAX_BODY;

use super::failure::Failure;
use crate::transport::Answer;

/// The most bytes of headers that are kept, names and values: they are stored with every attempt.
const MAX_HEADERS: usize = 16 * 1_024;

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");

/// What an exchange has brought. It outlives the exchange that is cut off.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) address: Option<SocketAddr>,
    status: Option<u16>,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Seen {
    /// Takes in the response, up to the most that is kept of its body, and says whether that was
    /// all of it.
    pub(super) async fn read(
        &mut self,
        response: http::Response<Incoming>,
    ) -> Result<bool, Failure> {
        let (parts, mut body) = response.into_parts();
        self.status = Some(parts.status.as_u16());
        self.headers = parts.headers;
        while !body.is_end_stream() {
            let room = MAX_BODY - self.body.len();
            if room == 0 {
                return Ok(false);
            }
            let Some(frame) = body.frame().await else {
                return Ok(true);
            };
            let frame = frame.map_err(|error| Failure::exchange(&error))?;
            if let Some(data) = frame.data_ref() {
                self.body.extend_from_slice(&data[..data.len().min(room)]);
                if data.len() > room {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    /// How long the receiver keeps an idle connection, where it says so: `keep-alive: timeout=5`.
    pub(super) fn keep_alive(&self) -> Option<Duration> {
        let said = self.headers.get(KEEP_ALIVE)?.to_str().ok()?;
        let timeout = |part: &str| {
            let (name, seconds) = part.split_once('=')?;
            let is_timeout = name.trim().eq_ignore_ascii_case("timeout");
            is_timeout.then(|| seconds.trim().parse().ok()).flatten()
        };
        said.split(',').find_map(timeout).map(Duration::from_secs)
    }

    pub(super) fn into_answer(self, failed: Option<Failure>, duration: Duration) -> Answer {
        let text =
            |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let retry_after = self.headers.get(RETRY_AFTER).map(text);
        let mut left = MAX_HEADERS;
        let fits = |(name, value): &(&HeaderName, &http::HeaderValue)| {
            let rest = left.checked_sub(name.as_str().len() + value.len());
            left = rest.unwrap_or(0);
            rest.is_some()
        };
        let headers = self.headers.iter().take_while(fits);
        Answer {
            status: self.status,
            error: failed.map(Failure::into_error),
            headers: headers
                .map(|(name, value)| (name.as_str().to_owned(), text(value)))
                .collect(),
            body: Bytes::from(self.body),
            retry_after,
            address: self.address,
            duration,
        }
    }
}
