//! A process without a descriptor left closes what lies idle before it gives an attempt up. Alone in
//! its process, which the limit is set for.
#![allow(clippy::unwrap_used, reason = "a test that can't go on panics")]

use std::fs::File;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use dispatcher::http::{HttpConfig, HttpTransport, SystemResolver};
use dispatcher::transport::{Request, Transport};
use domain::target::Rules;
use domain::time::Timestamp;
use futures_util::future::join_all;
use http::HeaderMap;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use schemas::ids::EndpointId;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Barrier;
use tokio::task::JoinSet;

/// Answers once `crowd` have asked, and keeps the connections open.
async fn receive(listener: TcpListener, crowd: usize) {
    let barrier = Arc::new(Barrier::new(crowd));
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        connections.spawn(answer(stream, Arc::clone(&barrier)));
    }
}

async fn answer(mut stream: TcpStream, barrier: Arc<Barrier>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    barrier.wait().await;
    let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
    stream.write_all(answer).await.unwrap();
    // Open for as long as the other side wants it.
    drop(stream.read_u8().await);
}

fn request(url: &str) -> Request {
    Request {
        endpoint: EndpointId::new(Timestamp::from_millis(7), 7),
        url: url.into(),
        timeout: Duration::from_secs(20),
        connect_timeout: Duration::from_secs(10),
        headers: HeaderMap::new(),
        body: Bytes::new(),
    }
}

/// Opens files until there is no descriptor left.
fn exhaust() -> Vec<File> {
    let limit = getrlimit(Resource::Nofile);
    let open = std::fs::read_dir("/proc/self/fd").unwrap().count() as u64;
    let current = Some(open + 20);
    setrlimit(Resource::Nofile, Rlimit { current, ..limit }).unwrap();
    std::iter::from_fn(|| File::open("/dev/null").ok()).collect()
}

#[tokio::test]
async fn idle_connections_give_way() {
    let (crowded, single) = (
        TcpListener::bind("127.0.0.1:0").await.unwrap(),
        TcpListener::bind("127.0.0.1:0").await.unwrap(),
    );
    let url = |listener: &TcpListener| format!("http://{}/", listener.local_addr().unwrap());
    let (many, one) = (url(&crowded), url(&single));
    let mut receivers = JoinSet::new();
    receivers.spawn(receive(crowded, 10));
    receivers.spawn(receive(single, 1));
    let config = HttpConfig {
        rules: Rules::development(),
        idle_timeout: Duration::from_secs(1_000),
        ..HttpConfig::default()
    };
    let resolver = Arc::new(SystemResolver::default());
    let transport = HttpTransport::new(config, resolver).unwrap();
    let answers = join_all((0..10).map(|_| transport.send(request(&many)))).await;
    assert!(answers.iter().all(|answer| answer.status == Some(200)));
    let held = exhaust();
    assert!(!held.is_empty());
    let answer = transport.send(request(&one)).await;
    assert_eq!((answer.status, answer.error), (Some(200), None));
    drop(held);
}
