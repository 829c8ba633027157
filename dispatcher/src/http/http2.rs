//! One connection of HTTP/2, shared by all who send to its origin and driven by a task of its own.

use std::net::SocketAddr;
use std::sync::Weak;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioIo, TokioTimer};
use parking_lot::Mutex;
use tokio::task::JoinSet;

use super::failure::Failure;
use super::seen::Seen;
use super::stream::Stream;
use super::{Message, Sent};

/// What a receiver may send ahead of us on one stream, and on all of a connection, in bytes.
const STREAM_WINDOW: u32 = 64 * 1_024;
const CONNECTION_WINDOW: u32 = 1 << 20;

/// The most bytes of a response's head.
const MAX_HEAD: u32 = 64 * 1_024;

/// The next connection's number.
static NUMBER: AtomicU64 = AtomicU64::new(0);

/// Starts the tasks of connections, for as long as the transport lives.
#[derive(Clone, Debug)]
pub(super) struct Spawner(pub(super) Weak<Mutex<JoinSet<()>>>);

impl<F> hyper::rt::Executor<F> for Spawner
where
    F: Future<Output: Send> + Send + 'static,
{
    fn execute(&self, future: F) {
        if let Some(tasks) = self.0.upgrade() {
            let mut tasks = tasks.lock();
            while tasks.try_join_next().is_some() {}
            tasks.spawn(async move { drop(future.await) });
        }
    }
}

#[derive(Clone)]
pub(super) struct Http2 {
    sender: http2::SendRequest<Full<Bytes>>,
    address: SocketAddr,
    number: u64,
}

impl Http2 {
    pub(super) async fn begin(
        stream: Stream,
        address: SocketAddr,
        spawner: Spawner,
    ) -> Result<Self, Failure> {
        let begun = http2::Builder::new(spawner.clone())
            .timer(TokioTimer::new())
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_header_list_size(MAX_HEAD)
            .handshake(TokioIo::new(stream))
            .await;
        let (sender, wire) = begun.map_err(|error| Failure::exchange(&error))?;
        hyper::rt::Executor::execute(&spawner, wire);
        Ok(Self {
            sender,
            address,
            number: NUMBER.fetch_add(1, Ordering::Relaxed),
        })
    }

    pub(super) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Tells it from every other.
    pub(super) const fn number(&self) -> u64 {
        self.number
    }

    pub(super) fn is_open(&self) -> bool {
        !self.sender.is_closed()
    }

    /// Sends `message` and reads the answer into `seen`.
    pub(super) async fn exchange(mut self, message: Message, seen: &mut Seen) -> Sent {
        let response = match self.sender.try_send_request(message).await {
            Ok(response) => response,
            Err(mut error) => {
                return match error.take_message() {
                    Some(unsent) => Sent::Unsent(Box::new(unsent)),
                    None => Sent::Failed(Failure::exchange(error.error())),
                };
            }
        };
        match seen.read(response).await {
            Ok(_) => Sent::Answered,
            Err(failure) => Sent::Failed(failure),
        }
    }
}
