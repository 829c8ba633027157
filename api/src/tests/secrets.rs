//! No secret ever shows but in the one answer that made it (I8).

use std::cell::RefCell;
use std::io::Write;

use eventlog_port::{EventLog as _, ReadLimit, TopicPartition};
use schemas::topics::Topic;
use serde_json::json;

use super::seeds::Seed;
use super::world::World;

const OWN: &str = "whsec_c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LTEyMw==";
const HEADER: &str = "Bearer credential-of-the-receiver";
/// What is worth looking for: parts of the two, as they'd show under any wrapping.
const TRACES: [&str; 2] = ["c2VjcmV0LXNlY3JldC1z", "credential-of-the-receiver"];

thread_local! {
    /// The log lines of the test that this thread runs.
    static LINES: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

struct Lines;

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        LINES.with_borrow_mut(|lines| lines.extend_from_slice(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Collects log lines from now on. For the process: a subscriber of one thread misses what other
/// threads were the first to say.
fn collect_lines() {
    tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(|| Lines)
        .init();
}

fn check(what: &str, text: &str) {
    for trace in TRACES {
        assert!(!text.contains(trace), "{what}: {text}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_secret_is_in_the_answer_that_made_it_and_nowhere_else() {
    collect_lines();
    let world = World::new().await;
    let body = json!({
        "url": "https://example.com/", "secret": OWN, "custom_headers": {"authorization": HEADER},
    });
    let made = world.endpoint_of("default", &body.to_string()).await;
    assert_eq!(made.body["secret"], OWN);
    assert!(!made.text.contains(TRACES[1]), "{}", made.text);
    let id = made.id();
    let seed = Seed {
        to: &[&id],
        ..Seed::default()
    };
    let (_, deliveries) = world.seed(&seed).await;
    let endpoint = format!("/api/v1/endpoints/{id}");
    for (method, path, body) in [
        ("GET", endpoint.clone(), String::new()),
        ("GET", "/api/v1/endpoints".to_owned(), String::new()),
        (
            "GET",
            format!("/api/v1/endpoints?q={}", TRACES[0]),
            String::new(),
        ),
        ("PATCH", endpoint.clone(), r#"{"name":"a"}"#.to_owned()),
        ("POST", format!("{endpoint}/pause"), String::new()),
        ("POST", format!("{endpoint}/disable"), String::new()),
        ("GET", format!("{endpoint}/stats"), String::new()),
        ("GET", format!("{endpoint}/secret"), String::new()),
        ("GET", "/api/v1/events/order-1".to_owned(), String::new()),
        (
            "GET",
            format!("/api/v1/deliveries/{}", deliveries[0].id),
            String::new(),
        ),
        ("GET", "/api/v1/accounting".to_owned(), String::new()),
    ] {
        let reply = world.ask(method, &path, &body).await;
        check(&path, &reply.text);
        check(&path, &format!("{:?}", reply.headers));
    }
    // Neither does a request that is refused, wherever in it the secret was put.
    for body in [
        json!({"url": "https://10.0.0.1/", "secret": OWN, "custom_headers": {"a": HEADER}}),
        json!({"secret": OWN, "signing": HEADER}),
        json!({"url": OWN, "name": 7, "event_types": [HEADER], "circuit": OWN}),
        json!({"custom_headers": {"host": HEADER, "x": format!("{HEADER}\n")}, "secret": [OWN]}),
        json!({"retry": OWN, "metadata": {"a": [OWN]}, "ordering": HEADER, "algorithm": OWN}),
    ] {
        for (method, path) in [("POST", "/api/v1/endpoints"), ("PATCH", &endpoint)] {
            let reply = world.ask(method, path, &body.to_string()).await;
            assert_eq!(reply.status, 422, "{}", reply.text);
            check(path, &reply.text);
        }
    }
    for body in [
        format!("{{\"secret\":\"{OWN}\",\"secret\":\"{OWN}\"}}"),
        format!("{{\"secret\":\"{OWN}"),
        format!("\"{OWN}\""),
    ] {
        let reply = world.ask("POST", "/api/v1/endpoints", &body).await;
        check("bad JSON", &reply.text);
    }
    world.ask("DELETE", &endpoint, "").await;
    let lines = String::from_utf8(LINES.take()).unwrap();
    assert!(lines.contains("endpoint.created"), "{lines}");
    check("log lines", &lines);
}

#[tokio::test(start_paused = true)]
async fn secrets_rest_sealed_and_open_with_the_key_only() {
    let world = World::new().await;
    let body = json!({
        "url": "https://example.com/", "secret": OWN, "custom_headers": {"authorization": HEADER},
    });
    let made = world.endpoint_of("default", &body.to_string()).await;
    let control = TopicPartition::of(Topic::Control, 0);
    let mut reader = world.log.reader(&control, 0).await.unwrap();
    let limit = ReadLimit {
        records: 10,
        bytes: 1 << 20,
        wait: std::time::Duration::ZERO,
    };
    let [record] = <[_; 1]>::try_from(reader.next(limit).await.unwrap()).unwrap();
    let parts = record.into_parts();
    check("control", &format!("{parts:?}"));
    let fact = schemas::control::Fact::decode(&parts).unwrap();
    let schemas::control::Fact::Endpoint(endpoint) = fact else {
        panic!("not an endpoint")
    };
    let secret = &endpoint.secrets[0];
    let context = domain::sealing::context(&made.id(), &secret.id);
    let opened = world.sealer.open(&secret.sealed.0, &context).unwrap();
    assert_eq!(opened, OWN.as_bytes());
    let header = &endpoint.custom_headers["authorization"];
    let context = domain::sealing::context(&made.id(), "header:authorization");
    assert_eq!(
        world.sealer.open(&header.0, &context).unwrap(),
        HEADER.as_bytes()
    );
}
