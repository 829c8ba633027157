//! Receivers that break what they began.

use std::net::SocketAddr;

use dispatcher::transport::Transport;
use schemas::attempt::ErrorClass;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::receiver::{
    Receiver, class, closed, config, hasty, plain, read_request, request, send, transport,
};

/// Says `begin` and then nothing.
async fn stuck(begin: &'static str) -> Receiver {
    Receiver::start(move |mut stream, _| async move {
        read_request(&mut stream).await;
        stream.write_all(begin.as_bytes()).await.unwrap();
        closed(&mut stream).await;
    })
    .await
}

#[tokio::test]
async fn one_that_hangs_anywhere_is_given_up_in_time() {
    let mut cases = JoinSet::new();
    for (begin, status, body) in [
        ("", None, ""),
        ("HTT", None, ""),
        ("HTTP/1.1 200 OK\r\nx-a", None, ""),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n",
            Some(200),
            "",
        ),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nab",
            Some(200),
            "ab",
        ),
        ("HTTP/1.1 200 OK\r\n\r\nab", Some(200), "ab"),
    ] {
        cases.spawn(async move {
            let receiver = stuck(begin).await;
            let request = hasty(&receiver.url("/"));
            let limit = request.timeout;
            let answer = send(request).await;
            assert_eq!(class(&answer), Some(ErrorClass::Timeout), "{begin}");
            assert_eq!(answer.status, status, "{begin}");
            assert_eq!(answer.body, body);
            assert_eq!(answer.address, Some(receiver.address));
            assert!(answer.duration >= limit);
        });
    }
    cases.join_all().await;
}

/// It never stops, and each byte comes well within any limit of its own.
#[tokio::test]
async fn one_that_drips_is_given_up_in_time() {
    for begin in [
        "HTTP/1.1 200 OK\r\nx-a: ",
        "HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n",
    ] {
        let receiver = Receiver::start(move |mut stream, _| async move {
            read_request(&mut stream).await;
            stream.write_all(begin.as_bytes()).await.unwrap();
            let mut drip = tokio::time::interval(std::time::Duration::from_millis(5));
            while stream.write_all(b"H").await.is_ok() {
                drip.tick().await;
            }
        })
        .await;
        let answer = send(hasty(&receiver.url("/"))).await;
        assert_eq!(class(&answer), Some(ErrorClass::Timeout), "{answer:?}");
    }
}

#[tokio::test]
async fn one_that_closes_or_resets_early() {
    for (begin, status) in [
        ("", None),
        ("HTTP/1.1 200 OK\r\nx-a", None),
        ("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nab", Some(200)),
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhel",
            Some(200),
        ),
    ] {
        for is_reset in [false, true] {
            let receiver = Receiver::start(move |mut stream, _| async move {
                read_request(&mut stream).await;
                stream.write_all(begin.as_bytes()).await.unwrap();
                if is_reset {
                    stream.set_zero_linger().unwrap();
                }
            })
            .await;
            let answer = send(request(&receiver.url("/"))).await;
            assert_eq!(
                class(&answer),
                Some(ErrorClass::Reset),
                "{begin} {answer:?}"
            );
            // A reset may overtake what came before it.
            assert!(answer.status == status || is_reset && answer.status.is_none());
        }
    }
}

#[tokio::test]
async fn one_that_closes_before_it_has_read_anything() {
    for is_reset in [false, true] {
        let receiver = Receiver::start(move |stream, _| async move {
            if is_reset {
                stream.set_zero_linger().unwrap();
            }
        })
        .await;
        let answer = send(request(&receiver.url("/"))).await;
        let class = class(&answer);
        assert!(
            matches!(class, Some(ErrorClass::Reset | ErrorClass::Connect)),
            "{answer:?}"
        );
    }
}

#[tokio::test]
async fn what_is_not_http_is_not_read_as_such() {
    let header = |length| format!("HTTP/1.1 200 OK\r\nx-a: {}\r\n\r\n", "y".repeat(length));
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "a: b\r\n".repeat(10_000));
    for answer in [
        "SSH-2.0-OpenSSH_9.9\r\n".to_owned(),
        "\0\0\0\0\0\0\0\0\r\n\r\n".to_owned(),
        "HTTP/1.1 20 OK\r\n\r\n".to_owned(),
        "HTTP/1.1 200 OK\r\nno colon\r\n\r\n".to_owned(),
        "HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n".to_owned(),
        "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab".to_owned(),
        "HTTP/3.0 200 OK\r\n\r\n".to_owned(),
        header(1 << 20),
        many,
    ] {
        let receiver = Receiver::answering_once(answer.clone()).await;
        let said = send(request(&receiver.url("/"))).await;
        let front: String = answer.chars().take(60).collect();
        assert_eq!(class(&said), Some(ErrorClass::Protocol), "{front} {said:?}");
        assert_eq!(said.status, None, "{front}");
    }
}

/// A header without an end is not read for ever.
#[tokio::test]
async fn a_head_without_an_end_is_not_read_on() {
    let (told, mut is_over) = mpsc::channel(1);
    let receiver = Receiver::start(move |mut stream, _| {
        let told = told.clone();
        async move {
            read_request(&mut stream).await;
            stream.write_all(b"HTTP/1.1 200 OK\r\nx-a: ").await.unwrap();
            while stream.write_all(&[b'y'; 1_000]).await.is_ok() {}
            told.send(()).await.unwrap();
        }
    })
    .await;
    let answer = send(request(&receiver.url("/"))).await;
    assert_eq!(class(&answer), Some(ErrorClass::Protocol));
    is_over.recv().await.unwrap();
}

#[tokio::test]
async fn wrong_chunks_fail_what_had_a_good_head() {
    for chunks in [
        "zz\r\nab\r\n",
        "2\r\nabcd\r\n0\r\n\r\n",
        "ffffffffffffffffff\r\nab",
    ] {
        let answer = format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{chunks}");
        let receiver = Receiver::answering_once(answer).await;
        let said = send(request(&receiver.url("/"))).await;
        assert_eq!(
            class(&said),
            Some(ErrorClass::Protocol),
            "{chunks} {said:?}"
        );
        assert_eq!(said.status, Some(200));
    }
}

#[tokio::test]
async fn nobody_listens() {
    let address: SocketAddr = {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        listener.local_addr().unwrap()
    };
    let answer = send(request(&format!("http://{address}/"))).await;
    assert_eq!(class(&answer), Some(ErrorClass::Connect));
    assert_eq!((answer.status, answer.address), (None, None));
}

/// What is given up is closed: the receiver sees it, and the next request has a new connection.
#[tokio::test]
async fn a_request_that_is_dropped_closes_its_connection() {
    let (told, mut heard) = mpsc::channel(2);
    let receiver = Receiver::start(move |mut stream, number| {
        let told = told.clone();
        async move {
            read_request(&mut stream).await;
            told.send("read").await.unwrap();
            if number == 0 {
                closed(&mut stream).await;
                told.send("closed").await.unwrap();
            } else {
                stream.write_all(plain(200).as_bytes()).await.unwrap();
            }
        }
    })
    .await;
    let transport = transport(config());
    {
        let mut sending = transport.send(request(&receiver.url("/")));
        tokio::select! {
            biased;
            _ = &mut sending => panic!("nobody has answered"),
            heard = heard.recv() => assert_eq!(heard, Some("read")),
        }
    }
    assert_eq!(heard.recv().await, Some("closed"));
    let answer = transport.send(request(&receiver.url("/"))).await;
    assert_eq!(answer.status, Some(200));
}
