//! What carries an attempt to a receiver and brings back what it said.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::HeaderMap;
use schemas::attempt::AttemptError;
use schemas::ids::EndpointId;

/// The way to receivers: sockets in production, a table of behaviours in a simulation.
#[async_trait]
pub trait Transport: Send + Sync {
    /// Posts `request` once and says what came of it. Never fails: what goes wrong on the way is
    /// an answer too. Ends within [`Request::timeout`] and a little scheduling.
    ///
    /// Dropping the future abandons the exchange; whether the receiver got the request is then
    /// unknown.
    async fn send(&self, request: Request) -> Answer;
}

/// One attempt as it goes on the wire: a `POST` of `body` to `url`.
#[derive(Clone, Debug)]
pub struct Request {
    /// Whose request it is, so that a transport can keep what it has worked out for an endpoint.
    pub endpoint: EndpointId,
    /// Where to.
    pub url: Arc<str>,
    /// The limit of all of it, from connecting to the last byte of the answer.
    pub timeout: Duration,
    /// The limit of resolving, connecting and the TLS handshake together.
    pub connect_timeout: Duration,
    /// All headers but `host` and `content-length`, which follow from `url` and `body`.
    pub headers: HeaderMap,
    /// The payload, byte for byte.
    pub body: Bytes,
}

/// What came of one attempt.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// The response's status code; `None`: no whole head of a response came.
    pub status: Option<u16>,
    /// What went wrong on the way; `None`: the exchange was completed, whatever its status. Both a
    /// status and an error: the head came and the body did not. Such an attempt has failed.
    pub error: Option<AttemptError>,
    /// The response's headers, name and value, in order, within the transport's limits; what is not
    /// UTF-8 is replaced.
    pub headers: Vec<(String, String)>,
    /// The front of the response's body, at most [`MAX_BODY`](schemas::attempt::MAX_BODY) bytes.
    pub body: Bytes,
    /// The response's `retry-after` as it came; nobody has looked at it.
    pub retry_after: Option<String>,
    /// The address that was connected to; `None`: none was.
    pub address: Option<SocketAddr>,
    /// How long it took, by the runtime's timer.
    pub duration: Duration,
}
