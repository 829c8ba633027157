//! What is peculiar to the embedded log.

#![allow(
    clippy::unwrap_used,
    reason = "a test ends where what it relies on fails"
)]

mod postrider;

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Command, Stdio};

use postrider::{Postrider, fed};

/// A program that has the log open, until its input ends: it has confirmed a record.
struct Holder {
    child: std::process::Child,
    acks: BufReader<std::process::ChildStdout>,
}

impl Holder {
    fn start(log: &Postrider) -> Self {
        let arguments = ["log", "append", "events", "--create", "--lines", "--json"];
        let mut child = log.start(&arguments);
        let mut acks = BufReader::new(child.stdout.take().unwrap());
        writeln!(child.stdin.as_mut().unwrap(), "held").unwrap();
        let mut ack = String::new();
        acks.read_line(&mut ack).unwrap();
        assert!(ack.contains("\"offset\":0"), "{ack}");
        Self { child, acks }
    }

    fn end(mut self) {
        drop(self.child.stdin.take());
        let mut rest = String::new();
        self.acks.read_to_string(&mut rest).unwrap();
        assert!(self.child.wait().unwrap().success(), "{rest}");
    }
}

#[test]
fn a_second_process_is_refused_by_name() {
    let log = Postrider::embedded();
    let holder = Holder::start(&log);
    let pid = format!("process {}", holder.child.id());
    for arguments in [&["log", "topics"][..], &["log", "dump"], &["log", "plan"]] {
        let ran = log.run(arguments);
        assert_eq!(ran.code, Some(1), "{ran:?}");
        assert!(
            ran.err.contains("postrider log append") && ran.err.contains(&pid),
            "{ran:?}"
        );
        assert_eq!(ran.out, "");
    }
    holder.end();
    log.ok(&["log", "topics"]);
}

#[test]
fn looking_makes_no_log() {
    let log = Postrider::embedded();
    for arguments in [
        &["log", "topics"][..],
        &["log", "tail", "events"],
        &["log", "dump"],
        &["log", "append", "events", "x"],
    ] {
        let ran = log.run(arguments);
        assert_eq!(ran.code, Some(1), "{ran:?}");
        assert!(
            ran.err.contains("there is no log in") && ran.err.contains("plan --apply"),
            "{ran:?}"
        );
    }
    log.ok(&["log", "plan"]);
    assert!(!log.data().exists());
}

#[test]
fn what_follows_is_shown_as_it_comes() {
    let log = Postrider::embedded();
    log.ok(&["log", "append", "events", "--create", "past"]);
    let mut tail = log.start(&["log", "tail", "events", "--follow", "--json"]);
    let mut shown = BufReader::new(tail.stdout.take().unwrap());
    let mut line = String::new();
    shown.read_line(&mut line).unwrap();
    assert!(line.contains("\"past\""), "{line}");
    let kill = Command::new("kill")
        .args(["-INT", &tail.id().to_string()])
        .status()
        .unwrap();
    assert!(kill.success());
    assert_eq!(
        tail.wait().unwrap().code(),
        Some(0),
        "Ctrl-C is how one stops it"
    );
}

#[test]
fn a_reader_that_has_seen_enough_ends_it_quietly() {
    let log = Postrider::embedded();
    let input = "x".repeat(1_000) + "\n";
    log.ok_with(
        &["log", "append", "events", "--create", "--lines"],
        input.repeat(5_000).as_bytes(),
    );
    let mut dump = log.start(&["log", "dump"]);
    let mut shown = BufReader::new(dump.stdout.take().unwrap());
    let mut line = String::new();
    shown.read_line(&mut line).unwrap();
    drop(shown);
    let output = dump.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr), (Some(0), Vec::new()));
}

#[test]
fn a_full_disk_is_not_an_end_of_the_output() {
    let log = Postrider::embedded();
    log.ok(&["log", "plan", "--apply"]);
    let mut topics = log.command(&["log", "topics"]);
    let full = std::fs::OpenOptions::new()
        .write(true)
        .open("/dev/full")
        .unwrap();
    topics.stdout(Stdio::from(full));
    let ran = fed(topics, b"");
    assert_eq!(ran.code, Some(1));
    assert!(ran.err.contains("standard output"), "{ran:?}");
}

#[test]
fn a_record_that_is_refused_is_said_so() {
    let log = Postrider::embedded();
    let large = vec![b'x'; 2 << 20];
    let ran = log.run_with(&["log", "append", "events", "--create"], &large);
    assert_eq!(ran.code, Some(1));
    assert!(
        ran.err.contains("was not appended") && ran.err.contains("over the limit"),
        "{ran:?}"
    );
    let lines = [b"one\ntwo\n", &large[..], b"\nfour\n"].concat();
    let ran = log.run_with(&["log", "append", "events", "--lines"], &lines);
    assert_eq!(ran.code, Some(1));
    assert!(
        ran.err.contains("1 of 3 lines not confirmed: line 3;"),
        "{ran:?}"
    );
    assert!(ran.out.contains("2 records"), "{ran:?}");
    assert_eq!(log.json(&["log", "dump", "events"]).len(), 2);
}

#[test]
fn what_differs_is_followed_and_told() {
    let log = Postrider::embedded();
    log.ok(&["log", "plan", "--apply", "--partitions=2"]);
    let more = ["log", "plan", "--partitions=3", "--retention-attempts=31d"];
    let shown = log.ok(&more);
    assert!(shown.contains("partitions is 2, must be 3"), "{shown}");
    log.ok(&[&more[..], &["--apply"]].concat());
    let shown = log.ok(&more);
    assert!(
        !shown.contains("update") && !shown.contains("create"),
        "{shown}"
    );
}

#[test]
fn names_and_places_that_are_not_there() {
    let log = Postrider::embedded();
    let ran = log.run(&["log", "append", "orders", "--create", "x"]);
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
    for (arguments, code, said) in [
        (&["log", "tail", "order"][..], 1, "Did you mean \"orders\"?"),
        (&["log", "append", "shipments", "x"], 1, "There are orders"),
        (&["log", "tail", "orders", "-p8"], 1, "it has 0 to 7"),
        (&["log", "tail", "orders", "--from=1"], 2, "--partition"),
        (
            &["log", "tail", "orders", "-p0", "--from=2"],
            1,
            "it holds 0 to 0",
        ),
        (
            &["log", "tail", "orders", "-p1", "--from=2"],
            1,
            "its next offset is 0",
        ),
        (
            &["log", "plan", "--retention-events=1d"],
            2,
            "--retention-events",
        ),
    ] {
        let ran = log.run(arguments);
        assert_eq!(ran.code, Some(code), "{arguments:?}: {ran:?}");
        assert!(ran.err.contains(said), "{arguments:?}: {ran:?}");
    }
}

#[test]
fn a_topic_that_is_postriders_own_is_warned_of() {
    let log = Postrider::embedded();
    let ran = log.run(&["log", "append", "progress", "--create", "x"]);
    assert!(
        ran.code == Some(0) && ran.err.contains("only postrider itself"),
        "{ran:?}"
    );
    let ran = log.run(&["log", "append", "inbox", "--create", "x"]);
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
}
