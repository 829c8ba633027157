//! Receivers, and requests to them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use dispatcher::http::{HttpConfig, HttpTransport, SystemResolver};
use dispatcher::transport::{Answer, Request, Transport};
use domain::target::Rules;
use domain::time::Timestamp;
use http::{HeaderMap, HeaderValue};
use schemas::attempt::ErrorClass;
use schemas::ids::EndpointId;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// A receiver: it does as it is told with each connection, until it is dropped.
pub(crate) struct Receiver {
    pub(crate) address: SocketAddr,
    accepted: Arc<AtomicUsize>,
    _accepting: JoinSet<()>,
}

impl Receiver {
    /// Has `behave` meet each connection, numbered from 0.
    pub(crate) async fn start<F>(behave: impl Fn(TcpStream, usize) -> F + Send + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let accepted = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&accepted);
        let mut accepting = JoinSet::new();
        accepting.spawn(async move {
            let mut met = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                met.spawn(behave(stream, counted.fetch_add(1, Ordering::SeqCst)));
            }
        });
        Self {
            address,
            accepted,
            _accepting: accepting,
        }
    }

    /// Answers every request with `answer`, and keeps connections open.
    pub(crate) async fn answering(answer: impl Into<Bytes>) -> Self {
        let answer = answer.into();
        Self::start(move |mut stream, _| {
            let answer = answer.clone();
            async move {
                while read_request(&mut stream).await.is_some() {
                    if stream.write_all(&answer).await.is_err() {
                        return;
                    }
                }
            }
        })
        .await
    }

    /// Answers one request on each connection with `answer`, and closes it.
    pub(crate) async fn answering_once(answer: impl Into<Bytes>) -> Self {
        let answer = answer.into();
        Self::start(move |mut stream, _| {
            let answer = answer.clone();
            async move {
                read_request(&mut stream).await;
                // One that has heard enough hangs up.
                drop(stream.write_all(&answer).await);
            }
        })
        .await
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// How many connections it has accepted.
    pub(crate) fn accepted(&self) -> usize {
        self.accepted.load(Ordering::SeqCst)
    }
}

/// A request as it came: its head, and its body.
pub(crate) struct Received {
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

/// Reads a request with a `content-length`; `None` once the other side has closed.
pub(crate) async fn read_request(stream: &mut (impl AsyncRead + Unpin)) -> Option<Received> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).unwrap();
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        (name == "content-length").then(|| value.parse().unwrap())
    });
    let mut body = vec![0; length.unwrap()];
    stream.read_exact(&mut body).await.ok()?;
    Some(Received { head, body })
}

/// Reads until the other side closes, and writes nothing.
pub(crate) async fn closed(stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) {
    let mut buffer = [0; 1_024];
    while matches!(stream.read(&mut buffer).await, Ok(1..)) {}
}

/// What may be dialled in these tests, unless they are about that.
pub(crate) fn config() -> HttpConfig {
    HttpConfig {
        rules: Rules::development(),
        ..HttpConfig::default()
    }
}

pub(crate) fn transport(config: HttpConfig) -> HttpTransport {
    HttpTransport::new(config, Arc::new(SystemResolver::default())).unwrap()
}

/// A request that has all the time that a test has.
pub(crate) fn request(url: &str) -> Request {
    let mut headers = HeaderMap::new();
    headers.insert("webhook-id", HeaderValue::from_static("evt_1"));
    Request {
        endpoint: EndpointId::new(Timestamp::from_millis(7), 7),
        url: url.into(),
        timeout: Duration::from_secs(20),
        connect_timeout: Duration::from_secs(10),
        headers,
        body: Bytes::from_static(br#"{"total": 99.90}"#),
    }
}

/// One that has little: still enough for an answer on a busy machine.
pub(crate) fn hasty(url: &str) -> Request {
    Request {
        timeout: Duration::from_secs(2),
        ..request(url)
    }
}

/// Sends one request over a new transport.
pub(crate) async fn send(request: Request) -> Answer {
    transport(config()).send(request).await
}

pub(crate) fn class(answer: &Answer) -> Option<ErrorClass> {
    answer.error.as_ref().map(|error| error.class)
}

/// A whole answer with `status`.
pub(crate) fn plain(status: u16) -> String {
    format!("HTTP/1.1 {status} Said\r\ncontent-length: 2\r\nx-a: 1\r\n\r\nok")
}
