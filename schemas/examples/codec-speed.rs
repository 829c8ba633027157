//! How long the codecs take, per record: `cargo run --release -p schemas --example codec-speed`.

use std::hint::black_box;
use std::time::Duration;

use bytes::Bytes;
use schemas::Parts;
use schemas::record::Record;
use schemas::topics::{LADDER, Topic};

const ROUNDS: u32 = 200_000;

fn main() {
    let samples = [
        (
            "events",
            Topic::Events,
            include_str!("../fixtures/v1/events-addressed.record"),
        ),
        (
            "events, every header",
            Topic::Events,
            include_str!("../fixtures/v1/events-routed.record"),
        ),
        (
            "inbox",
            Topic::Inbox,
            include_str!("../fixtures/v1/inbox-http.record"),
        ),
        (
            "attempts",
            Topic::Attempts,
            include_str!("../fixtures/v1/attempts-succeeded.record"),
        ),
        (
            "retry",
            Topic::Retry(LADDER[2]),
            include_str!("../fixtures/v1/retry-failed.record"),
        ),
    ];
    println!("{:<24}{:>12}{:>12}", "record", "encode", "decode");
    for (name, topic, text) in samples {
        let parts = parts(text);
        let record = Record::decode(topic, &parts).expect("a fixture is read");
        let encode = timed(|| drop(black_box(black_box(&record).encode())));
        let decode = timed(|| drop(black_box(Record::decode(topic, black_box(&parts)))));
        println!(
            "{name:<24}{:>9} ns{:>9} ns",
            encode.as_nanos(),
            decode.as_nanos()
        );
    }
}

/// The parts of a fixture, less what is written as base64.
fn parts(text: &str) -> Parts {
    let mut parts = Parts {
        value: Some(vec![b'x'; 1_024].into()),
        ..Parts::default()
    };
    for line in text.lines() {
        let bytes = |text: &str| Bytes::copy_from_slice(text.as_bytes());
        match line.split_once(' ') {
            Some(("key", key)) => parts.key = Some(bytes(key)),
            Some(("value", json)) if json.starts_with('{') => parts.value = Some(bytes(json)),
            Some(("header", header)) => {
                let (name, value) = header.split_once(' ').unwrap_or((header, ""));
                let value = Some(bytes(value));
                parts.headers.push(schemas::Header {
                    name: name.into(),
                    value,
                });
            }
            Some(_) | None => {}
        }
    }
    parts
}

#[expect(
    clippy::disallowed_methods,
    reason = "a measurement of processor time has no other clock"
)]
fn timed(mut work: impl FnMut()) -> Duration {
    (0..ROUNDS / 10).for_each(|_| work());
    let start = std::time::Instant::now();
    (0..ROUNDS).for_each(|_| work());
    start.elapsed() / ROUNDS
}
