//! Connections that are used again, and those that are not.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use dispatcher::http::{HttpConfig, HttpTransport};
use dispatcher::transport::{Answer, Transport};
use futures_util::future::join_all;
use schemas::attempt::{ErrorClass, MAX_BODY};
use tokio::io::AsyncWriteExt;
use tokio::sync::{Barrier, mpsc};

use crate::receiver::{Receiver, class, closed, config, plain, read_request, request, transport};

async fn send_in_turn(transport: &HttpTransport, url: &str, times: usize) {
    for _ in 0..times {
        let answer = transport.send(request(url)).await;
        assert_eq!((answer.status, &answer.error), (Some(200), &None));
    }
}

#[tokio::test]
async fn a_connection_is_used_again() {
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n";
    let full = format!(
        "HTTP/1.1 200 OK\r\ncontent-length: {MAX_BODY}\r\n\r\n{}",
        "x".repeat(MAX_BODY)
    );
    let empty = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
    for answer in [plain(200), chunked.to_owned(), full, empty.to_owned()] {
        let receiver = Receiver::answering(answer.clone()).await;
        let transport = transport(config());
        send_in_turn(&transport, &receiver.url("/a"), 10).await;
        send_in_turn(&transport, &receiver.url("/b"), 10).await;
        assert_eq!(receiver.accepted(), 1, "{answer:.60}");
    }
}

#[tokio::test]
async fn one_that_may_not_be_used_again_is_not() {
    let long = format!(
        "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{}",
        MAX_BODY + 1,
        "x".repeat(MAX_BODY + 1)
    );
    for answer in [
        "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n".to_owned(),
        "HTTP/1.0 200 OK\r\ncontent-length: 0\r\n\r\n".to_owned(),
        "HTTP/1.1 200 OK\r\nkeep-alive: max=5, timeout=1\r\ncontent-length: 0\r\n\r\n".to_owned(),
        // More than an answer: whose is the rest?
        "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\nHTTP/1.1 200 OK\r\n".to_owned(),
        long,
    ] {
        let receiver = Receiver::answering(answer.clone()).await;
        send_in_turn(&transport(config()), &receiver.url("/"), 3).await;
        assert_eq!(receiver.accepted(), 3, "{answer:.90}");
    }
}

/// The receiver closes each connection some time after an answer. Nothing fails by that.
#[tokio::test]
async fn one_that_was_closed_while_idle_is_replaced() {
    let (told, mut is_closed) = mpsc::channel(1);
    let receiver = Receiver::start(move |mut stream, _| {
        let told = told.clone();
        async move {
            read_request(&mut stream).await;
            stream.write_all(plain(200).as_bytes()).await.unwrap();
            stream.shutdown().await.unwrap();
            drop(stream);
            told.send(()).await.unwrap();
        }
    })
    .await;
    let transport = transport(config());
    for _ in 0..20 {
        send_in_turn(&transport, &receiver.url("/"), 1).await;
        is_closed.recv().await.unwrap();
    }
    assert_eq!(receiver.accepted(), 20);
}

/// A request that was read is not sent again, whatever comes of it.
#[tokio::test]
async fn what_was_written_is_not_written_twice() {
    let read = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&read);
    let receiver = Receiver::start(move |mut stream, _| {
        let counted = Arc::clone(&counted);
        async move {
            read_request(&mut stream).await;
            stream.write_all(plain(200).as_bytes()).await.unwrap();
            if read_request(&mut stream).await.is_some() {
                counted.fetch_add(1, Ordering::SeqCst);
            }
        }
    })
    .await;
    let transport = transport(config());
    send_in_turn(&transport, &receiver.url("/"), 1).await;
    let answer = transport.send(request(&receiver.url("/"))).await;
    assert_eq!(class(&answer), Some(ErrorClass::Reset));
    assert_eq!((read.load(Ordering::SeqCst), receiver.accepted()), (1, 1));
}

/// A receiver that answers once it has `crowd` requests at a time, and says when a connection ends.
async fn crowded(crowd: usize) -> (Receiver, mpsc::Receiver<()>) {
    let barrier = Arc::new(Barrier::new(crowd));
    let (told, ended) = mpsc::channel(crowd);
    let receiver = Receiver::start(move |mut stream, _| {
        let (barrier, told) = (Arc::clone(&barrier), told.clone());
        async move {
            read_request(&mut stream).await;
            barrier.wait().await;
            stream.write_all(plain(200).as_bytes()).await.unwrap();
            closed(&mut stream).await;
            told.send(()).await.unwrap();
        }
    })
    .await;
    (receiver, ended)
}

async fn send_at_once(transport: &HttpTransport, urls: &[String]) -> Vec<Answer> {
    join_all(urls.iter().map(|url| transport.send(request(url)))).await
}

#[tokio::test]
async fn no_more_are_kept_than_may_be() {
    for (per_origin, in_all, kept) in [(2, 100, 2), (100, 3, 3), (0, 100, 0), (100, 0, 0)] {
        let (receiver, mut ended) = crowded(5).await;
        let transport = transport(HttpConfig {
            idle_per_origin: per_origin,
            idle_in_all: in_all,
            idle_timeout: Duration::from_secs(1_000),
            ..config()
        });
        let urls = vec![receiver.url("/"); 5];
        let answers = send_at_once(&transport, &urls).await;
        assert!(answers.iter().all(|answer| answer.status == Some(200)));
        for _ in kept..5 {
            ended.recv().await.unwrap();
        }
        assert!(ended.try_recv().is_err());
        drop(transport);
        for _ in 0..kept {
            ended.recv().await.unwrap();
        }
    }
}

#[tokio::test]
async fn what_is_idle_for_long_is_closed_without_another_request() {
    let (receiver, mut ended) = crowded(3).await;
    let transport = transport(HttpConfig {
        idle_timeout: Duration::from_millis(50),
        ..config()
    });
    for _ in 0..2 {
        let answers = send_at_once(&transport, &vec![receiver.url("/"); 3]).await;
        assert!(answers.iter().all(|answer| answer.status == Some(200)));
        for _ in 0..3 {
            ended.recv().await.unwrap();
        }
    }
}

/// Two origins on one machine: nothing of one goes over a connection of the other.
#[tokio::test]
async fn each_origin_has_its_own() {
    let first = Receiver::answering(plain(200)).await;
    let second = Receiver::answering(plain(404)).await;
    let transport = transport(config());
    for _ in 0..5 {
        let urls = [first.url("/"), second.url("/")];
        let answers = send_at_once(&transport, &urls).await;
        assert_eq!(
            (answers[0].status, answers[1].status),
            (Some(200), Some(404))
        );
    }
    assert_eq!((first.accepted(), second.accepted()), (1, 1));
}
