//! What was appended is shown as it is stored, on every log.

#![allow(
    clippy::unwrap_used,
    reason = "a test ends where what it relies on fails"
)]

mod postrider;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};

use postrider::{Postrider, json as lines};

/// A test for each log. Without a broker the second one fails, and says how to start one.
macro_rules! on_every_log {
    ($($(#[$doc:meta])* $name:ident($log:ident) $body:block)+) => {
        mod embedded {
            use super::*;
            $($(#[$doc])* #[test] fn $name() { super::$name(&Postrider::embedded()) })+
        }
        mod kafka {
            use super::*;
            $($(#[$doc])* #[test] fn $name() { super::$name(&Postrider::kafka()) })+
        }
        $(fn $name($log: &Postrider) $body)+
    };
}

/// Every byte there is, so no UTF-8.
fn every_byte() -> Vec<u8> {
    (0..=255).collect()
}

on_every_log! {
    bytes_come_back_as_they_were(log) {
        let topic = ["--create", "--partitions=3"];
        let append = |more: &[&str], input: &[u8]| {
            let arguments: Vec<&str> =
                ["log", "append", "bytes", "--json"].into_iter().chain(topic).chain(more.iter().copied()).collect();
            lines(&log.ok_with(&arguments, input)).remove(0)
        };
        let first = append(&["-p1", "-k", "k\u{e9}", "-H", "a=1", "-H", "a=", "-H", "b==\u{1b}"], &every_byte());
        let second = append(&["-p1", "text\n\u{9b}\u{202e}"], b"");
        let third = append(&["-p2"], b"");
        for (told, partition, offset) in [(&first, 1, 0), (&second, 1, 1), (&third, 2, 0)] {
            let at = (&told["topic"], &told["partition"], &told["offset"]);
            assert_eq!(at, (&json!("bytes"), &json!(partition), &json!(offset)));
        }
        let dumped = log.json(&["log", "dump", "bytes"]);
        let expected = [
            json!({
                "topic": "bytes", "partition": 1, "offset": 0, "time": first["time"], "key": "k\u{e9}",
                "headers": [
                    {"name": "a", "value": "1"},
                    {"name": "a", "value": ""},
                    {"name": "b", "value": "=\u{1b}"},
                ],
                "value": BASE64.encode(every_byte()), "value_encoding": "base64",
            }),
            json!({
                "topic": "bytes", "partition": 1, "offset": 1, "time": second["time"], "key": null,
                "headers": [], "value": "text\n\u{9b}\u{202e}",
            }),
            json!({
                "topic": "bytes", "partition": 2, "offset": 0, "time": third["time"], "key": null,
                "headers": [], "value": "",
            }),
        ];
        assert_eq!(dumped, expected);
        let tailed = log.json(&["log", "tail", "bytes", "--from=start", "--json"]);
        assert_eq!(tailed, expected);
    }

    a_terminal_sees_no_control_character(log) {
        let control: Vec<u8> = (0..=0x1f).chain([0x7f]).collect();
        log.ok_with(&["log", "append", "evil", "--create", "--key=\u{1b}[2J", "-H", "h=\u{9b}1m"], &control);
        for json in [false, true] {
            let flag = format!("--json={json}");
            let shown = log.ok(&["log", "tail", "evil", &flag]);
            let raw = |c: char| c.is_control() && c != '\n';
            assert!(!shown.contains(raw), "{shown:?}");
            assert_eq!(shown.lines().count(), if json { 1 } else { 2 });
        }
    }

    secrets_never_show(log) {
        let value = br#"{"password":"hunter2", "n":1.50, "body":{"utf8":"{\"token\":\"hunter2\"}"}}"#;
        log.ok_with(&["log", "append", "s", "--create", "-H", "Authorization=Bearer hunter2"], value);
        log.ok(&["log", "append", "s", "--key=whsec_aHVudGVyMg==", "see whsec_aHVudGVyMg== there"]);
        log.ok(&["log", "append", "s", "nothing to hide"]);
        for arguments in [
            &["log", "dump"][..],
            &["log", "tail", "s"],
            &["log", "tail", "s", "--json"],
        ] {
            let shown = log.ok(arguments);
            assert!(!shown.contains("hunter2") && !shown.contains("aHVu"), "{shown}");
            assert!(shown.contains("[redacted]"), "{shown}");
        }
        let dumped = log.json(&["log", "dump"]);
        assert_eq!(
            dumped[0]["value"],
            r#"{"password":"[redacted]", "n":1.50, "body":{"utf8":"{\"token\":\"[redacted]\"}"}}"#
        );
        let said: Vec<&Value> = dumped.iter().map(|record| &record["redacted"]).collect();
        assert_eq!(said, [&json!(true), &json!(true), &Value::Null]);
    }

    ten_thousand_lines(log) {
        let input: String = (0..10_000).map(|n| format!("line {n}\n")).collect();
        let told = log.ok_with(&["log", "append", "many", "--create", "--lines"], input.as_bytes());
        assert!(told.starts_with("10000 records") && told.contains("offsets 0 to 9999"), "{told}");
        let acks = log.ok_with(&["log", "append", "many", "--lines", "--json"], b"one\n\ntwo");
        let offsets: Vec<Value> = lines(&acks).iter().map(|ack| ack["offset"].clone()).collect();
        assert_eq!(offsets, [10_000, 10_001, 10_002]);
        let dumped = log.json(&["log", "dump", "many"]);
        assert_eq!(dumped.len(), 10_003);
        for (n, record) in dumped[..10_000].iter().enumerate() {
            assert_eq!(record["offset"], n);
            assert_eq!(record["value"], format!("line {n}"));
        }
        assert_eq!((&dumped[10_001]["value"], &dumped[10_002]["value"]), (&json!(""), &json!("two")));
    }

    stretches_are_what_was_asked_for(log) {
        log.ok_with(&["log", "append", "t", "--create", "--partitions=2", "--lines"], b"a\nb\nc\nd\n");
        log.ok(&["log", "append", "t", "-p1", "e"]);
        let values = |arguments: &[&str]| -> String {
            let arguments = [&["log"], arguments, &["--json"]].concat();
            log.json(&arguments).iter().map(|r| r["value"].as_str().unwrap().to_owned()).collect()
        };
        for (arguments, expected) in [
            (&["tail", "t"][..], "abcde"),
            (&["tail", "t", "--from=-2"], "de"),
            (&["tail", "t", "-p0", "--from=-2"], "cd"),
            (&["tail", "t", "-p0", "--from=1", "--limit=2"], "bc"),
            (&["tail", "t", "-p0", "--from=4"], ""),
            (&["tail", "t", "--from=end"], ""),
            (&["tail", "t", "--from=-1h"], "abcde"),
            (&["tail", "t", "--from=2100-01-01"], ""),
            (&["dump", "t", "-p0", "--from=1", "--to=3"], "bc"),
            (&["dump", "t", "--to=2026-01-01T00:00:00Z", "--from=2020-01-01"], ""),
            (&["dump", "t", "--to=-1"], "abc"),
        ] {
            assert_eq!(values(arguments), expected, "{arguments:?}");
        }
    }

    topics_are_listed_for_people_and_programs(log) {
        log.ok(&["log", "append", "a", "--create", "--partitions=2", "-p1", "x"]);
        let table = log.ok(&["log", "topics"]);
        let mut rows = table.lines();
        let heading: Vec<&str> = rows.next().unwrap().split_whitespace().collect();
        assert_eq!(heading[..3], ["TOPIC", "PARTITIONS", "RECORDS"]);
        let row: Vec<&str> = rows.next().unwrap().split_whitespace().collect();
        assert_eq!(row[..5], ["a", "2", "1", "for", "ever"]);
        assert_eq!(rows.next(), None);
        assert_eq!(log.ok(&["log", "topics", "--by-partition"]).lines().count(), 3);
        let told = log.json(&["log", "topics", "--json"]);
        assert_eq!(told.len(), 1);
        assert_eq!(
            told[0]["partitions"],
            json!([{"partition": 0, "start": 0, "end": 0}, {"partition": 1, "start": 0, "end": 1}])
        );
    }

    a_plan_is_shown_then_made(log) {
        let actions = |arguments: &[&str]| -> Vec<String> {
            let arguments = [&["log", "plan", "--json", "--partitions=2"], arguments].concat();
            log.json(&arguments).iter().map(|p| p["action"].as_str().unwrap().to_owned()).collect()
        };
        let planned = actions(&[]);
        assert!(planned.len() >= 18 && planned.iter().all(|action| action == "create"));
        assert_eq!(actions(&[]), planned, "a plan alone changes nothing");
        assert_eq!(actions(&["--apply"]), planned);
        assert!(actions(&[]).iter().all(|action| action == "fits"));
        assert_eq!(log.json(&["log", "topics", "--json"]).len(), planned.len());
    }
}
