//! What is peculiar to a log on Kafka. Without a broker these fail, and say how to start one.

#![allow(
    clippy::unwrap_used,
    reason = "a test ends where what it relies on fails"
)]

mod postrider;

use std::io::{BufRead, BufReader};

use postrider::{Postrider, json};

#[test]
fn what_others_append_is_shown_as_it_comes() {
    let log = Postrider::kafka();
    log.ok(&["log", "append", "t", "--create", "--partitions=2", "past"]);
    let mut tail = log.start(&["log", "tail", "t", "-f", "--limit=3", "--json"]);
    let mut shown = BufReader::new(tail.stdout.take().unwrap());
    let mut next = || {
        let mut line = String::new();
        shown.read_line(&mut line).unwrap();
        json(&line)[0]["value"].as_str().unwrap().to_owned()
    };
    assert_eq!(next(), "past");
    log.ok(&["log", "append", "t", "-p1", "one"]);
    assert_eq!(next(), "one");
    log.ok(&["log", "append", "t", "-p0", "two"]);
    assert_eq!(next(), "two");
    assert!(
        tail.wait().unwrap().success(),
        "it ends by itself at the limit"
    );
}

#[test]
fn a_topic_that_does_not_fit_is_shown_with_what_mends_it() {
    let log = Postrider::kafka();
    log.ok(&["log", "append", "events", "--create", "--partitions=1", "x"]);
    for apply in ["--apply=false", "--apply"] {
        let ran = log.run(&["log", "plan", "--partitions=2", apply]);
        assert_eq!(ran.code, Some(1), "{ran:?}");
        assert!(ran.out.contains("partitions is 1, must be 2"), "{ran:?}");
        assert!(ran.out.contains("kafka-topics.sh"), "{ran:?}");
        assert!(ran.err.contains("1 of 18 topics don't fit"), "{ran:?}");
    }
    assert_eq!(
        log.json(&["log", "topics", "--json"]).len(),
        1,
        "nothing was made"
    );
}

#[test]
fn a_broker_that_is_not_there_is_named() {
    let bare = Postrider::bare();
    let ran = bare.run(&["log", "topics", "--log=kafka://127.0.0.1:9"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.err.contains("127.0.0.1:9"), "{ran:?}");
}
