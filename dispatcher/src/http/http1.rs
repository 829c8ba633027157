//! One connection of HTTP/1.1. Nobody else polls it: the task that sends over it drives it, so that
//! neither a request nor its answer has to wake another task, and a request that is given up closes
//! the connection with it.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;

use super::failure::Failure;
use super::seen::Seen;
use super::stream::Stream;
use super::{Message, Sent};

/// The most of a response that is read ahead, in bytes, its whole head included.
const READ_AHEAD: usize = 64 * 1_024;

/// The most headers that a response may have.
const MAX_HEADERS: usize = 100;

pub(super) struct Http1 {
    sender: http1::SendRequest<Full<Bytes>>,
    /// `None` once it has ended.
    wire: Option<http1::Connection<TokioIo<Stream>, Full<Bytes>>>,
    address: SocketAddr,
    /// Whether the last answer was read to its end.
    is_whole: bool,
}

impl Http1 {
    pub(super) async fn begin(stream: Stream, address: SocketAddr) -> Result<Self, Failure> {
        let begun = http1::Builder::new()
            .max_buf_size(READ_AHEAD)
            .max_headers(MAX_HEADERS)
            .handshake(TokioIo::new(stream))
            .await;
        let (sender, wire) = begun.map_err(|error| Failure::exchange(&error))?;
        Ok(Self {
            sender,
            wire: Some(wire),
            address,
            is_whole: true,
        })
    }

    pub(super) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Whether a request can be written. Looks at the socket: a peer that has closed it is seen.
    pub(super) fn is_open(&mut self) -> bool {
        self.advance(&mut Context::from_waker(Waker::noop()));
        self.wire.is_some() && self.sender.is_ready()
    }

    /// Sends `message` and reads the answer into `seen`.
    pub(super) async fn exchange(&mut self, message: Message, seen: &mut Seen) -> Sent {
        let answered = self.sender.try_send_request(message);
        let mut is_whole = false;
        let exchange = async {
            let response = match answered.await {
                Ok(response) => response,
                Err(mut error) => {
                    return match error.take_message() {
                        Some(unsent) => Sent::Unsent(Box::new(unsent)),
                        None => Sent::Failed(Failure::exchange(error.error())),
                    };
                }
            };
            match seen.read(response).await {
                Ok(whole) => {
                    is_whole = whole;
                    Sent::Answered
                }
                Err(failure) => Sent::Failed(failure),
            }
        };
        let sent = Self::drive(&mut self.wire, exchange).await;
        self.is_whole = is_whole;
        sent
    }

    /// Whether it can take the next request, now that the last was answered.
    pub(super) async fn can_go_on(&mut self) -> bool {
        if !self.is_whole {
            return false;
        }
        poll_fn(|cx| {
            self.advance(cx);
            Poll::Ready(self.wire.is_some() && self.sender.is_ready())
        })
        .await
    }

    /// Polls `exchange`, and the connection that it goes over, until the former is done.
    async fn drive<T>(
        wire: &mut Option<http1::Connection<TokioIo<Stream>, Full<Bytes>>>,
        exchange: impl Future<Output = T>,
    ) -> T {
        let mut exchange = pin!(exchange);
        poll_fn(|cx| {
            if let Poll::Ready(done) = exchange.as_mut().poll(cx) {
                return Poll::Ready(done);
            }
            Self::advance_wire(wire, cx);
            // An error of the connection is told to the exchange, too.
            exchange.as_mut().poll(cx)
        })
        .await
    }

    fn advance(&mut self, cx: &mut Context<'_>) {
        Self::advance_wire(&mut self.wire, cx);
    }

    fn advance_wire(
        wire: &mut Option<http1::Connection<TokioIo<Stream>, Full<Bytes>>>,
        cx: &mut Context<'_>,
    ) {
        if let Some(open) = wire
            && Pin::new(open).poll(cx).is_ready()
        {
            *wire = None;
        }
    }
}
