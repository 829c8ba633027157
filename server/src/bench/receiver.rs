//! A receiver that answers 200 to everything, and knows when each event came.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Result, ensure};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use super::report::Latencies;

/// A running receiver.
pub(super) struct Receiver {
    /// Host and port.
    pub(super) address: String,
    seen: Arc<Seen>,
    _serving: JoinSet<()>,
}

/// What came.
pub(super) struct Seen {
    count: AtomicU64,
    wanted: AtomicU64,
    reached: Notify,
    run: Mutex<Run>,
}

/// The events of one measurement: event *n* was sent at `sent[n]`.
#[derive(Default)]
struct Run {
    sent: Vec<Option<Instant>>,
    latencies: Latencies,
}

impl Receiver {
    /// Listens on a free port of the loopback.
    pub(super) async fn start(stop: CancellationToken) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?.to_string();
        let seen = Arc::new(Seen {
            count: AtomicU64::new(0),
            wanted: AtomicU64::new(u64::MAX),
            reached: Notify::new(),
            run: Mutex::default(),
        });
        let mut serving = JoinSet::new();
        serving.spawn(serve(listener, Arc::clone(&seen), stop));
        Ok(Self {
            address,
            seen,
            _serving: serving,
        })
    }

    /// Begins a measurement of events numbered below `events`.
    pub(super) fn begin(&self, events: u64) {
        self.seen.count.store(0, Ordering::SeqCst);
        self.seen.wanted.store(events, Ordering::SeqCst);
        *self.seen.run.lock() = Run {
            sent: vec![None; usize::try_from(events).unwrap_or(0)],
            latencies: Latencies::default(),
        };
    }

    /// Event `number` is being sent now.
    pub(super) fn sent(&self, number: u64) {
        let place = usize::try_from(number).unwrap_or(usize::MAX);
        if let Some(sent) = self.seen.run.lock().sent.get_mut(place) {
            *sent = Some(Instant::now());
        }
    }

    /// Waits until as many requests have come as there are events.
    pub(super) async fn all(&self, within: Duration) -> Result<()> {
        let all = async {
            while self.count() < self.seen.wanted.load(Ordering::SeqCst) {
                self.seen.reached.notified().await;
            }
        };
        let came = timeout(within, all).await;
        ensure!(
            came.is_ok(),
            "{} of {} events came within {within:?}",
            self.count(),
            self.seen.wanted.load(Ordering::SeqCst)
        );
        Ok(())
    }

    /// How many requests have come.
    pub(super) fn count(&self) -> u64 {
        self.seen.count.load(Ordering::SeqCst)
    }

    /// How long each event took from being sent to being received.
    pub(super) fn latencies(&self) -> Latencies {
        std::mem::take(&mut self.seen.run.lock().latencies)
    }
}

async fn serve(listener: TcpListener, seen: Arc<Seen>, stop: CancellationToken) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => {
                if let Ok((stream, _)) = accepted {
                    connections.spawn(connection(stream, Arc::clone(&seen)));
                }
            }
        }
    }
}

async fn connection(stream: TcpStream, seen: Arc<Seen>) {
    let _ = stream.set_nodelay(true);
    let answer = service_fn(|request: Request<Incoming>| {
        let seen = Arc::clone(&seen);
        async move {
            if let Ok(body) = request.into_body().collect().await {
                seen.came(&body.to_bytes());
            }
            Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new()))
        }
    });
    // A client that goes away is no concern of the receiver's.
    let _ = http1::Builder::new()
        .serve_connection(TokioIo::new(stream), answer)
        .await;
}

impl Seen {
    fn came(&self, body: &[u8]) {
        if let Some(number) = number(body) {
            let mut run = self.run.lock();
            // What comes twice is counted once.
            if let Some(sent) = run.sent.get_mut(number).and_then(Option::take) {
                run.latencies.record(sent.elapsed());
            }
        }
        let count = self.count.fetch_add(1, Ordering::SeqCst) + 1;
        if count >= self.wanted.load(Ordering::SeqCst) {
            self.reached.notify_waiters();
            self.reached.notify_one();
        }
    }
}

/// The event's number, which its payload begins with.
fn number(body: &[u8]) -> Option<usize> {
    let digits = body.strip_prefix(br#"{"n":"#)?;
    let end = digits.iter().position(|b| !b.is_ascii_digit())?;
    std::str::from_utf8(&digits[..end]).ok()?.parse().ok()
}
