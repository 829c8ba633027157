//! Whole answers, of every size.

use bytes::Bytes;
use dispatcher::transport::Transport;
use schemas::attempt::MAX_BODY;
use tokio::io::AsyncWriteExt;
use tokio::sync::mpsc;

use crate::receiver::{
    Receiver, class, closed, config, plain, read_request, request, send, transport,
};

#[tokio::test]
async fn a_status_is_an_answer_whatever_it_says() {
    for status in [
        200, 201, 204, 299, 304, 400, 404, 408, 410, 429, 500, 503, 599, 999,
    ] {
        let receiver = Receiver::answering_once(plain(status)).await;
        let answer = send(request(&receiver.url("/"))).await;
        assert_eq!(answer.status, Some(status));
        assert_eq!(answer.error, None);
        assert_eq!(answer.address, Some(receiver.address));
        let has_body = !matches!(status, 204 | 304);
        assert_eq!(answer.body, if has_body { "ok" } else { "" });
        assert!(answer.headers.contains(&("x-a".into(), "1".into())));
    }
}

#[tokio::test]
async fn what_goes_on_the_wire() {
    let (seen, mut received) = mpsc::channel(1);
    let receiver = Receiver::start(move |mut stream, _| {
        let seen = seen.clone();
        async move {
            seen.send(read_request(&mut stream).await.unwrap())
                .await
                .unwrap();
            stream.write_all(plain(200).as_bytes()).await.unwrap();
        }
    })
    .await;
    let url = format!(
        "http://LocalHost:{}/a/../b%20c?d=e#f",
        receiver.address.port()
    );
    let answer = send(request(&url)).await;
    assert_eq!(answer.status, Some(200), "{answer:?}");
    let received = received.recv().await.unwrap();
    assert_eq!(received.body, br#"{"total": 99.90}"#);
    let mut lines: Vec<&str> = received.head.trim_end().lines().collect();
    assert_eq!(lines.remove(0), "POST /b%20c?d=e HTTP/1.1");
    lines.sort_unstable();
    let host = format!("host: localhost:{}", receiver.address.port());
    assert_eq!(lines, ["content-length: 16", &host, "webhook-id: evt_1"]);
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let elsewhere = Receiver::answering(plain(200)).await;
    for status in [301, 302, 303, 307, 308] {
        let location = elsewhere.url("/");
        let answer =
            format!("HTTP/1.1 {status} Moved\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n");
        let receiver = Receiver::answering(answer).await;
        let answer = send(request(&receiver.url("/"))).await;
        assert_eq!((answer.status, answer.error), (Some(status), None));
        assert_eq!(receiver.accepted(), 1);
    }
    assert_eq!(elsewhere.accepted(), 0);
}

#[tokio::test]
async fn no_more_of_a_body_is_kept_than_may_be() {
    for length in [0, 1, MAX_BODY - 1, MAX_BODY, MAX_BODY + 1, 10_000_000] {
        let mut answer =
            format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n").into_bytes();
        answer.resize(answer.len() + length, b'x');
        let receiver = Receiver::answering_once(answer).await;
        let answer = send(request(&receiver.url("/"))).await;
        assert_eq!((answer.status, answer.error), (Some(200), None));
        assert_eq!(answer.body, vec![b'x'; length.min(MAX_BODY)]);
    }
}

/// It is written to for as long as it is read, and the test ends when it is told to stop.
#[tokio::test]
async fn an_endless_body_is_not_read_on() {
    for chunked in [true, false] {
        let (told, mut is_over) = mpsc::channel(1);
        let receiver = Receiver::start(move |mut stream, _| {
            let told = told.clone();
            async move {
                read_request(&mut stream).await;
                let head: &[u8] = if chunked {
                    b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
                } else {
                    b"HTTP/1.1 200 OK\r\n\r\n"
                };
                stream.write_all(head).await.unwrap();
                while stream.write_all(b"5\r\nhello\r\n").await.is_ok() {}
                told.send(()).await.unwrap();
            }
        })
        .await;
        let answer = send(request(&receiver.url("/"))).await;
        assert_eq!((answer.status, answer.error), (Some(200), None));
        assert_eq!(answer.body.len(), MAX_BODY);
        is_over.recv().await.unwrap();
    }
}

/// What a bomb says is kept as it came: nothing is unpacked.
#[tokio::test]
async fn nothing_is_decompressed() {
    // The begin of a gzip stream of zeros.
    let bomb = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\xec\xc1\x01\x01\x00\x00".repeat(500);
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: {}\r\n\r\n",
        bomb.len()
    );
    let receiver = Receiver::answering([head.as_bytes(), &bomb].concat()).await;
    let answer = send(request(&receiver.url("/"))).await;
    assert_eq!((answer.status, answer.error), (Some(200), None));
    assert_eq!(answer.body, bomb);
}

#[tokio::test]
async fn other_shapes_of_an_answer() {
    for (answer, body) in [
        ("HTTP/1.0 200 OK\r\n\r\nuntil the end", "until the end"),
        (
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\na",
            "a",
        ),
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3;ext=1\r\nabc\r\n0\r\ntrailer: x\r\n\r\n",
            "abc",
        ),
        ("HTTP/1.1 200\r\ncontent-length: 0\r\n\r\n", ""),
    ] {
        let receiver = Receiver::answering_once(answer).await;
        let said = send(request(&receiver.url("/"))).await;
        assert_eq!((said.status, said.error), (Some(200), None), "{answer}");
        assert_eq!(said.body, body, "{answer}");
    }
}

#[tokio::test]
async fn headers_are_kept_in_order_up_to_a_limit_and_retry_after_as_it_came() {
    let long = "y".repeat(12_000);
    let answer = format!(
        "HTTP/1.1 503 Busy\r\nx-b: 1\r\nx-a: \u{e9}\r\nx-long: {long}\r\nx-more: {long}\r\nretry-after:  Soon \r\ncontent-length: 0\r\n\r\n"
    );
    let receiver = Receiver::answering_once(answer).await;
    let answer = send(request(&receiver.url("/"))).await;
    assert_eq!(answer.status, Some(503));
    assert_eq!(answer.retry_after.as_deref(), Some("Soon"));
    let names: Vec<&str> = answer.headers.iter().map(|(name, _)| &**name).collect();
    assert_eq!(names, ["x-b", "x-a", "x-long"]);
    assert_eq!(answer.headers[1].1, "\u{e9}");
}

/// A receiver that has seen enough of a large body says so and hangs up.
#[tokio::test]
async fn an_answer_that_comes_before_the_body_is_read() {
    let receiver = Receiver::start(|mut stream, _| async move {
        let answer = b"HTTP/1.1 413 Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
        stream.write_all(answer).await.unwrap();
        closed(&mut stream).await;
    })
    .await;
    let mut large = request(&receiver.url("/"));
    large.body = Bytes::from(vec![b'z'; 4 << 20]);
    let answer = transport(config()).send(large).await;
    assert_eq!(answer.status, Some(413), "{:?}", class(&answer));
}
