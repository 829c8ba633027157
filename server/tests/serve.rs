//! The server as a process: it starts, does the main job, says nothing that it must not, and drains.

#![allow(
    clippy::unwrap_used,
    reason = "a test ends where what it relies on fails"
)]

mod postrider;

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command};
use std::thread::JoinHandle;

use postrider::Postrider;
use serde_json::{Value, json};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const HEADER: &str = "a-header-that-nobody-may-see";

/// A server, and all that it says.
struct Serving {
    child: Child,
    address: String,
    said: JoinHandle<String>,
}

impl Serving {
    fn start(at: &Postrider, more: &[&str]) -> Self {
        let arguments = [&["serve", "--dev", "--listen", "127.0.0.1:0"], more].concat();
        let mut child = at.start(&arguments);
        let mut lines = BufReader::new(child.stderr.take().unwrap());
        let mut all = String::new();
        let address = loop {
            let mut line = String::new();
            assert!(lines.read_line(&mut line).unwrap() > 0, "it ended: {all}");
            all.push_str(&line);
            if let Some((_, rest)) = line.split_once(" on http://") {
                break rest.split(',').next().unwrap().to_owned();
            }
        };
        let said = std::thread::spawn(move || {
            lines.read_to_string(&mut all).unwrap();
            all
        });
        Self {
            child,
            address,
            said,
        }
    }

    /// A status and a body.
    fn ask(&self, method: &str, path: &str, body: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let length = body.len();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\
             content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}",
            self.address
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head[9..12].parse().unwrap(), body.to_owned())
    }

    /// SIGTERM; the exit code, and all that was said.
    fn terminate(mut self) -> (Option<i32>, String) {
        let id = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-TERM", &id])
                .status()
                .unwrap()
                .success()
        );
        let status = self.child.wait().unwrap();
        (status.code(), self.said.join().unwrap())
    }
}

/// Takes one request, answers 200, and gives what came.
fn receive(listener: &TcpListener) -> String {
    let (mut stream, _) = listener.accept().unwrap();
    let mut came = Vec::new();
    let mut part = [0; 4096];
    let whole = loop {
        let read = stream.read(&mut part).unwrap();
        assert!(read > 0, "{}", String::from_utf8_lossy(&came));
        came.extend_from_slice(&part[..read]);
        let text = String::from_utf8_lossy(&came);
        if text.contains("\r\n\r\n") && text.ends_with('}') {
            break text.into_owned();
        }
    };
    stream
        .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
        .unwrap();
    whole
}

fn holds(folder: &Path, needle: &[u8]) -> bool {
    fs::read_dir(folder).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        if path.is_dir() {
            return holds(&path, needle);
        }
        let bytes = fs::read(&path).unwrap();
        bytes.windows(needle.len()).any(|window| window == needle)
    })
}

#[test]
fn an_event_is_delivered_and_no_secret_is_seen_anywhere() {
    let at = Postrider::embedded();
    let server = Serving::start(&at, &["--log-level", "trace", "--log-format", "json"]);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = json!({
        "url": format!("http://{}/hook", listener.local_addr().unwrap()),
        "secret": SECRET,
        "custom_headers": {"x-mine": HEADER},
    });
    let (status, made) = server.ask("POST", "/api/v1/endpoints", &endpoint.to_string());
    assert_eq!(status, 201, "{made}");
    let id = serde_json::from_str::<Value>(&made).unwrap()["id"].clone();
    let event = json!({"event_type": "order.paid", "endpoint_id": id, "payload": {"n": 1}});
    let (status, accepted) = server.ask("POST", "/api/v1/events", &event.to_string());
    assert_eq!(status, 202, "{accepted}");
    let came = receive(&listener);
    assert!(
        came.contains(HEADER) && came.contains("webhook-signature: v1,"),
        "{came}"
    );
    let id = id.as_str().unwrap();
    let mut shown = String::new();
    for path in [
        format!("/api/v1/endpoints/{id}"),
        "/api/v1/endpoints".to_owned(),
        "/api/v1/events".to_owned(),
        "/api/v1/deliveries".to_owned(),
        "/metrics".to_owned(),
        "/health/ready".to_owned(),
    ] {
        let (status, body) = server.ask("GET", &path, "");
        assert_eq!(status, 200, "{path}: {body}");
        shown.push_str(&body);
    }
    // What is wrong with a request may be quoted; not this.
    let bad = json!({"url": "ftp://x", "secret": SECRET, "custom_headers": {"x-mine": HEADER}});
    let (status, body) = server.ask("POST", "/api/v1/endpoints", &bad.to_string());
    assert_eq!(status, 422, "{body}");
    shown.push_str(&body);
    let (code, said) = server.terminate();
    assert_eq!(code, Some(0), "{said}");
    for hidden in [&SECRET["whsec_".len()..], HEADER] {
        assert!(!shown.contains(hidden), "{shown}");
        assert!(!said.contains(hidden), "{said}");
        assert!(!holds(&at.data(), hidden.as_bytes()), "{hidden} is on disk");
    }
}

#[test]
fn what_must_not_be_served_is_refused() {
    let at = Postrider::embedded();
    for (arguments, said) in [
        (
            &["serve", "--listen", "0.0.0.0:0"][..],
            "no key would be asked for",
        ),
        (&["serve", "--role", "api"], "needs --role projections"),
        (&["serve", "--role", "cook"], "cook"),
        (&["serve", "--retention-events", "1d"], "--retention-events"),
    ] {
        let ran = at.run(arguments);
        assert_eq!(ran.code, Some(2), "{ran:?}");
        assert!(ran.err.contains(said), "{ran:?}");
    }
    assert!(!at.data().exists(), "nothing was made");
}
