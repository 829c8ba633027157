//! TLS, and HTTP/2 over it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use dispatcher::http::HttpConfig;
use dispatcher::transport::Transport;
use futures_util::future::join_all;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use schemas::attempt::{ErrorClass, MAX_BODY};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::receiver::{
    Receiver, class, config, hasty, plain, read_request, request, send, transport,
};

fn certificate(pem: &[u8]) -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(pem).unwrap()
}

fn acceptor(protocols: &[&str]) -> TlsAcceptor {
    let own = certificate(include_bytes!("certificates/receiver.pem"));
    let key = PrivateKeyDer::from_pem_slice(include_bytes!("certificates/receiver.key.pem"));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider);
    let mut config = config
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![own], key.unwrap())
        .unwrap();
    config.alpn_protocols = protocols
        .iter()
        .map(|name| name.as_bytes().to_vec())
        .collect();
    TlsAcceptor::from(Arc::new(config))
}

fn trusting() -> HttpConfig {
    HttpConfig {
        authorities: vec![certificate(include_bytes!("certificates/authority.pem"))],
        ..config()
    }
}

fn https(receiver: &Receiver, host: &str) -> String {
    format!("https://{host}:{}/path", receiver.address.port())
}

async fn secure<F>(
    protocols: &[&str],
    behave: impl Fn(TlsStream<TcpStream>) -> F + Clone + Send + Sync + 'static,
) -> Receiver
where
    F: Future<Output = ()> + Send + 'static,
{
    let acceptor = acceptor(protocols);
    Receiver::start(move |stream, _| {
        let (acceptor, behave) = (acceptor.clone(), behave.clone());
        async move {
            if let Ok(stream) = acceptor.accept(stream).await {
                behave(stream).await;
            }
        }
    })
    .await
}

#[tokio::test]
async fn http1_over_tls_is_used_again() {
    for protocols in [&[][..], &["http/1.1"]] {
        let receiver = secure(protocols, |mut stream| async move {
            while read_request(&mut stream).await.is_some() {
                stream.write_all(plain(200).as_bytes()).await.unwrap();
            }
        })
        .await;
        let transport = transport(trusting());
        for host in ["localhost", "127.0.0.1"] {
            for _ in 0..3 {
                let answer = transport.send(request(&https(&receiver, host))).await;
                assert_eq!((answer.status, answer.error), (Some(200), None));
            }
        }
        assert_eq!(receiver.accepted(), 2, "one for each host");
    }
}

#[tokio::test]
async fn who_is_not_vouched_for_gets_nothing() {
    let receiver = secure(&[], |mut stream| async move {
        assert!(read_request(&mut stream).await.is_none());
    })
    .await;
    let unknown = send(request(&https(&receiver, "localhost"))).await;
    assert_eq!(class(&unknown), Some(ErrorClass::Tls), "{unknown:?}");
    assert_eq!(unknown.address, Some(receiver.address));
    let other_name = transport(trusting());
    let answer = other_name
        .send(request(&https(&receiver, "a.localhost")))
        .await;
    assert_eq!(class(&answer), Some(ErrorClass::Tls), "{answer:?}");
}

#[tokio::test]
async fn tls_that_is_none_or_breaks() {
    for begin in [
        "HTTP/1.1 400 Bad\r\n\r\n",
        "\x16\x03\x03\x7f\x7fgarbage",
        "",
    ] {
        let receiver = Receiver::start(move |mut stream, _| async move {
            stream.write_all(begin.as_bytes()).await.unwrap();
            stream.shutdown().await.unwrap();
            crate::receiver::closed(&mut stream).await;
        })
        .await;
        let answer = transport(trusting())
            .send(request(&https(&receiver, "localhost")))
            .await;
        assert_eq!(class(&answer), Some(ErrorClass::Tls), "{begin} {answer:?}");
    }
    let stuck = Receiver::start(|mut stream, _| async move {
        crate::receiver::closed(&mut stream).await;
    })
    .await;
    let mut request = request(&https(&stuck, "localhost"));
    request.connect_timeout = std::time::Duration::from_secs(1);
    let answer = transport(trusting()).send(request).await;
    assert_eq!(class(&answer), Some(ErrorClass::Timeout));
    assert_eq!(answer.address, Some(stuck.address));
}

type Body = http_body_util::combinators::BoxBody<Bytes, std::io::Error>;

fn body(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into())
        .map_err(|never| match never {})
        .boxed()
}

/// A body without an end.
fn endless() -> Body {
    let frame = || Ok(Frame::data(Bytes::from_static(&[b'x'; 1_000])));
    StreamBody::new(futures_util::stream::repeat_with(frame)).boxed()
}

async fn serve_http2(stream: TlsStream<TcpStream>, streams: Arc<AtomicUsize>) {
    let answer = service_fn(move |request: http::Request<Incoming>| {
        let streams = Arc::clone(&streams);
        async move {
            streams.fetch_add(1, Ordering::SeqCst);
            assert_eq!(request.version(), http::Version::HTTP_2);
            assert!(request.headers().get("host").is_none());
            assert_eq!(request.headers()["webhook-id"], "evt_1");
            let path = request.uri().path().to_owned();
            let said = match path.as_str() {
                "/hang" => std::future::pending().await,
                "/endless" => endless(),
                _ => body(request.into_body().collect().await?.to_bytes()),
            };
            Ok::<_, hyper::Error>(http::Response::new(said))
        }
    });
    let connection = hyper::server::conn::http2::Builder::new(Tasks::default())
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(stream), answer);
    // It ends however its client ends it.
    drop(connection.await);
}

#[derive(Clone, Default)]
struct Tasks(Arc<parking_lot::Mutex<JoinSet<()>>>);

impl<F: Future<Output: Send> + Send + 'static> hyper::rt::Executor<F> for Tasks {
    fn execute(&self, future: F) {
        self.0.lock().spawn(async move { drop(future.await) });
    }
}

#[tokio::test]
async fn many_requests_share_a_connection_of_http2() {
    let streams = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&streams);
    let serve = move |stream| serve_http2(stream, Arc::clone(&counted));
    let receiver = secure(&["h2", "http/1.1"], serve).await;
    let transport = transport(trusting());
    let url = https(&receiver, "localhost");
    // The first finds out what the receiver speaks.
    assert_eq!(transport.send(request(&url)).await.status, Some(200));
    let answers = join_all((0..50).map(|_| transport.send(request(&url)))).await;
    for answer in answers {
        assert_eq!((answer.status, answer.error), (Some(200), None));
        assert_eq!(answer.body, &br#"{"total": 99.90}"#[..]);
        assert_eq!(answer.address, Some(receiver.address));
    }
    assert_eq!(streams.load(Ordering::SeqCst), 51);
    assert_eq!(receiver.accepted(), 1);
}

#[tokio::test]
async fn http2_that_hangs_or_never_ends() {
    let streams = Arc::new(AtomicUsize::new(0));
    let serve = move |stream| serve_http2(stream, Arc::clone(&streams));
    let receiver = secure(&["h2"], serve).await;
    let transport = transport(trusting());
    let base = https(&receiver, "localhost");
    let answer = transport
        .send(request(&base.replace("/path", "/endless")))
        .await;
    assert_eq!((answer.status, answer.error), (Some(200), None));
    assert_eq!(answer.body, vec![b'x'; MAX_BODY]);
    let answer = transport.send(hasty(&base.replace("/path", "/hang"))).await;
    assert_eq!(class(&answer), Some(ErrorClass::Timeout));
    let answer = transport.send(request(&base)).await;
    assert_eq!((answer.status, answer.error), (Some(200), None));
}
