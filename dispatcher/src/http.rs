//! The way to receivers over sockets: HTTP/1.1 and HTTP/2, on hyper.
//!
//! ```text
//!  Request ──► route of the endpoint ──► a pooled connection ──► exchange ──► Answer
//!                   │                        ▲      │ none
//!                   └ its URL, checked       │      ▼
//!                                     resolve ► check every address ► connect ► look at the peer ► TLS
//! ```
//!
//! No redirect is followed, nothing is decompressed, and no proxy is taken from the environment.
//! An HTTP/1.1 connection is driven by the task that uses it and lies still in between.

mod dial;
mod failure;
mod http1;
mod http2;
mod pool;
mod resolve;
mod route;
mod seen;
mod stream;
mod tls;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use domain::target::Rules;
use http::header::HOST;
use http::{Method, Version};
use http_body_util::Full;
use parking_lot::Mutex;
use rustls::pki_types::CertificateDer;
use schemas::attempt::ErrorClass;
use schemas::ids::EndpointId;
use tokio::time::Instant;

pub use resolve::{Resolve, SystemResolver};
pub use tls::TlsError;

use self::dial::{Dialed, Dialer};
use self::failure::Failure;
use self::http1::Http1;
use self::http2::Http2;
use self::pool::{Limits, Pools};
use self::route::Route;
use self::seen::Seen;
use crate::generations::Generations;
use crate::transport::{Answer, Request, Transport};

/// How many endpoints' routes are kept: some 500 bytes each.
const ROUTES: usize = 16_384;

/// What goes on the wire.
type Message = http::Request<Full<Bytes>>;

/// How receivers are reached.
#[derive(Clone, Debug)]
pub struct HttpConfig {
    /// What may be dialled.
    pub rules: Rules,
    /// Certificate authorities that are trusted beside the machine's own.
    pub authorities: Vec<CertificateDer<'static>>,
    /// Connections kept open for one origin while nothing is sent.
    pub idle_per_origin: usize,
    /// Connections kept open for all origins while nothing is sent.
    pub idle_in_all: usize,
    /// How long one is kept. Shorter than what receivers allow: one that they close in the moment
    /// that it is used is a failed attempt. 5 s is the shortest default of the common servers; one that
    /// says that it allows less is believed.
    pub idle_timeout: Duration,
}

impl Default for HttpConfig {
    fn default() -> Self {
        Self {
            rules: Rules::default(),
            authorities: Vec::new(),
            idle_per_origin: 128,
            idle_in_all: 1_024,
            idle_timeout: Duration::from_secs(4),
        }
    }
}

/// Sends over sockets.
pub struct HttpTransport {
    rules: Rules,
    dialer: Dialer,
    pools: Arc<Pools>,
    routes: Mutex<Generations<EndpointId, Arc<Route>>>,
}

impl std::fmt::Debug for HttpTransport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HttpTransport")
            .field("rules", &self.rules)
            .finish_non_exhaustive()
    }
}

/// Where a message goes over.
enum Connection {
    /// One that nobody else uses meanwhile. It stays where it is: moving it costs more than finding it.
    Own(Box<Http1>),
    /// One that others use, too.
    Shared(Http2),
}

/// What came of handing a message to a connection.
enum Sent {
    /// An answer came: the front of it at least.
    Answered,
    /// The connection was closed before anything was written: the message as it was.
    Unsent(Box<Message>),
    /// Something was written, and no answer came, or not all of it.
    Failed(Failure),
}

impl HttpTransport {
    /// The transport as `config` says, which finds names by `resolver`.
    ///
    /// # Errors
    /// When TLS can't be set up.
    pub fn new(config: HttpConfig, resolver: Arc<dyn Resolve>) -> Result<Self, TlsError> {
        let limits = Limits {
            per_origin: config.idle_per_origin,
            in_all: config.idle_in_all,
            timeout: config.idle_timeout,
        };
        let tls = tls::connector(config.authorities)?;
        Ok(Self {
            dialer: Dialer::new(config.rules.clone(), resolver, tls),
            rules: config.rules,
            pools: Pools::new(limits),
            routes: Mutex::new(Generations::new(ROUTES)),
        })
    }

    /// The route to the endpoint's URL.
    fn route(&self, request: &Request) -> Result<Arc<Route>, Failure> {
        let mut routes = self.routes.lock();
        if let Some(route) = routes.get(&request.endpoint)
            && route.url == request.url
        {
            return Ok(Arc::clone(route));
        }
        let route = Route::new(&request.url, &self.rules, &self.pools)?;
        let route = Arc::new(route);
        routes.insert(request.endpoint, Arc::clone(&route));
        Ok(route)
    }

    /// All of it but the limit of time. What has been seen when that is reached is in `seen`.
    async fn attempt(&self, request: Request, seen: &mut Seen) -> Result<(), Failure> {
        let route = self.route(&request)?;
        let limit = request.connect_timeout;
        let mut message = message(request, &route);
        loop {
            let pooled = self.pools.take(&route.pool);
            let is_pooled = pooled.is_some();
            let connection = match pooled {
                Some(pooled) => pooled,
                None => tokio::time::timeout(limit, self.connect(&route, seen))
                    .await
                    .map_err(|_elapsed| Failure::connect_timeout(limit))??,
            };
            match self.over(connection, &route, message, seen).await {
                Sent::Answered => return Ok(()),
                Sent::Failed(failure) => return Err(failure),
                // It was closed while it lay idle: another one may do, a new one at last.
                Sent::Unsent(unsent) if is_pooled => message = *unsent,
                Sent::Unsent(_) => {
                    let problem = "the connection was closed before the request was written";
                    return Err(Failure::new(ErrorClass::Reset, problem));
                }
            }
        }
    }

    /// A new connection; or one that somebody else has made meanwhile and that can be shared.
    async fn connect(&self, route: &Route, seen: &mut Seen) -> Result<Connection, Failure> {
        seen.address = None;
        let _one_at_a_time = route.pool.connecting().await;
        if let Some(shared) = route.pool.shared() {
            return Ok(Connection::Shared(shared));
        }
        let target = &route.target;
        let dialed = match self.dialer.dial(target, &mut seen.address).await {
            Err(failure) if failure.lacks_descriptors() && self.pools.close_idle() => {
                self.dialer.dial(target, &mut seen.address).await?
            }
            dialed => dialed?,
        };
        let Dialed {
            stream,
            address,
            is_http2,
        } = dialed;
        if is_http2 {
            let shared = Http2::begin(stream, address, self.pools.spawner()).await?;
            self.pools.share(&route.pool, shared.clone());
            Ok(Connection::Shared(shared))
        } else {
            let own = Http1::begin(stream, address).await?;
            Ok(Connection::Own(Box::new(own)))
        }
    }

    async fn over(
        &self,
        connection: Connection,
        route: &Route,
        message: Message,
        seen: &mut Seen,
    ) -> Sent {
        match connection {
            Connection::Own(own) => self.over_http1(own, route, message, seen).await,
            Connection::Shared(shared) => over_http2(shared, route, message, seen).await,
        }
    }

    async fn over_http1(
        &self,
        mut connection: Box<Http1>,
        route: &Route,
        message: Message,
        seen: &mut Seen,
    ) -> Sent {
        seen.address = Some(connection.address());
        let sent = connection.exchange(message, seen).await;
        if let Sent::Answered = sent
            && connection.can_go_on().await
        {
            self.pools.keep(&route.pool, connection, seen.keep_alive());
        }
        sent
    }
}

async fn over_http2(
    connection: Http2,
    route: &Route,
    mut message: Message,
    seen: &mut Seen,
) -> Sent {
    seen.address = Some(connection.address());
    *message.uri_mut() = route.absolute.clone();
    *message.version_mut() = Version::HTTP_2;
    message.headers_mut().remove(HOST);
    let guard = route.pool.guard(&connection);
    match connection.exchange(message, seen).await {
        Sent::Answered => {
            guard.disarm();
            Sent::Answered
        }
        Sent::Unsent(mut unsent) => {
            as_http1(&mut unsent, route);
            Sent::Unsent(unsent)
        }
        Sent::Failed(failure) => Sent::Failed(failure),
    }
}

/// The request as HTTP/1.1 has it.
fn message(request: Request, route: &Route) -> Message {
    let mut message = Message::new(Full::new(request.body));
    *message.method_mut() = Method::POST;
    *message.headers_mut() = request.headers;
    as_http1(&mut message, route);
    message
}

fn as_http1(message: &mut Message, route: &Route) {
    *message.uri_mut() = route.origin_form.clone();
    *message.version_mut() = Version::HTTP_11;
    message.headers_mut().insert(HOST, route.host.clone());
}

#[async_trait]
impl Transport for HttpTransport {
    async fn send(&self, request: Request) -> Answer {
        let started = Instant::now();
        let timeout = request.timeout;
        let mut seen = Seen::default();
        let attempt = tokio::time::timeout(timeout, self.attempt(request, &mut seen)).await;
        let failed = match attempt {
            Ok(Ok(())) => None,
            Ok(Err(failure)) => Some(failure),
            Err(_elapsed) => Some(Failure::timeout(timeout)),
        };
        seen.into_answer(failed, started.elapsed())
    }
}
