//! The receivers themselves, before anybody relies on them.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on must fail")]

use std::net::SocketAddr;
use std::time::Duration;

use end_to_end::client::Connection;
use end_to_end::receiver::{Receiver, Reply};
use http::Method;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

const REQUEST: &[u8] = b"POST /hook HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nX-A: b\r\n\r\nabc";

fn address(receiver: &Receiver) -> SocketAddr {
    let url = receiver.url();
    let rest = url.strip_prefix("http://").unwrap();
    rest.strip_suffix("/hook").unwrap().parse().unwrap()
}

/// What comes back over one connection, up to its end or two seconds' silence.
async fn answer(receiver: &Receiver) -> (String, Option<std::io::ErrorKind>) {
    let mut stream = TcpStream::connect(address(receiver)).await.unwrap();
    stream.write_all(REQUEST).await.unwrap();
    let mut all = Vec::new();
    let mut part = [0; 1_024];
    let ended = loop {
        match timeout(Duration::from_secs(2), stream.read(&mut part)).await {
            Err(_) | Ok(Ok(0)) => break None,
            Ok(Ok(read)) => all.extend_from_slice(&part[..read]),
            Ok(Err(error)) => break Some(error.kind()),
        }
        if all.len() > 100 {
            break None;
        }
    };
    (String::from_utf8(all).unwrap(), ended)
}

#[tokio::test]
async fn each_does_what_its_script_says() {
    let script = vec![
        Reply::with(429, "retry-after", "7"),
        Reply::status(204),
        Reply::Reset,
        Reply::HalfAHead,
        Reply::Hang,
        Reply::Drip,
    ];
    let receiver = Receiver::start(script).await.unwrap();
    let (said, _) = answer(&receiver).await;
    assert_eq!(
        said,
        "HTTP/1.1 429 Said\r\ncontent-length: 2\r\nretry-after: 7\r\n\r\nok"
    );
    let (said, _) = answer(&receiver).await;
    assert_eq!(said, "HTTP/1.1 204 Said\r\n\r\n");
    let (said, ended) = answer(&receiver).await;
    assert_eq!(
        (said.as_str(), ended),
        ("", Some(std::io::ErrorKind::ConnectionReset))
    );
    assert_eq!(answer(&receiver).await.0, "HTTP/1.1 200 OK\r\ncontent-le");
    assert_eq!(answer(&receiver).await.0, "");
    let (said, _) = answer(&receiver).await;
    assert!(
        said.starts_with("HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n."),
        "{said}"
    );
    let got = receiver.got();
    assert_eq!(got.len(), 6);
    assert_eq!(got[0].line, "POST /hook HTTP/1.1");
    assert_eq!(got[0].header("x-a"), "b");
    assert_eq!(got[0].body, "abc");
}

#[tokio::test]
async fn a_connection_is_kept_and_a_slow_reader_gets_all() {
    let pause = Duration::from_millis(1);
    let receiver = Receiver::start_slow(vec![Reply::status(200)], 1_024, pause)
        .await
        .unwrap();
    let mut connection = Connection::open(address(&receiver)).await.unwrap();
    for number in 1..=3 {
        let body = vec![b'0' + number; 100_000];
        let reply = connection
            .call(Method::POST, "/hook", &[], body.clone().into())
            .await
            .unwrap();
        assert_eq!((reply.status.as_u16(), &reply.body[..]), (200, &b"ok"[..]));
        let got = receiver
            .wait_for(number.into(), Duration::ZERO)
            .await
            .unwrap();
        assert_eq!(got.last().unwrap().body, body);
    }
}
