//! Cases from life: what was accepted arrives byte for byte, and other people's code accepts it as it
//! arrived.
#![allow(clippy::unwrap_used, reason = "a test that can't go on panics")]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use dispatcher::http::{HttpConfig, HttpTransport, SystemResolver};
use dispatcher::transport::{Request, Transport};
use domain::target::Rules;
use end_to_end::attempts::{Attempt, now};
use end_to_end::verifiers::{ALL, Signed, verdicts};
use http::{HeaderMap, HeaderName, HeaderValue};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const OLD: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";

/// How a receiver reads.
#[derive(Clone, Copy)]
enum Pace {
    AsItComes,
    /// Little at a time, and with little room for what waits for it: some 8 MiB/s at most.
    Slow,
}

/// Sends `body`, and gives it back as it was received, with its headers.
async fn delivered(event_type: &str, body: &[u8], pace: Pace) -> Signed {
    let socket = TcpSocket::new_v4().unwrap();
    if let Pace::Slow = pace {
        socket.set_recv_buffer_size(8 * 1_024).unwrap();
    }
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(8).unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    let attempt = Attempt {
        secrets: &[SECRET, OLD],
        event_type,
        body,
        at: now(),
    };
    let request = Request {
        endpoint: Attempt::endpoint(),
        url: url.into(),
        timeout: Duration::from_secs(30),
        connect_timeout: Duration::from_secs(10),
        headers: attempt.headers().unwrap(),
        body: Bytes::copy_from_slice(body),
    };
    let config = HttpConfig {
        rules: Rules::development(),
        ..HttpConfig::default()
    };
    let resolver = Arc::new(SystemResolver::default());
    let transport = HttpTransport::new(config, resolver).unwrap();
    let (answer, received) = tokio::join!(transport.send(request), receive(listener, pace));
    assert_eq!((answer.status, answer.error), (Some(204), None));
    received
}

async fn receive(listener: TcpListener, pace: Pace) -> Signed {
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    let headers = parsed(&head);
    let length = headers["content-length"].to_str().unwrap();
    let body = read(&mut stream, length.parse().unwrap(), pace).await;
    let answer = b"HTTP/1.1 204 Got it\r\n\r\n";
    stream.write_all(answer).await.unwrap();
    Signed {
        headers,
        body,
        secret: SECRET.to_owned(),
    }
}

async fn read(stream: &mut TcpStream, length: usize, pace: Pace) -> Vec<u8> {
    let mut body = Vec::new();
    let mut turn = tokio::time::interval(Duration::from_millis(1));
    while body.len() < length {
        if let Pace::Slow = pace {
            turn.tick().await;
        }
        let mut piece = [0; 8 * 1_024];
        let read = stream.read(&mut piece).await.unwrap();
        assert_ne!(read, 0, "closed before its end");
        body.extend_from_slice(&piece[..read]);
    }
    body
}

fn parsed(head: &[u8]) -> HeaderMap {
    let text = std::str::from_utf8(head).unwrap().trim_end();
    let mut lines = text.split("\r\n");
    assert_eq!(lines.next(), Some("POST /hook HTTP/1.1"));
    let header = |line: &str| {
        let (name, value) = line.split_once(": ").unwrap();
        let name: HeaderName = name.parse().unwrap();
        let value: HeaderValue = value.parse().unwrap();
        (name, value)
    };
    lines.map(header).collect()
}

/// Numbers that no float holds, a key twice, a character in two spellings, white space that says
/// nothing.
const ORDER: &str = concat!(
    r#"{ "total":99.90, "id": 9007199254740993,"#,
    "\t\"id\":1.0e2,\n ",
    r#""a": "\u00e9", "b": "é" }"#,
    "\n"
);

fn github() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/github")
}

fn payloads() -> Vec<(String, Vec<u8>)> {
    let mut payloads = vec![("orders/create".to_owned(), ORDER.as_bytes().to_vec())];
    for entry in std::fs::read_dir(github()).unwrap() {
        let path = entry.unwrap().path();
        if path
            .extension()
            .is_some_and(|extension| extension == "json")
        {
            let name = path.file_stem().unwrap().to_str().unwrap();
            payloads.push((format!("github.{name}"), std::fs::read(&path).unwrap()));
        }
    }
    assert!(payloads.len() > 5, "GitHub's are there");
    payloads
}

#[tokio::test]
async fn every_library_accepts_real_payloads_as_they_arrive() {
    let mut arrived = Vec::new();
    for (event_type, body) in payloads() {
        let received = delivered(&event_type, &body, Pace::AsItComes).await;
        assert_eq!(received.body, body, "{event_type}");
        let told = &received.headers["x-webhook-event-type"];
        assert_eq!(told, event_type.as_str());
        arrived.push(received);
    }
    all_accept(&arrived);
}

/// As many of GitHub's `push` as make 900 KiB.
#[tokio::test]
async fn every_library_accepts_a_large_push_that_is_read_slowly() {
    let push = std::fs::read_to_string(github().join("push.json")).unwrap();
    let mut body = String::from("[");
    while body.len() + push.len() < 900 * 1_024 {
        body.push_str(&push);
        body.push(',');
    }
    body.push_str(&push);
    body.push(']');
    let received = delivered("github.push", body.as_bytes(), Pace::Slow).await;
    assert!(received.body == body.as_bytes(), "it arrived as it was");
    all_accept(&[received]);
}

fn all_accept(arrived: &[Signed]) {
    for (received, verdicts) in arrived.iter().zip(verdicts(arrived).unwrap()) {
        assert_eq!(verdicts.len(), ALL);
        let refused: Vec<_> = verdicts.iter().filter(|(_, why)| why.is_some()).collect();
        assert!(refused.is_empty(), "{refused:?} {:?}", received.headers);
    }
}
